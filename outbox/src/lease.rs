//! Who goes when: messages are taken in the order of their urgency, and none waits for ever. It never deletes a message and
//! never looks into one.
//!
//! # The bound
//! Of every [`AGE_SHARE`] messages that are leased one is the first in line whatever its priority; the count goes on over small
//! leases, restarts and crashes. A message with `k` others before it in line is therefore leased among the next
//! `AGE_SHARE · (k + 1)`, however many urgent ones keep arriving: priority orders the queue, it never starves it. A message that
//! was sent in vain goes to the end of the line ([`Outbox::requeue`]), so that those which never get a receipt can hold up others
//! once for each time round, and not for ever.

use fail_points::Point;
use rusqlite::{Connection, Row, params};
use wire::ids::MessageId;
use wire::topics::Up;

use crate::queue::message_id;
use crate::{Outbox, OutboxError, rescue};

/// A lease lasts a day at most. One that ends later than this was given by a clock that has been put back since, and is over.
const LONGEST_LEASE_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// One in this many leased messages is the first in line, whatever its priority.
///
/// Four leaves three quarters of the line to what is urgent, and empties a backlog at a quarter of the line's speed at worst.
pub const AGE_SHARE: u32 = 4;

/// A message in the sync-agent's hands until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// Its identity.
    pub id: MessageId,
    /// What it is.
    pub kind: Up,
    /// When it was written, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// [`wire::codec`] bytes, not yet sealed.
    pub payload: Vec<u8>,
    /// How often it was leased before.
    pub attempts: u32,
}

impl Outbox {
    /// Takes up to `limit` messages until `now_ms + lease_ms`; ended leases are taken back first.
    ///
    /// Most urgent first, first in line first within a priority, save for the share that goes by the line alone; see the bound
    /// in `outbox/src/lease.rs`.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn lease(&mut self, limit: u32, now_ms: i64, lease_ms: i64) -> Result<Vec<Leased>, OutboxError> {
        let sql = OutboxError::statement("lease messages");
        let transaction = self.unit().map_err(&sql)?;
        for (statement, bound) in [(EXPIRE, now_ms), (EXPIRE_AHEAD, now_ms.saturating_add(LONGEST_LEASE_MS))] {
            transaction.prepare_cached(statement).and_then(|mut update| update.execute([bound])).map_err(&sql)?;
        }
        let turn: i64 = transaction.query_row(TURN, [], |row| row.get(0)).map_err(&sql)?;
        let by_age = age_places(turn, limit);
        let ends = now_ms.saturating_add(lease_ms);
        let mut leased = take(&transaction, BY_PRIORITY, limit - by_age, ends).map_err(&sql)?;
        leased.extend(take(&transaction, BY_AGE, by_age, ends).map_err(&sql)?);
        if !leased.is_empty() {
            let count = i64::try_from(leased.len()).unwrap_or(0);
            transaction.prepare_cached(ADVANCE).and_then(|mut turn| turn.execute([count])).map_err(&sql)?;
        }
        fail_points::reach(Point::LeaseBeforeCommit);
        transaction.commit().map_err(&sql)?;
        fail_points::reach(Point::LeaseAfterCommit);
        Ok(leased)
    }

    /// Puts these leased messages back where they stood in line: they were not sent.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn end_lease(&mut self, ids: &[MessageId]) -> Result<(), OutboxError> {
        self.put_back(END, ids)
    }

    /// Puts these leased messages back at the end of the line: they were sent, and no receipt came.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn requeue(&mut self, ids: &[MessageId]) -> Result<(), OutboxError> {
        self.put_back(REQUEUE, ids)
    }

    fn put_back(&mut self, how: &str, ids: &[MessageId]) -> Result<(), OutboxError> {
        let sql = OutboxError::statement("end a lease");
        let transaction = self.unit().map_err(&sql)?;
        for id in ids {
            transaction.prepare_cached(how).and_then(|mut back| back.execute([id.0.as_bytes()])).map_err(&sql)?;
        }
        transaction.commit().map_err(&sql)
    }

    /// Messages that have no receipt and were not rejected, leased or not, in the order of their writing after `after`, each with
    /// the place to go on from. Nothing changes: it is for carrying them, and who leases them may do so meanwhile.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn waiting(&self, after: i64, limit: u32) -> Result<Vec<(i64, Leased)>, OutboxError> {
        let sql = OutboxError::statement("read the messages that wait");
        let mut rows = self.connection.prepare_cached(WAITING).map_err(&sql)?;
        let found = rows.query_map([after, i64::from(limit)], |row| Ok((row.get(0)?, leased(row)?))).map_err(&sql)?;
        let found = found.collect::<Result<_, _>>().map_err(&sql)?;
        // Nothing is written here, which would have failed on a page that is not what was written.
        rescue::believe(&self.connection, "main").map_err(&sql)?;
        Ok(found)
    }

    /// Puts every leased message back: after a start or a lost connection nobody holds any.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn end_leases(&mut self) -> Result<usize, OutboxError> {
        self.connection.execute(END_ALL, []).map_err(OutboxError::statement("end the leases"))
    }
}

/// How many of the next `limit` places, after `turn` that were given ever, are the share of those first in line.
fn age_places(turn: i64, limit: u32) -> u32 {
    let share = i64::from(AGE_SHARE);
    let before = turn.rem_euclid(share);
    u32::try_from((before + i64::from(limit)) / share).unwrap_or(0).min(limit)
}

/// Leases up to `limit` pending messages that `select` finds.
fn take(transaction: &Connection, select: &str, limit: u32, ends_ms: i64) -> rusqlite::Result<Vec<Leased>> {
    let mut rows = transaction.prepare_cached(select)?;
    let found: Vec<(i64, Leased)> =
        rows.query_map([limit], |row| Ok((row.get(0)?, leased(row)?)))?.collect::<Result<_, _>>()?;
    let mut mark = transaction.prepare_cached(MARK)?;
    for (sequence, _) in &found {
        mark.execute(params![sequence, ends_ms])?;
    }
    Ok(found.into_iter().map(|(_, message)| message).collect())
}

fn leased(row: &Row<'_>) -> rusqlite::Result<Leased> {
    let kind: String = row.get(2)?;
    let unknown = || rusqlite::Error::InvalidColumnType(2, kind.clone(), rusqlite::types::Type::Text);
    Ok(Leased {
        id: message_id(row, 1)?,
        kind: Up::from_name(&kind).ok_or_else(unknown)?,
        created_ms: row.get(3)?,
        traceparent: row.get(4)?,
        payload: row.get(5)?,
        attempts: row.get(6)?,
    })
}

// Two statements, because SQLite walks every lease for an OR of the two.
const EXPIRE: &str = "UPDATE message INDEXED BY message_leased SET state = 'pending', lease_ends_ms = NULL
    WHERE state = 'leased' AND lease_ends_ms <= ?1";
const EXPIRE_AHEAD: &str = "UPDATE message INDEXED BY message_leased SET state = 'pending', lease_ends_ms = NULL
    WHERE state = 'leased' AND lease_ends_ms > ?1";
const TURN: &str = "SELECT leased FROM turn";
const ADVANCE: &str = "UPDATE turn SET leased = leased + ?1 WHERE id = 0";
// `INDEXED BY`, because the planner takes the index that counts by state for shorter and would sort the whole backlog; `CROSS
// JOIN` is SQLite's way to say which of two tables is walked: the line, never the payloads.
const BY_PRIORITY: &str = "SELECT sequence, id, kind, created_ms, traceparent, bytes, attempts
    FROM message INDEXED BY message_by_priority CROSS JOIN payload ON payload.message = message.sequence
    WHERE state = 'pending' ORDER BY priority, place LIMIT ?1";
const BY_AGE: &str = "SELECT sequence, id, kind, created_ms, traceparent, bytes, attempts
    FROM message INDEXED BY message_by_age CROSS JOIN payload ON payload.message = message.sequence
    WHERE state = 'pending' ORDER BY place LIMIT ?1";
/// Whatever waits, in the order of its writing: to be read, not to be taken.
pub(crate) const WAITING: &str = "SELECT sequence, id, kind, created_ms, traceparent, bytes, attempts
    FROM message NOT INDEXED CROSS JOIN payload ON payload.message = message.sequence
    WHERE sequence > ?1 AND state IN ('pending', 'leased') ORDER BY sequence LIMIT ?2";
const MARK: &str =
    "UPDATE message SET state = 'leased', lease_ends_ms = ?2, attempts = attempts + 1 WHERE sequence = ?1";
const END: &str = "UPDATE message SET state = 'pending', lease_ends_ms = NULL WHERE id = ?1 AND state = 'leased'";
const REQUEUE: &str = "UPDATE message SET state = 'pending', lease_ends_ms = NULL,
        place = (SELECT max(place) + 1 FROM message)
    WHERE id = ?1 AND state = 'leased'";
const END_ALL: &str = "UPDATE message SET state = 'pending', lease_ends_ms = NULL WHERE state = 'leased'";

#[cfg(test)]
mod tests;
