-- What is still to be told to others, however often the programs stop in between.

-- Whether the settings name an address where the app is told of sign-outs: so that a sign-out finds these apps in SQL.
ALTER TABLE clients ADD COLUMN told_of_logouts BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE outbox (
    -- Made from what it tells of, so that what ends in several units of work is told once.
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    -- Nothing refers to another row: a client or a session that goes at the same moment may not make a sign-out fail.
    client_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    sid TEXT NOT NULL,
    -- Not the row of the person, who may be gone by then.
    sub TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Not to be tried before.
    not_before BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    finished_at BIGINT,
    -- delivered, refused, given_up or not_wanted.
    outcome TEXT
);
CREATE INDEX outbox_due ON outbox (client_id, not_before) WHERE finished_at IS NULL;
-- Those first that were tried least, so that one which an app cannot digest keeps nothing else back.
CREATE INDEX outbox_next ON outbox (client_id, attempts, not_before) WHERE finished_at IS NULL;
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE finished_at IS NOT NULL;

-- Apps that could not be told, until they take something: all processes leave them in peace at the same time.
CREATE TABLE outbox_rests (
    client_id TEXT NOT NULL PRIMARY KEY,
    -- Rests in a row.
    rests BIGINT NOT NULL,
    -- Notices in a row that the app answered otherwise than it should.
    stumbles BIGINT NOT NULL,
    -- Not to be called before.
    rests_until BIGINT NOT NULL
);
CREATE INDEX outbox_rests_until ON outbox_rests (rests_until);
