//! How much waits, and how many images are where. The counts are rows that the database keeps itself, by triggers, in the very
//! transactions that change them: asking costs the same with a million rows as with none. Nothing else writes them.

use rusqlite::Row;

use crate::{Outbox, OutboxError};

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages without a receipt, leased ones included.
    pub waiting: u64,
    /// When the first of them was written, milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// Messages that the gateway rejected.
    pub rejected: u64,
}

/// How many instances are in which state. Those that were forgotten ([`Outbox::forget_instances`]) count no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalCounts {
    /// Acknowledged, not yet read.
    pub accepted: u64,
    /// Read, result not yet receipted.
    pub concluded: u64,
    /// In the cloud.
    pub receipted: u64,
}

impl Outbox {
    /// How much waits, and since when.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn depth(&self) -> Result<Depth, OutboxError> {
        let depth = |row: &Row<'_>| Ok(Depth { waiting: row.get(0)?, rejected: row.get(1)?, oldest_ms: row.get(2)? });
        self.connection
            .prepare_cached(DEPTH)
            .and_then(|mut row| row.query_row([], depth))
            .map_err(OutboxError::statement("measure the outbox"))
    }

    /// How many instances are in which state.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn journal_counts(&self) -> Result<JournalCounts, OutboxError> {
        let counts =
            |row: &Row<'_>| Ok(JournalCounts { accepted: row.get(0)?, concluded: row.get(1)?, receipted: row.get(2)? });
        self.connection
            .prepare_cached(COUNTS)
            .and_then(|mut row| row.query_row([], counts))
            .map_err(OutboxError::statement("count the journal"))
    }
}

/// What was written first has the lowest number, whatever the clock said since.
const DEPTH: &str = "SELECT (SELECT count FROM level WHERE what = 'waiting'),
        (SELECT count FROM level WHERE what = 'rejected'),
        (SELECT created_ms FROM message NOT INDEXED ORDER BY sequence LIMIT 1)";
const COUNTS: &str = "SELECT (SELECT count FROM level WHERE what = 'accepted'),
        (SELECT count FROM level WHERE what = 'concluded'),
        (SELECT count FROM level WHERE what = 'receipted')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_count_walks_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        for statement in [DEPTH, COUNTS] {
            let mut plan = outbox.connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
            let steps = plan.query_map([], |row| row.get::<_, String>("detail")).unwrap();
            for step in steps.map(Result::unwrap) {
                // The outermost SELECT has no table: one row without a scan. The messages are walked in their order, as far as the first.
                let sought = step.starts_with("SEARCH")
                    || step.contains("SCALAR SUBQUERY")
                    || step == "SCAN CONSTANT ROW"
                    || step == "SCAN message";
                assert!(sought, "{statement}\n{step}");
            }
        }
    }
}
