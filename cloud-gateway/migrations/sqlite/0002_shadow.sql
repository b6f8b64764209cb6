-- Windows of a candidate model's readings beside those of the model in use. This file is frozen: a change is a new migration.

CREATE TABLE shadow_windows (
    device    TEXT NOT NULL REFERENCES devices (id),
    message   TEXT NOT NULL,
    stored_at INTEGER NOT NULL,
    -- The window's last pair.
    to_ms     INTEGER NOT NULL,
    -- wire::v1::ShadowV1 as JSON, as the device sent it.
    payload   TEXT NOT NULL,
    PRIMARY KEY (device, message)
);
CREATE INDEX shadow_windows_by_time ON shadow_windows (device, to_ms DESC);
