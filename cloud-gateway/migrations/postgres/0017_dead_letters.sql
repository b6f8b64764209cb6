-- The latest refusals first, for the page that lists them. This file is frozen: a change is a new migration.

CREATE INDEX refused_messages_latest ON refused_messages (last_at DESC, fingerprint DESC);
