-- Who was seen to have which keys, and what follows from it.

-- What stood in each key set that was ever served, by its ETag: names of keys, parted by blanks.
CREATE TABLE key_sets (
    etag TEXT NOT NULL PRIMARY KEY,
    kids TEXT NOT NULL,
    first_at BIGINT NOT NULL
);

-- Who fetched which set. app: who it says it is, or whose address it is ('' where nobody knows); it counts only from an address
-- that the app has authenticated from. origin: the address where an app is named, else the network and what the program is called.
CREATE TABLE key_sightings (
    app TEXT NOT NULL,
    origin TEXT NOT NULL,
    agent TEXT NOT NULL,
    etag TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    times BIGINT NOT NULL,
    PRIMARY KEY (app, origin, agent, etag)
);
CREATE INDEX key_sightings_last ON key_sightings (last_at);

-- Where apps have authenticated from.
CREATE TABLE app_addresses (
    client_id TEXT NOT NULL,
    address TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, address)
);
CREATE INDEX app_addresses_last ON app_addresses (last_at);

-- Apps whose tokens are signed with the key that waits, for a while.
CREATE TABLE key_canaries (
    client_id TEXT NOT NULL PRIMARY KEY,
    kid TEXT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX key_canaries_until ON key_canaries (until);
