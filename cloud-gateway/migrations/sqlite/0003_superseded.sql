-- Results that stand in the place of another of the same device: its image was lost there and sent again. This file is frozen:
-- a change is a new migration.

-- results.id of the other; it may come later than this one, or never.
ALTER TABLE results ADD COLUMN supersedes TEXT;
CREATE INDEX results_superseded ON results (supersedes);
