-- What is replaced when a whole machine was lost.

-- When another took its place: nothing new hangs on it.
ALTER TABLE refresh_roots ADD COLUMN ended_at BIGINT;

-- Which key seals the audit. A process that has an older one adds nothing to the chain.
ALTER TABLE audit_head ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
