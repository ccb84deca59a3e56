-- What each status list said when it was signed last. One text for all processes, so that all of them answer with the same bytes.
CREATE TABLE status_list_tokens (
    list BIGINT NOT NULL PRIMARY KEY REFERENCES status_lists (id) ON DELETE CASCADE,
    -- Grows with each other content, in the order in which the contents were read.
    version BIGINT NOT NULL,
    -- Of the places that are set and the keys that are denied.
    digest TEXT NOT NULL,
    signed_at BIGINT NOT NULL,
    kid TEXT NOT NULL,
    token TEXT NOT NULL
);

-- When the place was taken from its grant or client: what is new is told at once.
ALTER TABLE retired_indices ADD COLUMN retired_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX retired_indices_at ON retired_indices (retired_at);

-- Grants that were left over when their session, person or client ended are found by when that was.
CREATE INDEX sessions_ended ON sessions (ended_at);
CREATE INDEX users_not_before ON users (not_before);
CREATE INDEX clients_not_before ON clients (not_before);
