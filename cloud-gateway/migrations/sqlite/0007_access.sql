-- Six roles instead of three, the sites that each account sees, and accounts that are switched off. This file is frozen: a
-- change is a new migration.

-- A column's check cannot be changed here, so another column takes its place; every account is made with a role of its own.
ALTER TABLE users ADD COLUMN wider_role TEXT NOT NULL DEFAULT 'site_technician' CHECK (wider_role IN
    ('reviewer', 'lead_reviewer', 'fleet_operator', 'site_technician', 'auditor', 'administrator'));
UPDATE users SET wider_role = role;
ALTER TABLE users DROP COLUMN role;
ALTER TABLE users RENAME COLUMN wider_role TO role;
-- Since when nobody can sign in with it.
ALTER TABLE users ADD COLUMN disabled_at INTEGER;

-- '*' is every site, those of tomorrow too; without a row an account sees none.
CREATE TABLE user_sites (
    username TEXT NOT NULL REFERENCES users (username),
    site     TEXT NOT NULL,
    PRIMARY KEY (username, site)
);
-- Whoever was here before sites counted goes on seeing what he saw.
INSERT INTO user_sites (username, site) SELECT username, '*' FROM users;

-- What a page of one site's results walks, and what tells whose a name in the audit trail is.
CREATE INDEX results_of_site ON results (site, urgency DESC, received_at DESC, id DESC);
CREATE INDEX claims_by_device ON claims (device);
