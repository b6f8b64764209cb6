-- What the numbers about the model's quality are made of: a narrow row for each result, so that a million of them are counted
-- without parsing what the devices sent. This file is frozen: a change is a new migration.

CREATE TABLE readings (
    -- What another result stands in the place of has no row here.
    result      TEXT PRIMARY KEY REFERENCES results (id) ON DELETE CASCADE,
    device      TEXT NOT NULL,
    site        TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    stored_at   INTEGER NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('read', 'abstained', 'unreadable')),
    -- Why it was not read; and where it was, by what and how: NULL otherwise.
    reason      TEXT,
    model       TEXT,
    probability REAL,
    -- The probability in whole thousandths, rounded down, 0 to 999: the histograms' finest bin.
    permille    INTEGER,
    positive    INTEGER,
    sex         TEXT NOT NULL,
    age_band    TEXT NOT NULL,
    modality    TEXT NOT NULL,
    view        TEXT NOT NULL,
    photometric TEXT NOT NULL,
    bits_stored TEXT NOT NULL
);
CREATE INDEX readings_by_time ON readings (received_at DESC, result DESC);
CREATE INDEX readings_by_device ON readings (device, received_at DESC, result DESC);
CREATE INDEX readings_by_site ON readings (site, received_at DESC, result DESC);
CREATE INDEX readings_by_model ON readings (device, model, received_at);
CREATE INDEX results_judged ON results (received_at DESC, id DESC) WHERE verdict IS NOT NULL;

INSERT INTO readings (result, device, site, received_at, stored_at, outcome, reason, model, probability, permille, positive,
    sex, age_band, modality, view, photometric, bits_stored)
SELECT id, device, site, received_at, stored_at,
    json_extract(payload, '$.outcome.kind'),
    json_extract(payload, '$.outcome.reason.code'),
    json_extract(payload, '$.outcome.model.id') || '@' || json_extract(payload, '$.outcome.model.version'),
    json_extract(payload, '$.outcome.probability'),
    MIN(CAST(json_extract(payload, '$.outcome.probability') * 1000 AS INTEGER), 999),
    json_extract(payload, '$.outcome.positive'),
    CASE json_extract(payload, '$.facts.sex') WHEN 'F' THEN 'F' WHEN 'M' THEN 'M' WHEN 'O' THEN 'O' ELSE 'unknown' END,
    CASE WHEN json_extract(payload, '$.facts.age_years') IS NULL THEN 'unknown'
         WHEN json_extract(payload, '$.facts.age_years') < 1 THEN 'under 1'
         WHEN json_extract(payload, '$.facts.age_years') <= 5 THEN '1-5'
         WHEN json_extract(payload, '$.facts.age_years') <= 17 THEN '6-17'
         WHEN json_extract(payload, '$.facts.age_years') <= 39 THEN '18-39'
         WHEN json_extract(payload, '$.facts.age_years') <= 64 THEN '40-64'
         WHEN json_extract(payload, '$.facts.age_years') <= 79 THEN '65-79'
         ELSE '80+' END,
    COALESCE(json_extract(payload, '$.facts.modality'), 'unknown'),
    COALESCE(json_extract(payload, '$.facts.view'), 'unknown'),
    COALESCE(json_extract(payload, '$.facts.photometric'), 'unknown'),
    COALESCE(CAST(json_extract(payload, '$.facts.bits_stored') AS TEXT), 'unknown')
FROM results
WHERE NOT EXISTS (SELECT 1 FROM results AS newer WHERE newer.supersedes = results.id)
    -- What this program did not write is not counted, and stops nobody.
    AND json_extract(payload, '$.outcome.kind') IN ('read', 'abstained', 'unreadable');
