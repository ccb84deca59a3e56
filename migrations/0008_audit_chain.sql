-- The chain over the audit: how each row was sealed, and how far the chain goes.

-- The MAC of the row before it; the first has none.
ALTER TABLE audit ADD COLUMN previous TEXT;
-- Which key sealed it: an id that tells nothing of the key.
ALTER TABLE audit ADD COLUMN key_id TEXT;
-- The salted commitment to actor, subject and data. The salt goes when one of them is erased.
ALTER TABLE audit ADD COLUMN salt TEXT;
ALTER TABLE audit ADD COLUMN commitment TEXT;
-- Once something was erased: a MAC over what stands there instead.
ALTER TABLE audit ADD COLUMN erased TEXT;

-- Sealed rows in one index, what waits to be sealed in another: SQLite would look for the latter in the former, and sort it.
DROP INDEX audit_number;
CREATE UNIQUE INDEX audit_number ON audit (number) WHERE number IS NOT NULL;
CREATE INDEX audit_unsealed ON audit (id) WHERE number IS NULL;
-- What the admins look for.
CREATE INDEX audit_subject ON audit (subject, id);
CREATE INDEX audit_actor ON audit (actor, id);

-- The newest sealed row, and the newest one that a checkpoint in the log names. One row, which every sealing moves first.
CREATE TABLE audit_head (
    name TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    mac TEXT NOT NULL,
    checkpoint BIGINT NOT NULL,
    checkpoint_at BIGINT NOT NULL
);
INSERT INTO audit_head (name, number, mac, checkpoint, checkpoint_at) VALUES ('audit', 0, '', 0, 0);
