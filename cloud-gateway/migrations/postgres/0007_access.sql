-- Six roles instead of three, the sites that each account sees, and accounts that are switched off. This file is frozen: a
-- change is a new migration.

ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN
    ('reviewer', 'lead_reviewer', 'fleet_operator', 'site_technician', 'auditor', 'administrator'));
-- Since when nobody can sign in with it.
ALTER TABLE users ADD COLUMN disabled_at BIGINT;

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
