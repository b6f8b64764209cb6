-- Verdicts of four kinds, with a finding, a reason and a region, and their withdrawals. This file is frozen: a change is a new
-- migration.

-- results.verdict is the latest verdict that was not withdrawn.
ALTER TABLE results DROP CONSTRAINT results_verdict_check;
ALTER TABLE results ADD CONSTRAINT results_verdict_check
    CHECK (verdict IN ('agree', 'disagree', 'uncertain', 'unreadable'));
ALTER TABLE verdicts DROP CONSTRAINT verdicts_verdict_check;
ALTER TABLE verdicts ADD CONSTRAINT verdicts_verdict_check
    CHECK (verdict IN ('agree', 'disagree', 'uncertain', 'unreadable'));
-- Codes of the gateway's own lists.
ALTER TABLE verdicts ADD COLUMN finding TEXT;
ALTER TABLE verdicts ADD COLUMN reason TEXT;
-- What was drawn on the stored image, JSON: {"shape":…,"points":[[column,row],…]}.
ALTER TABLE verdicts ADD COLUMN region TEXT;
-- sessions.token_hash of the session that it was given in; null for those of before.
ALTER TABLE verdicts ADD COLUMN given_in TEXT;

-- A verdict that its reviewer took back within the session that she gave it in. Both rows stay.
CREATE TABLE withdrawals (
    verdict      TEXT PRIMARY KEY REFERENCES verdicts (id),
    withdrawn_at BIGINT NOT NULL
);
CREATE TRIGGER withdrawals_append_only BEFORE UPDATE OR DELETE ON withdrawals
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
