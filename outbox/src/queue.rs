//! The outbox proper: messages are written, and leave on a receipt; who goes when is [`crate::lease`]'s. It never looks into a
//! payload.

use fail_points::Point;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;
use wire::v1::ReceiptStatus;

use crate::{Outbox, OutboxError};
use crate::{journal, rejection};

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

impl Priority {
    /// Most urgent first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Live, Self::Backlog];
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

impl Outbox {
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

    /// Does what a receipt says. This is the only place where a message row is deleted.
    ///
    /// A receipt counts whatever state the row is in: a lease may have ended while its receipt was on the way.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer; the receipt will come again.
    pub fn settle(&mut self, id: MessageId, status: &ReceiptStatus) -> Result<Settlement, OutboxError> {
        let sql = OutboxError::statement("settle a message");
        let transaction = self.unit().map_err(&sql)?;
        let waits = transaction
            .prepare_cached(FIND)
            .and_then(|mut find| find.query_row([id.0.as_bytes()], |row| row.get::<_, i64>(0)).optional())
            .map_err(&sql)?;
        let done = match (status, waits) {
            (ReceiptStatus::Stored, Some(sequence)) => delete(&transaction, sequence).map(|()| Settlement::Deleted),
            (ReceiptStatus::Rejected { reason }, Some(sequence)) => rejection::keep(&transaction, sequence, reason)
                .and_then(|()| delete(&transaction, sequence))
                .map(|()| Settlement::Kept),
            (status, None) => rejection::settle(&transaction, id, status),
        };
        let settlement = done.map_err(&sql)?;
        // Whatever becomes of the row: an image whose message is long gone has its receipt all the same.
        if *status == ReceiptStatus::Stored {
            journal::receipted(&transaction, id.0).map_err(&sql)?;
        }
        fail_points::reach(Point::SettleBeforeCommit);
        transaction.commit().map_err(&sql)?;
        fail_points::reach(Point::SettleAfterCommit);
        Ok(settlement)
    }
}

/// Writes one message; part of [`Outbox::conclude`]'s transaction.
pub(crate) fn append(transaction: &Connection, message: &NewMessage<'_>) -> rusqlite::Result<()> {
    let row = params![
        message.id.0.as_bytes(),
        message.kind.as_str(),
        message.priority as i64,
        message.created_ms,
        message.traceparent
    ];
    transaction.prepare_cached(APPEND)?.execute(row)?;
    let sequence = transaction.last_insert_rowid();
    transaction.prepare_cached(APPEND_PAYLOAD)?.execute(params![sequence, message.payload]).map(drop)
}

fn delete(transaction: &Connection, sequence: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached(DELETE_PAYLOAD)?.execute([sequence])?;
    transaction.prepare_cached(DELETE)?.execute([sequence]).map(drop)
}

pub(crate) fn message_id(row: &Row<'_>, column: usize) -> rusqlite::Result<MessageId> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(MessageId(Uuid::from_bytes(bytes)))
}

/// A new message stands behind all others: its place is the number that it is about to be given.
pub(crate) const APPEND: &str = "INSERT INTO message (id, kind, priority, created_ms, traceparent, place)
    VALUES (?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'message'))";
pub(crate) const APPEND_PAYLOAD: &str = "INSERT INTO payload (message, bytes) VALUES (?1, ?2)";
pub(crate) const FIND: &str = "SELECT sequence FROM message WHERE id = ?1";
pub(crate) const DELETE: &str = "DELETE FROM message WHERE sequence = ?1";
pub(crate) const DELETE_PAYLOAD: &str = "DELETE FROM payload WHERE message = ?1";
