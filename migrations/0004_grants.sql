-- What was asked, allowed and given.

-- Authorization requests that wait for a person.
CREATE TABLE authorize_requests (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    -- NULL until a browser has shown up with it (a cross-site POST arrives without our cookies).
    browser_id TEXT,
    parameters TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Who signed in, and who was chosen, in this transaction: what prompt=login and prompt=select_account ask for.
    authenticated_user TEXT,
    chosen_user TEXT
);
CREATE INDEX authorize_requests_expires ON authorize_requests (expires_at);

CREATE TABLE consents (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    claims TEXT NOT NULL,
    resources TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client ON consents (client_id);

CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    sid TEXT NOT NULL,
    session_linked BOOLEAN NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    claims TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    acr TEXT NOT NULL,
    amr TEXT NOT NULL,
    delivery TEXT NOT NULL,
    status_list BIGINT NOT NULL,
    status_index BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    reason TEXT,
    -- HMAC over the columns that never change, with a key derived from the master key.
    mac TEXT NOT NULL,
    UNIQUE (status_list, status_index)
);
CREATE INDEX grants_session ON grants (session_id);
-- With the id, so that many grants of one owner can be walked in batches.
CREATE INDEX grants_user ON grants (user_id, id);
CREATE INDEX grants_client ON grants (client_id, id);
CREATE INDEX grants_expires ON grants (expires_at);
CREATE INDEX grants_ended ON grants (ended_at);

CREATE TABLE codes (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    nonce TEXT,
    challenge TEXT,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    burnt_at BIGINT
);
CREATE INDEX codes_grant ON codes (grant_id);
CREATE INDEX codes_expires ON codes (expires_at);

-- Keys that refresh families' keys are drawn from; few, sealed.
CREATE TABLE refresh_roots (
    id TEXT NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL,
    kek_id TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE refresh_families (
    id TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL UNIQUE REFERENCES grants (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    root_id TEXT NOT NULL REFERENCES refresh_roots (id),
    delivery TEXT NOT NULL,
    retry TEXT NOT NULL,
    grace BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    retry_streak BIGINT NOT NULL,
    retry_counted BOOLEAN NOT NULL,
    retry_contexts TEXT NOT NULL,
    ended_at BIGINT,
    reason TEXT
);
-- One living cookie family for each session and client.
CREATE UNIQUE INDEX refresh_families_cookie ON refresh_families (session_id, client_id)
    WHERE delivery = 'cookie' AND ended_at IS NULL;
CREATE INDEX refresh_families_session ON refresh_families (session_id);
