-- What lets the master key be turned: a MAC root of its own, and who holds which master key.

-- What all MAC keys are drawn from, sealed, so that MACs outlive the master key. One counts; ended ones still check what was
-- made under them.
CREATE TABLE mac_roots (
    id TEXT NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL,
    kek_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE UNIQUE INDEX mac_roots_current ON mac_roots ((ended_at IS NULL)) WHERE ended_at IS NULL;

-- The processes that serve, which master keys each holds, and which of them it seals with.
CREATE TABLE nodes (
    process TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    kek_ids TEXT NOT NULL,
    seals_with TEXT NOT NULL,
    seen_at BIGINT NOT NULL
);
CREATE INDEX nodes_seen ON nodes (seen_at);

-- There are as many passwords as people, so what is left under a former master key is found by this.
CREATE INDEX passwords_kek ON passwords (kek_id, user_id);
