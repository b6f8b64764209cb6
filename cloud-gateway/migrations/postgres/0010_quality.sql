-- What the numbers about the model's quality are made of: a narrow row for each result, so that a million of them are counted
-- without parsing what the devices sent. This file is frozen: a change is a new migration.

CREATE TABLE readings (
    -- What another result stands in the place of has no row here.
    result      TEXT PRIMARY KEY REFERENCES results (id) ON DELETE CASCADE,
    device      TEXT NOT NULL,
    site        TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    stored_at   BIGINT NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('read', 'abstained', 'unreadable')),
    -- Why it was not read; and where it was, by what and how: NULL otherwise.
    reason      TEXT,
    model       TEXT,
    probability DOUBLE PRECISION,
    -- The probability in whole thousandths, rounded down, 0 to 999: the histograms' finest bin.
    permille    BIGINT,
    positive    BIGINT,
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
    said #>> '{outcome,kind}',
    said #>> '{outcome,reason,code}',
    (said #>> '{outcome,model,id}') || '@' || (said #>> '{outcome,model,version}'),
    (said #>> '{outcome,probability}')::DOUBLE PRECISION,
    -- LEAST alone would make 999 of what was not read.
    CASE WHEN (said #>> '{outcome,probability}') IS NOT NULL
         THEN LEAST(FLOOR((said #>> '{outcome,probability}')::DOUBLE PRECISION * 1000), 999)::BIGINT END,
    CASE said #>> '{outcome,positive}' WHEN 'true' THEN 1 WHEN 'false' THEN 0 END,
    CASE said #>> '{facts,sex}' WHEN 'F' THEN 'F' WHEN 'M' THEN 'M' WHEN 'O' THEN 'O' ELSE 'unknown' END,
    CASE WHEN (said #>> '{facts,age_years}') IS NULL THEN 'unknown'
         WHEN (said #>> '{facts,age_years}')::INTEGER < 1 THEN 'under 1'
         WHEN (said #>> '{facts,age_years}')::INTEGER <= 5 THEN '1-5'
         WHEN (said #>> '{facts,age_years}')::INTEGER <= 17 THEN '6-17'
         WHEN (said #>> '{facts,age_years}')::INTEGER <= 39 THEN '18-39'
         WHEN (said #>> '{facts,age_years}')::INTEGER <= 64 THEN '40-64'
         WHEN (said #>> '{facts,age_years}')::INTEGER <= 79 THEN '65-79'
         ELSE '80+' END,
    COALESCE(said #>> '{facts,modality}', 'unknown'),
    COALESCE(said #>> '{facts,view}', 'unknown'),
    COALESCE(said #>> '{facts,photometric}', 'unknown'),
    COALESCE(said #>> '{facts,bits_stored}', 'unknown')
FROM (SELECT results.*, payload::JSON AS said FROM results
      WHERE NOT EXISTS (SELECT 1 FROM results AS newer WHERE newer.supersedes = results.id)) AS stored
-- What this program did not write is not counted, and stops nobody.
WHERE said #>> '{outcome,kind}' IN ('read', 'abstained', 'unreadable');
