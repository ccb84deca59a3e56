-- What is replaced when a whole machine was lost.

-- When that was. No session whose person proved who they are before then counts any more.
CREATE TABLE lost_hosts (
    at BIGINT NOT NULL PRIMARY KEY
);

-- When another took its place: nothing new hangs on it.
ALTER TABLE refresh_roots ADD COLUMN ended_at BIGINT;

-- Which key seals the audit. A process that has an older one adds nothing to the chain.
ALTER TABLE audit_head ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
-- Where the chain stood when a key was replaced, under a MAC of the key that took its place: what the former key seals is worth
-- nothing behind that row, and cannot be put in the place of what is before it.
CREATE TABLE audit_turns (
    key_id TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    mac TEXT NOT NULL,
    vouched TEXT NOT NULL
);

-- An app may try the waiting keys of several algorithms. None lasts longer than an hour, so nobody misses those of before.
DROP TABLE key_canaries;
CREATE TABLE key_canaries (
    client_id TEXT NOT NULL,
    kid TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (client_id, kid)
);
CREATE INDEX key_canaries_until ON key_canaries (until);
