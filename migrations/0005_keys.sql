-- The key ring.

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    activate_at BIGINT NOT NULL,
    retire_at BIGINT,
    changed_at BIGINT NOT NULL,
    public_jwk TEXT NOT NULL,
    private_sealed TEXT,
    kek_id TEXT,
    reason TEXT,
    mac TEXT NOT NULL
);
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (alg) WHERE state = 'active';
