-- Second readings: which results have one, how far it is, and which verdict was which reading. This file is frozen: a change is a
-- new migration.

-- NULL for one reading alone; see domain::review::second_reading.
ALTER TABLE results ADD COLUMN second_reading TEXT
    CHECK (second_reading IN ('requested', 'awaiting', 'concordant', 'discordant', 'adjudicated'));
-- Whose verdict the second reader must not see.
ALTER TABLE results ADD COLUMN first_reader TEXT;
CREATE INDEX results_second_reading ON results (second_reading, urgency DESC, received_at DESC, id DESC)
    WHERE second_reading IS NOT NULL;
ALTER TABLE verdicts ADD COLUMN reading TEXT NOT NULL DEFAULT 'first'
    CHECK (reading IN ('first', 'second', 'adjudication'));
CREATE INDEX verdicts_second ON verdicts (given_at DESC, id DESC) WHERE reading = 'second';
