-- A second factor for each account that has one, and the codes that stand in for it. This file is frozen: a change is a new
-- migration.

CREATE TABLE second_factors (
    username     TEXT PRIMARY KEY REFERENCES users (username),
    -- Sealed to the gateway's key, hexadecimal.
    secret       TEXT NOT NULL,
    -- Null while it is being set up: it is not asked for yet.
    confirmed_at BIGINT,
    -- The last step of 30 s whose code was taken; no code is taken twice.
    last_step    BIGINT NOT NULL
);

-- Each is good once: using it deletes its row.
CREATE TABLE recovery_codes (
    username  TEXT NOT NULL REFERENCES users (username),
    code_hash TEXT NOT NULL,
    PRIMARY KEY (username, code_hash)
);
