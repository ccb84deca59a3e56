-- What the processes of one installation share about themselves.

-- One counter for each thing that processes keep in memory; bumped in the transaction that changes the thing.
CREATE TABLE changes (
    name TEXT NOT NULL PRIMARY KEY,
    counter BIGINT NOT NULL
);
INSERT INTO changes (name, counter) VALUES ('clients', 0), ('resources', 0), ('keys', 0);

-- Which process runs which job, until when.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL
);

-- Facts about the installation, one a row: the master key's check value, whether set-up is done, the last tick of the clock.
CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- The one-time link that creates the first admin.
CREATE TABLE setup_links (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE INDEX setup_links_expires ON setup_links (expires_at);

-- Who did what. Inserted in the transaction of the act, numbered and MACed soon after.
CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    data TEXT NOT NULL,
    number BIGINT,
    mac TEXT
);
CREATE UNIQUE INDEX audit_number ON audit (number);
