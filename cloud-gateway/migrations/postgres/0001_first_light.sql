-- Everything the gateway knows. Times are milliseconds since the Unix epoch, UTC; JSON is text, so that one SQL text
-- serves SQLite and PostgreSQL alike. This file is frozen: a change is a new migration.

CREATE TABLE devices (
    id                      TEXT PRIMARY KEY,
    site                    TEXT NOT NULL,
    sealing_key             TEXT NOT NULL,
    certificate_fingerprint TEXT NOT NULL,
    enrolled_at             BIGINT NOT NULL,
    last_seen_at            BIGINT,
    telemetry_at            BIGINT,
    queue_depth             BIGINT,
    oldest_ms               BIGINT,
    rejected                BIGINT,
    sync_agent_version      TEXT
);

-- One row per message ever stored, whatever its kind: what makes a replay harmless.
CREATE TABLE messages (
    device    TEXT NOT NULL REFERENCES devices (id),
    message   TEXT NOT NULL,
    kind      TEXT NOT NULL,
    stored_at BIGINT NOT NULL,
    PRIMARY KEY (device, message)
);

CREATE TABLE results (
    id          TEXT PRIMARY KEY,
    device      TEXT NOT NULL REFERENCES devices (id),
    message     TEXT NOT NULL,
    site        TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    stored_at   BIGINT NOT NULL,
    finding     TEXT CHECK (finding IN ('positive', 'negative')),
    -- The probability of a positive finding that nobody has reviewed, else -1: the work list's first sorting key.
    urgency     DOUBLE PRECISION NOT NULL,
    -- The latest verdict and how many there are: what the work list filters by without a join.
    verdict     TEXT CHECK (verdict IN ('agree', 'disagree')),
    verdicts    BIGINT NOT NULL DEFAULT 0,
    -- wire::v1::ResultV1 as JSON, as the device sent it.
    payload     TEXT NOT NULL,
    UNIQUE (device, message)
);
CREATE INDEX results_work_list ON results (urgency DESC, received_at DESC, id DESC);
CREATE INDEX results_by_device ON results (device, received_at DESC);

-- No reference to results: an image may arrive before its result.
CREATE TABLE images (
    result           TEXT PRIMARY KEY,
    device           TEXT NOT NULL REFERENCES devices (id),
    message          TEXT NOT NULL,
    stored_at        BIGINT NOT NULL,
    image_rows       BIGINT NOT NULL,
    image_columns    BIGINT NOT NULL,
    sample_offset    BIGINT NOT NULL,
    inverted         BIGINT NOT NULL,
    voi              TEXT NOT NULL,
    saliency_rows    BIGINT,
    saliency_columns BIGINT,
    -- The stem of its names in the object store.
    object           TEXT NOT NULL
);

CREATE TABLE users (
    username      TEXT PRIMARY KEY,
    display_name  TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('reviewer', 'auditor', 'administrator')),
    password_hash TEXT NOT NULL,
    created_at    BIGINT NOT NULL
);

-- The token itself is only in the browser.
CREATE TABLE sessions (
    token_hash   TEXT PRIMARY KEY,
    username     TEXT NOT NULL REFERENCES users (username),
    opened_at    BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

CREATE TABLE verdicts (
    id       TEXT PRIMARY KEY,
    result   TEXT NOT NULL REFERENCES results (id),
    reviewer TEXT NOT NULL REFERENCES users (username),
    verdict  TEXT NOT NULL CHECK (verdict IN ('agree', 'disagree')),
    note     TEXT,
    given_at BIGINT NOT NULL
);
CREATE INDEX verdicts_of_result ON verdicts (result, given_at DESC);

-- What was refused and why. The same bytes on the same topic are one row, however often they come.
CREATE TABLE refused_messages (
    fingerprint TEXT PRIMARY KEY,
    device      TEXT,
    message     TEXT,
    reason      TEXT NOT NULL,
    words       TEXT NOT NULL,
    first_at    BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    times       BIGINT NOT NULL
);

CREATE TABLE audit (
    sequence BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    detail   TEXT NOT NULL,
    hash     TEXT NOT NULL
);

-- The end of the chain. Its row's lock puts concurrent writers in line, and its hash shows a cut-off tail.
CREATE TABLE audit_head (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    sequence BIGINT NOT NULL,
    hash     TEXT NOT NULL
);
INSERT INTO audit_head (only_row, sequence, hash) VALUES (1, 0, '');

-- Append-only, for everyone who has not the right to drop a trigger; the chain of hashes shows it where someone has.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER verdicts_append_only BEFORE UPDATE OR DELETE ON verdicts FOR EACH ROW EXECUTE FUNCTION refuse_change();
