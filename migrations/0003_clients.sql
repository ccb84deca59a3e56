-- Relying apps and the APIs they call.

-- Lists of status bits. day: grants whose absolute end falls into that day; NULL: clients, whose list never retires.
CREATE TABLE status_lists (
    id BIGINT NOT NULL PRIMARY KEY,
    day BIGINT,
    capacity BIGINT NOT NULL,
    next_index BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX status_lists_day ON status_lists (day);

CREATE TABLE clients (
    client_id TEXT NOT NULL PRIMARY KEY,
    -- First characters of the digest of client_id: the name of its refresh cookie. Two clients may not share it.
    cookie_tag TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,
    secret_mac TEXT,
    next_secret_mac TEXT,
    status_list BIGINT NOT NULL,
    status_index BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    disabled_at BIGINT,
    not_before BIGINT NOT NULL,
    UNIQUE (status_list, status_index)
);

CREATE TABLE resources (
    identifier TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    introspected_by TEXT NOT NULL,
    access_token_alg TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    disabled_at BIGINT
);

-- A scope belongs to exactly one resource: the key says so.
CREATE TABLE resource_scopes (
    scope TEXT NOT NULL PRIMARY KEY,
    resource TEXT NOT NULL REFERENCES resources (identifier) ON DELETE CASCADE,
    position BIGINT NOT NULL
);
CREATE INDEX resource_scopes_resource ON resource_scopes (resource);

-- Indices that were taken from a living grant or client: their bit stays set until then (NULL: until the list retires).
CREATE TABLE retired_indices (
    status_list BIGINT NOT NULL,
    status_index BIGINT NOT NULL,
    invalid_until BIGINT,
    PRIMARY KEY (status_list, status_index)
);
CREATE INDEX retired_indices_until ON retired_indices (invalid_until);
