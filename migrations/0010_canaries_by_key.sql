-- An app may try the waiting keys of several algorithms at once.
ALTER TABLE key_canaries RENAME TO key_canaries_by_client;
DROP INDEX key_canaries_until;
CREATE TABLE key_canaries (
    client_id TEXT NOT NULL,
    kid TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (client_id, kid)
);
INSERT INTO key_canaries (client_id, kid, until) SELECT client_id, kid, until FROM key_canaries_by_client;
DROP TABLE key_canaries_by_client;
CREATE INDEX key_canaries_until ON key_canaries (until);
