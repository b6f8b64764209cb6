//! Reports of storage commitment that scanners are owed, and what the journal holds of what they ask about. A request is
//! durable before it is answered, so that its report survives a restart.

use rusqlite::params;

use crate::{LONGEST_PAUSE_MS, Outbox, OutboxError};

/// Position of a request, in the order of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommitmentId(pub i64);

/// A request for storage commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Transaction UID, of the scanner's making.
    pub transaction: String,
    /// AE title of the scanner, which the report goes to.
    pub scanner: String,
    /// AE title that it called, under which it is answered.
    pub called: String,
    /// SOP Class and SOP Instance UID of each object that is asked about.
    pub asked: Vec<(String, String)>,
    /// When it came, milliseconds since the Unix epoch.
    pub asked_ms: i64,
}

/// A report that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedReport {
    /// Its row.
    pub id: CommitmentId,
    /// What was asked.
    pub commitment: Commitment,
    /// Deliveries that failed so far.
    pub attempts: u32,
}

/// A file that the journal names for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// SOP Class UID that the object was stored under; `None` where an earlier release did not note it.
    pub sop_class: Option<String>,
    /// File name inside the spool.
    pub file: String,
}

impl Outbox {
    /// Notes a request; its report is owed from now on. The same transaction of the same scanner once more takes the place
    /// of the first.
    ///
    /// # Errors
    /// [`OutboxError::Full`] and the like: the scanner must then be refused.
    pub fn ask_commitment(&mut self, new: &Commitment) -> Result<CommitmentId, OutboxError> {
        self.connection
            .prepare_cached(
                "INSERT INTO commitment (transaction_uid, scanner, called, asked, asked_ms, due_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                 ON CONFLICT (scanner, transaction_uid) DO UPDATE SET
                     called = excluded.called, asked = excluded.asked, asked_ms = excluded.asked_ms,
                     due_ms = excluded.due_ms, attempts = 0
                 RETURNING id",
            )
            .and_then(|mut insert| {
                let asked = written(&new.asked);
                insert.query_row(params![new.transaction, new.scanner, new.called, asked, new.asked_ms], |row| {
                    Ok(CommitmentId(row.get(0)?))
                })
            })
            .map_err(OutboxError::statement("journal a request for storage commitment"))
    }

    /// Reports that are due, oldest first.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn owed_reports(&self, now_ms: i64, limit: u32) -> Result<Vec<OwedReport>, OutboxError> {
        let sql = OutboxError::statement("list the reports of storage commitment");
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT id, transaction_uid, scanner, called, asked, asked_ms, attempts FROM commitment
                 WHERE due_ms <= ?1 OR due_ms > ?3 ORDER BY due_ms, id LIMIT ?2",
            )
            .map_err(&sql)?;
        let found = rows
            .query_map(params![now_ms, limit, now_ms.saturating_add(LONGEST_PAUSE_MS)], |row| {
                Ok(OwedReport {
                    id: CommitmentId(row.get(0)?),
                    commitment: Commitment {
                        transaction: row.get(1)?,
                        scanner: row.get(2)?,
                        called: row.get(3)?,
                        asked: read(&row.get::<_, String>(4)?),
                        asked_ms: row.get(5)?,
                    },
                    attempts: row.get(6)?,
                })
            })
            .map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// How many reports are owed.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn owed_report_count(&self) -> Result<u64, OutboxError> {
        self.connection
            .query_row("SELECT count(*) FROM commitment", [], |row| row.get(0))
            .map_err(OutboxError::statement("count the reports of storage commitment"))
    }

    /// Notes that a delivery failed; the report is due again at `due_ms`.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn postpone_report(&mut self, id: CommitmentId, due_ms: i64) -> Result<(), OutboxError> {
        self.connection
            .execute("UPDATE commitment SET attempts = attempts + 1, due_ms = ?2 WHERE id = ?1", params![id.0, due_ms])
            .map(drop)
            .map_err(OutboxError::statement("postpone a report of storage commitment"))
    }

    /// Notes that nothing is owed any more.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn settle_report(&mut self, id: CommitmentId) -> Result<(), OutboxError> {
        self.connection
            .execute("DELETE FROM commitment WHERE id = ?1", [id.0])
            .map(drop)
            .map_err(OutboxError::statement("settle a report of storage commitment"))
    }

    /// The files that the journal names for a SOP instance: more than one where different objects came under one UID.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn holdings(&self, sop_instance: &str) -> Result<Vec<Holding>, OutboxError> {
        let sql = OutboxError::statement("look an image up");
        let mut rows = self
            .connection
            .prepare_cached("SELECT sop_class, file FROM instance WHERE sop_instance = ?1 AND file IS NOT NULL")
            .map_err(&sql)?;
        let holding = |row: &rusqlite::Row<'_>| Ok(Holding { sop_class: row.get(0)?, file: row.get(1)? });
        let found = rows.query_map([sop_instance], holding).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }
}

/// One line for each object, class and instance apart by a space: UIDs have digits and dots only.
fn written(asked: &[(String, String)]) -> String {
    asked.iter().map(|(class, instance)| format!("{class} {instance}\n")).collect()
}

fn read(asked: &str) -> Vec<(String, String)> {
    let pairs = asked.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(class, instance)| (class.to_owned(), instance.to_owned())).collect()
}
