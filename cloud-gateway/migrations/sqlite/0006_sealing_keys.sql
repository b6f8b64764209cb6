-- The gateway's own keys that devices seal to, as far as the database has to know of them. This file is frozen: a change is a new
-- migration.

-- Which of them the device sealed to when it was last heard of: the key's id.
ALTER TABLE devices ADD COLUMN gateway_key TEXT;

-- What a retired key said to each device before it was destroyed: which key comes after it. Sealed to the device, hexadecimal.
CREATE TABLE key_announcements (
    key_id TEXT NOT NULL,
    device TEXT NOT NULL REFERENCES devices (id),
    sealed TEXT NOT NULL,
    PRIMARY KEY (key_id, device)
);
