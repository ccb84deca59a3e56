-- People, their passwords, their browsers and sessions.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    sub TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    email TEXT,
    email_key TEXT UNIQUE,
    email_verified BOOLEAN NOT NULL,
    claims TEXT NOT NULL,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    disabled_at BIGINT,
    not_before BIGINT NOT NULL
);

-- The Argon2 hash in PHC form, sealed: the master key is its pepper.
CREATE TABLE passwords (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,
    kek_id TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE browsers (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    -- Whether somebody has ever signed in at it. One that only looked in is soon forgotten.
    known BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
);
CREATE INDEX browsers_last_seen ON browsers (known, last_seen_at);

-- At which browsers a person has signed in before.
CREATE TABLE known_browsers (
    browser_id TEXT NOT NULL REFERENCES browsers (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    since BIGINT NOT NULL,
    PRIMARY KEY (browser_id, user_id)
);
CREATE INDEX known_browsers_user ON known_browsers (user_id);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    cookie_digest TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    browser_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    auth_time BIGINT NOT NULL,
    acr TEXT NOT NULL,
    amr TEXT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    persistent BOOLEAN NOT NULL,
    direct BOOLEAN NOT NULL,
    device TEXT NOT NULL,
    address TEXT NOT NULL,
    ended_at BIGINT,
    reason TEXT
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_browser ON sessions (browser_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- Permits of the throttle. The bucket is an HMAC, so that the table tells no names and no addresses.
CREATE TABLE attempts (
    bucket TEXT NOT NULL PRIMARY KEY,
    taken BIGINT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX attempts_until ON attempts (until);
