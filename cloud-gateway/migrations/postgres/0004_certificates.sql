-- Every certificate that a device was given, the tokens that a first one is had for, and the list of those that count
-- no more. This file is frozen: a change is a new migration.

CREATE TABLE certificates (
    -- SHA-256 of the certificate, hexadecimal.
    fingerprint TEXT PRIMARY KEY,
    device      TEXT NOT NULL REFERENCES devices (id),
    -- Hexadecimal; empty where it was signed before this table and nobody knows: such a one can be on no list.
    serial      TEXT NOT NULL,
    issued_at   BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    revoked_at  BIGINT,
    reason      TEXT
);
CREATE INDEX certificates_by_device ON certificates (device, issued_at DESC);
CREATE INDEX certificates_revoked ON certificates (revoked_at);
-- 90 days in milliseconds: what every certificate was good for until now.
INSERT INTO certificates (fingerprint, device, serial, issued_at, expires_at)
    SELECT certificate_fingerprint, id, '', enrolled_at, enrolled_at + 7776000000 FROM devices;

-- Both or neither: a device that is refused, since when and why.
ALTER TABLE devices ADD COLUMN revoked_at BIGINT;
ALTER TABLE devices ADD COLUMN revoked_reason TEXT;

-- What lets a device ask for its first certificate. The token itself is only on the technician's paper.
CREATE TABLE claims (
    token_hash TEXT PRIMARY KEY,
    device     TEXT NOT NULL,
    site       TEXT NOT NULL,
    -- 1 where it takes back a revocation.
    reinstate  BIGINT NOT NULL,
    made_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    -- SHA-256 of the public key that used it, hexadecimal.
    used_by    TEXT
);

-- The newest list, DER in hexadecimal. Its row's lock puts those who sign a new one in line.
CREATE TABLE revocation_list (
    only_row  BIGINT PRIMARY KEY CHECK (only_row = 1),
    number    BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    der       TEXT NOT NULL
);
INSERT INTO revocation_list (only_row, number, issued_at, der) VALUES (1, 0, 0, '');
