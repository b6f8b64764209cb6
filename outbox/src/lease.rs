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
use crate::{Outbox, OutboxError, Priority, rescue};

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
        let urgent = most_urgent(&transaction, limit - by_age).map_err(&sql)?;
        let mut leased = take(&transaction, &urgent, ends).map_err(&sql)?;
        let first = first_in_line(&transaction, by_age).map_err(&sql)?;
        leased.extend(take(&transaction, &first, ends).map_err(&sql)?);
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
        self.put_back(ids, |line, id| line.prepare_cached(END)?.execute([id]))
    }

    /// Puts these leased messages back at the end of the line: they were sent, and no receipt came.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn requeue(&mut self, ids: &[MessageId]) -> Result<(), OutboxError> {
        self.put_back(ids, |line, id| {
            line.prepare_cached(DRAW)?.execute([])?;
            line.prepare_cached(REQUEUE)?.execute([id])
        })
    }

    fn put_back(
        &mut self,
        ids: &[MessageId],
        how: impl Fn(&Connection, &[u8; 16]) -> rusqlite::Result<usize>,
    ) -> Result<(), OutboxError> {
        let sql = OutboxError::statement("end a lease");
        let transaction = self.unit().map_err(&sql)?;
        for id in ids {
            how(&transaction, id.0.as_bytes()).map_err(&sql)?;
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

/// Pending messages, the most urgent first and in the order of the line among these.
fn most_urgent(transaction: &Connection, limit: u32) -> rusqlite::Result<Vec<i64>> {
    transaction.prepare_cached(BY_PRIORITY)?.query_map([limit], |row| row.get(0))?.collect()
}

/// Pending messages in the order of the line: of the first ones of each priority, those with the lowest places.
fn first_in_line(transaction: &Connection, limit: u32) -> rusqlite::Result<Vec<i64>> {
    let mut heads: Vec<(i64, i64)> = Vec::new();
    let mut head = transaction.prepare_cached(HEAD)?;
    for priority in Priority::ALL {
        let rows = head.query_map(params![limit, priority as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        heads.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    heads.sort_unstable();
    Ok(heads.into_iter().take(limit as usize).map(|(_, sequence)| sequence).collect())
}

/// Leases these.
fn take(transaction: &Connection, sequences: &[i64], ends_ms: i64) -> rusqlite::Result<Vec<Leased>> {
    let mut read = transaction.prepare_cached(READ)?;
    let mut mark = transaction.prepare_cached(MARK)?;
    let take = |sequence: &i64| {
        let message = read.query_row([sequence], leased)?;
        mark.execute(params![sequence, ends_ms])?;
        Ok(message)
    };
    sequences.iter().map(take).collect()
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
// The kinds are those of [`Up`]: what a later release wrote waits for it to come back.
const BY_PRIORITY: &str = "SELECT sequence FROM message INDEXED BY message_line
    WHERE state = 'pending' AND kind IN ('result', 'image', 'telemetry', 'shadow') ORDER BY priority, place LIMIT ?1";
const HEAD: &str = "SELECT place, sequence FROM message INDEXED BY message_line
    WHERE state = 'pending' AND kind IN ('result', 'image', 'telemetry', 'shadow') AND priority = ?2 ORDER BY place LIMIT ?1";
const READ: &str = "SELECT sequence, id, kind, created_ms, traceparent, bytes, attempts
    FROM message CROSS JOIN payload ON payload.message = message.sequence WHERE sequence = ?1";
/// Whatever waits, in the order of its writing: to be read, not to be taken. `CROSS JOIN` is `SQLite`'s way to say which of two
/// tables is walked.
pub(crate) const WAITING: &str = "SELECT sequence, id, kind, created_ms, traceparent, bytes, attempts
    FROM message NOT INDEXED CROSS JOIN payload ON payload.message = message.sequence
    WHERE sequence > ?1 AND kind IN ('result', 'image', 'telemetry', 'shadow') ORDER BY sequence LIMIT ?2";
const MARK: &str =
    "UPDATE message SET state = 'leased', lease_ends_ms = ?2, attempts = attempts + 1 WHERE sequence = ?1";
/// Places come from the counter that numbers the messages, so that each is behind all that were given before.
const DRAW: &str = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'message'";
const END: &str = "UPDATE message SET state = 'pending', lease_ends_ms = NULL WHERE id = ?1 AND state = 'leased'";
const REQUEUE: &str = "UPDATE message SET state = 'pending', lease_ends_ms = NULL,
        place = (SELECT seq FROM sqlite_sequence WHERE name = 'message')
    WHERE id = ?1 AND state = 'leased'";
const END_ALL: &str = "UPDATE message SET state = 'pending', lease_ends_ms = NULL WHERE state = 'leased'";

#[cfg(test)]
mod tests;
