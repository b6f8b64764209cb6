-- Requests that were sent with an Idempotency-Key, and what they were answered. This file is frozen: a change is a new migration.

CREATE TABLE idempotency_keys (
    username     TEXT NOT NULL REFERENCES users (username),
    -- SHA-256 of the key, hexadecimal.
    key_hash     TEXT NOT NULL,
    -- SHA-256 of method, path and body, hexadecimal.
    request      TEXT NOT NULL,
    begun_at     BIGINT NOT NULL,
    -- Null for as long as nobody knows what became of it.
    status       BIGINT,
    content_type TEXT,
    answer       TEXT,
    PRIMARY KEY (username, key_hash)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (begun_at);
