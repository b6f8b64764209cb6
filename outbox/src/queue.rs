//! The outbox proper: messages wait, are leased, and leave on a receipt. It never looks into a payload.

use fail_points::Point;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;
use wire::v1::ReceiptStatus;

use crate::journal;
use crate::{Outbox, OutboxError};

/// One place in this many of every lease goes to the oldest messages whatever their priority.
///
/// So a message with `k` older ones in front of it has left after at most `4 · k` leased messages, however many
/// urgent ones keep arriving: priority orders the queue, it never starves it.
const AGE_SHARE: u32 = 4;

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A positive finding.
    Urgent = 0,
    /// Any other result.
    Live = 1,
    /// Pictures and whatever else can wait.
    Backlog = 2,
}

/// A message to be written.
#[derive(Clone, Debug)]
pub struct NewMessage<'a> {
    /// Its identity for ever.
    pub id: MessageId,
    /// What it is.
    pub kind: Up,
    /// Who goes first.
    pub priority: Priority,
    /// Milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// W3C trace context.
    pub traceparent: Option<&'a str>,
    /// [`wire::codec`] bytes, not yet sealed.
    pub payload: &'a [u8],
}

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

/// What a receipt did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The row is gone: the cloud has it.
    Deleted,
    /// The row is kept, with the gateway's reason.
    Kept,
    /// No such row: the receipt is a replay.
    Unknown,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages without a receipt, leased ones included.
    pub waiting: u64,
    /// When the oldest of them was written, milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// Messages that the gateway rejected.
    pub rejected: u64,
}

/// A message that the gateway will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its identity.
    pub id: MessageId,
    /// What it is.
    pub kind: String,
    /// The gateway's sentence.
    pub reason: String,
}

impl Outbox {
    /// Takes up to `limit` messages until `now_ms + lease_ms`; ended leases are taken back first.
    ///
    /// Most urgent first, oldest first within a priority, save for the share that goes by age alone, so that nothing
    /// starves: of every four places one goes to the oldest message of any class.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn lease(&mut self, limit: u32, now_ms: i64, lease_ms: i64) -> Result<Vec<Leased>, OutboxError> {
        let sql = OutboxError::statement("lease messages");
        let transaction = self.unit().map_err(&sql)?;
        transaction
            .prepare_cached(
                "UPDATE message SET state = 'pending', lease_ends_ms = NULL
                 WHERE state = 'leased' AND lease_ends_ms <= ?1",
            )
            .and_then(|mut update| update.execute([now_ms]))
            .map_err(&sql)?;
        // With a single place, urgency has it; the age share begins with the second.
        let by_age = limit / AGE_SHARE;
        let ends = now_ms.saturating_add(lease_ms);
        let mut leased = take(&transaction, "priority, sequence", limit - by_age, ends).map_err(&sql)?;
        leased.extend(take(&transaction, "sequence", by_age, ends).map_err(&sql)?);
        fail_points::reach(Point::LeaseBeforeCommit);
        transaction.commit().map_err(&sql)?;
        fail_points::reach(Point::LeaseAfterCommit);
        Ok(leased)
    }

    /// Queues a message that belongs to no image.
    ///
    /// # Errors
    /// [`OutboxError::Full`] and the like; then it is not queued.
    pub fn post(&mut self, message: &NewMessage<'_>) -> Result<(), OutboxError> {
        let sql = OutboxError::statement("queue a message");
        let transaction = self.unit().map_err(&sql)?;
        append(&transaction, message).map_err(&sql)?;
        transaction.commit().map_err(&sql)
    }

    /// Puts these leased messages back, so that they are handed out again in their order.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn end_lease(&mut self, ids: &[MessageId]) -> Result<(), OutboxError> {
        let sql = OutboxError::statement("end a lease");
        let transaction = self.unit().map_err(&sql)?;
        for id in ids {
            transaction
                .prepare_cached(
                    "UPDATE message SET state = 'pending', lease_ends_ms = NULL WHERE id = ?1 AND state = 'leased'",
                )
                .and_then(|mut update| update.execute([id.0.as_bytes()]))
                .map_err(&sql)?;
        }
        transaction.commit().map_err(&sql)
    }

    /// Puts every leased message back: after a start or a lost connection nobody holds any.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn end_leases(&mut self) -> Result<usize, OutboxError> {
        self.connection
            .execute("UPDATE message SET state = 'pending', lease_ends_ms = NULL WHERE state = 'leased'", [])
            .map_err(OutboxError::statement("end the leases"))
    }

    /// Does what a receipt says. This is the only place where a message row is deleted.
    ///
    /// A receipt counts whatever state the row is in: a lease may have ended while its receipt was on the way.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer; the receipt will come again.
    pub fn settle(&mut self, id: MessageId, status: &ReceiptStatus) -> Result<Settlement, OutboxError> {
        let sql = OutboxError::statement("settle a message");
        let transaction = self.unit().map_err(&sql)?;
        let (changed, settlement) = match status {
            ReceiptStatus::Stored => {
                journal::receipted(&transaction, id.0).map_err(&sql)?;
                (transaction.execute("DELETE FROM message WHERE id = ?1", [id.0.as_bytes()]), Settlement::Deleted)
            }
            ReceiptStatus::Rejected { reason } => {
                let keep = "UPDATE message SET state = 'rejected', lease_ends_ms = NULL, reason = ?2 WHERE id = ?1";
                (transaction.execute(keep, params![id.0.as_bytes(), reason]), Settlement::Kept)
            }
        };
        let changed = changed.map_err(&sql)?;
        fail_points::reach(Point::SettleBeforeCommit);
        transaction.commit().map_err(&sql)?;
        fail_points::reach(Point::SettleAfterCommit);
        Ok(if changed == 0 { Settlement::Unknown } else { settlement })
    }

    /// How much waits, and since when.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn depth(&self) -> Result<Depth, OutboxError> {
        let count = "SELECT count(*) FILTER (WHERE state <> 'rejected'),
                            min(created_ms) FILTER (WHERE state <> 'rejected'),
                            count(*) FILTER (WHERE state = 'rejected') FROM message";
        self.connection
            .query_row(count, [], |row| {
                Ok(Depth { waiting: row.get(0)?, oldest_ms: row.get(1)?, rejected: row.get(2)? })
            })
            .map_err(OutboxError::statement("measure the outbox"))
    }

    /// Puts rejected messages back in the queue: for after the gateway, or whatever made it reject them, was mended.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn retry_rejected(&mut self) -> Result<usize, OutboxError> {
        self.connection
            .execute("UPDATE message SET state = 'pending', reason = NULL WHERE state = 'rejected'", [])
            .map_err(OutboxError::statement("put rejected messages back"))
    }

    /// What the gateway rejected, newest first.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn rejected(&self, limit: u32) -> Result<Vec<Rejected>, OutboxError> {
        let sql = OutboxError::statement("list the rejected messages");
        let list = "SELECT id, kind, coalesce(reason, '') FROM message WHERE state = 'rejected'
                    ORDER BY sequence DESC LIMIT ?1";
        let mut rows = self.connection.prepare_cached(list).map_err(&sql)?;
        let found = rows
            .query_map([limit], |row| Ok(Rejected { id: message_id(row, 0)?, kind: row.get(1)?, reason: row.get(2)? }))
            .map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }
}

/// Writes one message; part of [`Outbox::conclude`]'s transaction.
pub(crate) fn append(transaction: &Connection, message: &NewMessage<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO message (id, kind, priority, created_ms, traceparent, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            message.id.0.as_bytes(),
            message.kind.as_str(),
            message.priority as i64,
            message.created_ms,
            message.traceparent,
            message.payload
        ])
        .map(drop)
}

/// Leases up to `limit` pending messages in the given order; `order` is one of this file's two constants.
fn take(transaction: &Connection, order: &str, limit: u32, ends_ms: i64) -> rusqlite::Result<Vec<Leased>> {
    let select = format!(
        "SELECT sequence, id, kind, created_ms, traceparent, payload, attempts
         FROM message WHERE state = 'pending' ORDER BY {order} LIMIT ?1"
    );
    let mut rows = transaction.prepare_cached(&select)?;
    let found: Vec<(i64, Leased)> =
        rows.query_map([limit], |row| Ok((row.get(0)?, leased(row)?)))?.collect::<Result<_, _>>()?;
    let mut mark = transaction.prepare_cached(
        "UPDATE message SET state = 'leased', lease_ends_ms = ?2, attempts = attempts + 1 WHERE sequence = ?1",
    )?;
    for (sequence, _) in &found {
        mark.execute([*sequence, ends_ms])?;
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

fn message_id(row: &Row<'_>, column: usize) -> rusqlite::Result<MessageId> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(MessageId(Uuid::from_bytes(bytes)))
}
