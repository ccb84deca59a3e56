-- Sign-ins at apps behind a proxy that asks us (forward-auth).

-- Somebody signed in at an app. It is worth what its grant is worth, so nothing here is ever ended.
CREATE TABLE gateway_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    host TEXT NOT NULL,
    grant_id TEXT NOT NULL UNIQUE REFERENCES grants (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
);

-- A sign-in on its way: at which app, in which browser, and where the person wanted to go. Gone with its first use.
CREATE TABLE gateway_flows (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    browser TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX gateway_flows_expires ON gateway_flows (expires_at);
