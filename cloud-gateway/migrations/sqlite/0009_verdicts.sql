-- Verdicts of four kinds, with a finding, a reason and a region, and their withdrawals. This file is frozen: a change is a new
-- migration.

-- A column's check cannot be changed here, so another column takes its place.
ALTER TABLE results ADD COLUMN wider_verdict TEXT
    CHECK (wider_verdict IN ('agree', 'disagree', 'uncertain', 'unreadable'));
UPDATE results SET wider_verdict = verdict WHERE verdict IS NOT NULL;
ALTER TABLE results DROP COLUMN verdict;
-- The latest verdict that was not withdrawn.
ALTER TABLE results RENAME COLUMN wider_verdict TO verdict;

CREATE TABLE wider_verdicts (
    id       TEXT PRIMARY KEY,
    result   TEXT NOT NULL REFERENCES results (id),
    reviewer TEXT NOT NULL REFERENCES users (username),
    verdict  TEXT NOT NULL CHECK (verdict IN ('agree', 'disagree', 'uncertain', 'unreadable')),
    -- Codes of the gateway's own lists.
    finding  TEXT,
    reason   TEXT,
    note     TEXT,
    -- What was drawn on the stored image, JSON: {"shape":…,"points":[[column,row],…]}.
    region   TEXT,
    -- sessions.token_hash of the session that it was given in; null for those of before.
    given_in TEXT,
    given_at INTEGER NOT NULL
);
INSERT INTO wider_verdicts (id, result, reviewer, verdict, note, given_at)
    SELECT id, result, reviewer, verdict, note, given_at FROM verdicts;
DROP TABLE verdicts;
ALTER TABLE wider_verdicts RENAME TO verdicts;
CREATE INDEX verdicts_of_result ON verdicts (result, given_at DESC);
CREATE TRIGGER verdicts_no_update BEFORE UPDATE ON verdicts BEGIN SELECT RAISE(ABORT, 'verdicts is append-only'); END;
CREATE TRIGGER verdicts_no_delete BEFORE DELETE ON verdicts BEGIN SELECT RAISE(ABORT, 'verdicts is append-only'); END;

-- A verdict that its reviewer took back within the session that she gave it in. Both rows stay.
CREATE TABLE withdrawals (
    verdict      TEXT PRIMARY KEY REFERENCES verdicts (id),
    withdrawn_at INTEGER NOT NULL
);
CREATE TRIGGER withdrawals_no_update BEFORE UPDATE ON withdrawals
    BEGIN SELECT RAISE(ABORT, 'withdrawals is append-only'); END;
CREATE TRIGGER withdrawals_no_delete BEFORE DELETE ON withdrawals
    BEGIN SELECT RAISE(ABORT, 'withdrawals is append-only'); END;
