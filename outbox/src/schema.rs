//! The tables, as a list of steps that are only ever appended to. It never touches rows.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::OutboxError;

/// Step n brings `user_version` from n to n + 1.
const STEPS: [&str; 11] = [
    "
    CREATE TABLE instance (
        id            INTEGER PRIMARY KEY,
        sop_instance  TEXT    NOT NULL,
        digest        BLOB    NOT NULL CHECK (length(digest) = 32),
        file          TEXT,
        source        TEXT    NOT NULL,
        received_ms   INTEGER NOT NULL,
        receive_ms    REAL    NOT NULL,
        traceparent   TEXT,
        state         TEXT    NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'concluded', 'receipted')),
        attempts      INTEGER NOT NULL DEFAULT 0,
        result        BLOB    CHECK (length(result) = 16),
        UNIQUE (sop_instance, digest)
    ) STRICT;
    CREATE INDEX instance_unread    ON instance (id)     WHERE state = 'accepted';
    CREATE INDEX instance_result    ON instance (result) WHERE result IS NOT NULL;
    CREATE INDEX instance_receipted ON instance (id)     WHERE state = 'receipted' AND file IS NOT NULL;

    CREATE TABLE message (
        sequence       INTEGER PRIMARY KEY AUTOINCREMENT,
        id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
        kind           TEXT    NOT NULL,
        priority       INTEGER NOT NULL CHECK (priority IN (0, 1, 2)),
        created_ms     INTEGER NOT NULL,
        traceparent    TEXT,
        payload        BLOB    NOT NULL,
        state          TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'leased', 'rejected')),
        lease_ends_ms  INTEGER,
        attempts       INTEGER NOT NULL DEFAULT 0,
        reason         TEXT
    ) STRICT;
    CREATE INDEX message_by_priority ON message (priority, sequence) WHERE state = 'pending';
    CREATE INDEX message_by_age      ON message (sequence)           WHERE state = 'pending';
    CREATE INDEX message_leased      ON message (lease_ends_ms)      WHERE state = 'leased';
    CREATE INDEX message_rejected    ON message (sequence)           WHERE state = 'rejected';
",
    // Counting and looking up must not walk a table that never shrinks, nor the pages of megabyte payloads.
    "
    CREATE INDEX message_levels      ON message (state, created_ms);
    CREATE INDEX instance_levels     ON instance (state);
    CREATE INDEX instance_file       ON instance (file)              WHERE file IS NOT NULL;
",
    // Rows from before this step don't say it.
    "
    ALTER TABLE instance ADD COLUMN sop_class TEXT;
",
    "
    CREATE TABLE commitment (
        id              INTEGER PRIMARY KEY AUTOINCREMENT,
        transaction_uid TEXT    NOT NULL,
        scanner         TEXT    NOT NULL,
        called          TEXT    NOT NULL,
        asked           TEXT    NOT NULL,
        asked_ms        INTEGER NOT NULL,
        due_ms          INTEGER NOT NULL,
        attempts        INTEGER NOT NULL DEFAULT 0,
        UNIQUE (scanner, transaction_uid)
    ) STRICT;
    CREATE INDEX commitment_due ON commitment (due_ms);
",
    // Payloads of megabytes lie apart from the states that change.
    "
    CREATE TABLE report (
        id        INTEGER PRIMARY KEY,
        instance  INTEGER NOT NULL REFERENCES instance (id),
        payload   BLOB    NOT NULL
    ) STRICT;
    CREATE TABLE delivery (
        id               INTEGER PRIMARY KEY,
        report           INTEGER NOT NULL REFERENCES report (id),
        destination      TEXT    NOT NULL,
        object           TEXT    NOT NULL,
        sop_instance     TEXT,
        priority         INTEGER NOT NULL CHECK (priority IN (0, 1, 2)),
        state            TEXT    NOT NULL DEFAULT 'waiting'
            CHECK (state IN ('waiting', 'sent', 'delivered', 'committed', 'refused', 'unconfirmed')),
        created_ms       INTEGER NOT NULL,
        changed_ms       INTEGER NOT NULL,
        due_ms           INTEGER NOT NULL DEFAULT 0,
        attempts         INTEGER NOT NULL DEFAULT 0,
        asks             INTEGER NOT NULL DEFAULT 0,
        transaction_uid  TEXT,
        reason           TEXT,
        UNIQUE (report, destination, object)
    ) STRICT;
    CREATE INDEX delivery_due     ON delivery (destination, state, priority, id);
    CREATE INDEX delivery_asked   ON delivery (transaction_uid) WHERE transaction_uid IS NOT NULL;
    CREATE INDEX delivery_trouble ON delivery (state, changed_ms) WHERE reason IS NOT NULL;
",
    // What people on site are told of each image, and who asked whose it is.
    "
    CREATE TABLE ledger (
        instance      INTEGER PRIMARY KEY REFERENCES instance (id),
        concluded_ms  INTEGER NOT NULL,
        study         TEXT    NOT NULL,
        object        TEXT    NOT NULL,
        patient       TEXT    NOT NULL,
        status        TEXT    NOT NULL CHECK (status IN ('read', 'abstained', 'unreadable')),
        detail        TEXT    NOT NULL,
        total_ms      REAL    NOT NULL,
        identity      BLOB
    ) STRICT;
    CREATE INDEX ledger_time    ON ledger (concluded_ms, status, detail);
    CREATE INDEX ledger_study   ON ledger (study);
    CREATE INDEX ledger_object  ON ledger (object);
    CREATE INDEX ledger_patient ON ledger (patient);
    CREATE TABLE access (
        id         INTEGER PRIMARY KEY,
        at_ms      INTEGER NOT NULL,
        who        TEXT    NOT NULL,
        pseudonym  TEXT    NOT NULL,
        hits       INTEGER NOT NULL
    ) STRICT;
",
    // Results that tell of a file which the device lost: the image may come again, and its row is opened for it. While it is
    // open again, `result` is the one that the next result replaces.
    "
    ALTER TABLE instance ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0 CHECK (wanted IN (0, 1));
    UPDATE instance SET wanted = 1 WHERE state <> 'accepted' AND id IN
        (SELECT instance FROM ledger WHERE status = 'unreadable'
         AND detail IN ('file_not_found', 'file_damaged', 'reader_crashed'));
    CREATE INDEX instance_live ON instance (received_ms) WHERE state = 'accepted';
",
    // Who is read first; what came before this step came in its turn.
    "
    ALTER TABLE instance ADD COLUMN rank INTEGER NOT NULL DEFAULT 2 CHECK (rank IN (0, 1, 2, 3));
    CREATE INDEX instance_by_rank ON instance (rank, id) WHERE state = 'accepted';
",
    // Payloads lie apart from the states that change. `place` is where a message stands in line. `turn` counts what was ever leased, so that the oldest's share is kept across a restart.
    "
    CREATE TABLE payload (
        message  INTEGER PRIMARY KEY REFERENCES message (sequence),
        bytes    BLOB    NOT NULL
    ) STRICT;
    INSERT INTO payload (message, bytes) SELECT sequence, payload FROM message ORDER BY sequence;
    ALTER TABLE message DROP COLUMN payload;
    ALTER TABLE message ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
    UPDATE message SET place = sequence;
    CREATE UNIQUE INDEX message_place ON message (place);
    DROP INDEX message_by_priority;
    DROP INDEX message_by_age;
    CREATE INDEX message_by_priority ON message (priority, place) WHERE state = 'pending';
    CREATE INDEX message_by_age      ON message (place)           WHERE state = 'pending';
    CREATE TABLE turn (
        id      INTEGER PRIMARY KEY CHECK (id = 0),
        leased  INTEGER NOT NULL
    ) STRICT;
    INSERT INTO turn (id, leased) VALUES (0, 0);
",
    // How many rows are in which state, kept by the database itself in the transaction that changes them, so that asking costs
    // the same at any size. Leasing changes none of them.
    "
    CREATE TABLE level (
        what   TEXT    PRIMARY KEY,
        count  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO level (what, count) VALUES
        ('waiting',   (SELECT count(*) FROM message WHERE state <> 'rejected')),
        ('rejected',  (SELECT count(*) FROM message WHERE state = 'rejected')),
        ('accepted',  (SELECT count(*) FROM instance WHERE state = 'accepted')),
        ('concluded', (SELECT count(*) FROM instance WHERE state = 'concluded')),
        ('receipted', (SELECT count(*) FROM instance WHERE state = 'receipted'));
    CREATE TRIGGER message_written AFTER INSERT ON message BEGIN
        UPDATE level SET count = count + 1 WHERE what = iif(NEW.state = 'rejected', 'rejected', 'waiting');
    END;
    CREATE TRIGGER message_gone AFTER DELETE ON message BEGIN
        UPDATE level SET count = count - 1 WHERE what = iif(OLD.state = 'rejected', 'rejected', 'waiting');
    END;
    CREATE TRIGGER message_judged AFTER UPDATE OF state ON message
        WHEN (OLD.state = 'rejected') <> (NEW.state = 'rejected') BEGIN
        UPDATE level SET count = count - 1 WHERE what = iif(OLD.state = 'rejected', 'rejected', 'waiting');
        UPDATE level SET count = count + 1 WHERE what = iif(NEW.state = 'rejected', 'rejected', 'waiting');
    END;
    CREATE TRIGGER instance_written AFTER INSERT ON instance BEGIN
        UPDATE level SET count = count + 1 WHERE what = NEW.state;
    END;
    CREATE TRIGGER instance_gone AFTER DELETE ON instance BEGIN
        UPDATE level SET count = count - 1 WHERE what = OLD.state;
    END;
    CREATE TRIGGER instance_moved AFTER UPDATE OF state ON instance WHEN OLD.state <> NEW.state BEGIN
        UPDATE level SET count = count - 1 WHERE what = OLD.state;
        UPDATE level SET count = count + 1 WHERE what = NEW.state;
    END;
    DROP INDEX instance_levels;
    CREATE INDEX instance_old    ON instance (received_ms) WHERE state = 'receipted' AND file IS NULL AND wanted = 0;
    CREATE INDEX report_instance ON report (instance);
",
    // What the cloud refused lies apart from what waits, so that each index has only rows that somebody will lease, and the first
    // row is the oldest. A place is drawn from the counter that numbers the messages; see `outbox/src/lease.rs`. The conditions
    // are no lists: for `IN` with three values or more, SQLite makes and drops a table with each row that it writes.
    "
    ALTER TABLE message RENAME TO message_before;
    ALTER TABLE payload RENAME TO payload_before;
    CREATE TABLE message (
        sequence       INTEGER PRIMARY KEY AUTOINCREMENT,
        id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
        kind           TEXT    NOT NULL,
        priority       INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
        place          INTEGER NOT NULL,
        created_ms     INTEGER NOT NULL,
        traceparent    TEXT,
        state          TEXT    NOT NULL DEFAULT 'pending' CHECK (state = 'pending' OR state = 'leased'),
        lease_ends_ms  INTEGER,
        attempts       INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE payload (
        message  INTEGER PRIMARY KEY REFERENCES message (sequence),
        bytes    BLOB    NOT NULL
    ) STRICT;
    CREATE TABLE rejected (
        sequence     INTEGER PRIMARY KEY,
        id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
        kind         TEXT    NOT NULL,
        priority     INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
        place        INTEGER NOT NULL,
        created_ms   INTEGER NOT NULL,
        traceparent  TEXT,
        attempts     INTEGER NOT NULL,
        reason       TEXT    NOT NULL,
        payload      BLOB    NOT NULL
    ) STRICT;
    INSERT INTO message
        SELECT sequence, id, kind, priority, place, created_ms, traceparent, state, lease_ends_ms, attempts
        FROM message_before WHERE state <> 'rejected' ORDER BY sequence;
    INSERT INTO payload SELECT * FROM payload_before WHERE message IN (SELECT sequence FROM message) ORDER BY message;
    INSERT INTO rejected
        SELECT sequence, id, kind, priority, place, created_ms, traceparent, attempts, coalesce(reason, ''), coalesce(bytes, x'')
        FROM message_before LEFT JOIN payload_before ON message = sequence WHERE state = 'rejected';
    INSERT INTO sqlite_sequence (name, seq)
        SELECT 'message', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'message');
    UPDATE sqlite_sequence SET seq = (SELECT max(seq) FROM (
            SELECT seq FROM sqlite_sequence WHERE name = 'message_before'
            UNION ALL SELECT max(place) FROM message UNION ALL SELECT max(place) FROM rejected UNION ALL SELECT 0))
        WHERE name = 'message';
    DROP TABLE payload_before;
    DROP TABLE message_before;
    CREATE INDEX message_line   ON message (priority, place) WHERE state = 'pending';
    CREATE INDEX message_leased ON message (lease_ends_ms)   WHERE state = 'leased';
    CREATE TRIGGER message_written AFTER INSERT ON message BEGIN
        UPDATE level SET count = count + 1 WHERE what = 'waiting';
    END;
    CREATE TRIGGER message_gone AFTER DELETE ON message BEGIN
        UPDATE level SET count = count - 1 WHERE what = 'waiting';
    END;
    CREATE TRIGGER rejected_kept AFTER INSERT ON rejected BEGIN
        UPDATE level SET count = count + 1 WHERE what = 'rejected';
    END;
    CREATE TRIGGER rejected_gone AFTER DELETE ON rejected BEGIN
        UPDATE level SET count = count - 1 WHERE what = 'rejected';
    END;
",
];

/// Runs the steps that the file has not seen, all or none.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OutboxError> {
    migrate_to(connection, path, STEPS.len())
}

/// Not further than that: for rows that an earlier release wrote.
pub(crate) fn migrate_to(connection: &mut Connection, path: &Path, wanted: usize) -> Result<(), OutboxError> {
    let open = |source| OutboxError::Open { path: path.to_owned(), source };
    // Immediate: the appliance and the sync-agent may start at the same moment on a new file.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(open)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(open)?;
    let known = STEPS.len() as i64;
    let done = usize::try_from(found).ok().filter(|done| *done <= STEPS.len());
    let done = done.ok_or_else(|| OutboxError::Newer { path: path.to_owned(), found, known })?;
    let steps = STEPS.get(done..wanted.min(STEPS.len())).unwrap_or_default();
    for step in steps {
        transaction.execute_batch(step).map_err(open)?;
    }
    transaction.pragma_update(None, "user_version", found + steps.len() as i64).map_err(open)?;
    transaction.commit().map_err(open)
}
