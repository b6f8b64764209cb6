-- Keys with which programs ask. This file is frozen: a change is a new migration.

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    -- The key itself is only where it is used.
    key_hash     TEXT NOT NULL UNIQUE,
    -- A JSON list of what it may do.
    acts         TEXT NOT NULL,
    -- A username, or `operator` for the command line.
    made_by      TEXT NOT NULL,
    made_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

-- '*' is every site, as in user_sites.
CREATE TABLE api_key_sites (
    key_id TEXT NOT NULL REFERENCES api_keys (id),
    site   TEXT NOT NULL,
    PRIMARY KEY (key_id, site)
);
