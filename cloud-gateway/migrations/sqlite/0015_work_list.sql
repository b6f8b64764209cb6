-- What the work list is sorted by, when each result was reviewed, and the filters that accounts keep. This file is frozen: a
-- change is a new migration.

-- -1 and '' where there is none: a sorting key has to be something.
ALTER TABLE results ADD COLUMN probability REAL NOT NULL DEFAULT -1;
ALTER TABLE results ADD COLUMN age_years INTEGER NOT NULL DEFAULT -1;
-- Id and version, 'pneumonia-cxr@1.0.0'.
ALTER TABLE results ADD COLUMN model TEXT NOT NULL DEFAULT '';
-- When the first verdict that stands was given.
ALTER TABLE results ADD COLUMN reviewed_at INTEGER;
UPDATE results SET
    probability = COALESCE(json_extract(payload, '$.outcome.probability'), -1),
    age_years = COALESCE(json_extract(payload, '$.facts.age_years'), -1),
    model = COALESCE(json_extract(payload, '$.outcome.model.id') || '@' || json_extract(payload, '$.outcome.model.version'), ''),
    reviewed_at = (SELECT MIN(given_at) FROM verdicts WHERE verdicts.result = results.id
        AND NOT EXISTS (SELECT 1 FROM withdrawals WHERE withdrawals.verdict = verdicts.id));

-- Each way of sorting walks one of these, forwards or backwards.
CREATE INDEX results_by_probability ON results (probability DESC, received_at DESC, id DESC);
CREATE INDEX results_by_age ON results (age_years DESC, received_at DESC, id DESC);
CREATE INDEX results_by_site ON results (site, received_at, id);
CREATE INDEX results_by_model ON results (model, received_at, id);
CREATE INDEX results_by_time ON results (received_at, id);
-- What is still to be reviewed, however much was; and the latest reviews of a site.
CREATE INDEX results_to_review ON results (urgency DESC, received_at DESC, id DESC) WHERE verdict IS NULL;
CREATE INDEX results_reviewed ON results (site, reviewed_at DESC) WHERE reviewed_at IS NOT NULL;

CREATE TABLE saved_filters (
    id       TEXT PRIMARY KEY,
    username TEXT NOT NULL REFERENCES users (username),
    name     TEXT NOT NULL,
    -- As in the work list's address: 'finding=positive&sort=age'.
    query    TEXT NOT NULL,
    saved_at INTEGER NOT NULL,
    UNIQUE (username, name)
);
