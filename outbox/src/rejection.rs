//! What the gateway will never take: kept whole, with its reason, apart from what waits, until a person has it tried again. It
//! never deletes one but for a receipt.

use rusqlite::{Connection, params};
use wire::ids::MessageId;
use wire::v1::ReceiptStatus;

use crate::queue::message_id;
use crate::{Outbox, OutboxError, Settlement};

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
    /// Puts rejected messages back where they stood in line: for after the gateway, or whatever made it reject them, was mended.
    /// Gives how many.
    ///
    /// # Errors
    /// [`OutboxError::Full`] and the like; all of them are kept, then.
    pub fn retry_rejected(&mut self) -> Result<usize, OutboxError> {
        let sql = OutboxError::statement("put rejected messages back");
        let transaction = self.unit().map_err(&sql)?;
        let count = transaction.execute(BACK, []).map_err(&sql)?;
        transaction.execute(BACK_PAYLOAD, []).map_err(&sql)?;
        transaction.execute("DELETE FROM rejected", []).map_err(&sql)?;
        transaction.commit().map_err(&sql)?;
        Ok(count)
    }

    /// What the gateway rejected, newest first.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn rejected(&self, limit: u32) -> Result<Vec<Rejected>, OutboxError> {
        let sql = OutboxError::statement("list the rejected messages");
        let list = "SELECT id, kind, reason FROM rejected ORDER BY sequence DESC LIMIT ?1";
        let mut rows = self.connection.prepare_cached(list).map_err(&sql)?;
        let found = rows
            .query_map([limit], |row| Ok(Rejected { id: message_id(row, 0)?, kind: row.get(1)?, reason: row.get(2)? }))
            .map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }
}

/// Copies a message that waits; the caller deletes it from the line, in the same transaction.
pub(crate) fn keep(transaction: &Connection, sequence: i64, reason: &str) -> rusqlite::Result<()> {
    transaction.prepare_cached(KEEP)?.execute(params![sequence, reason]).map(drop)
}

/// What a receipt does to one that was rejected before: the gateway may have come to take it, or says once more why not.
pub(crate) fn settle(transaction: &Connection, id: MessageId, status: &ReceiptStatus) -> rusqlite::Result<Settlement> {
    let (changed, settlement) = match status {
        ReceiptStatus::Stored => (transaction.prepare_cached(TAKEN)?.execute([id.0.as_bytes()])?, Settlement::Deleted),
        ReceiptStatus::Rejected { reason } => {
            (transaction.prepare_cached(AGAIN)?.execute(params![id.0.as_bytes(), reason])?, Settlement::Kept)
        }
    };
    Ok(if changed == 0 { Settlement::Unknown } else { settlement })
}

pub(crate) const KEEP: &str =
    "INSERT INTO rejected (sequence, id, kind, priority, place, created_ms, traceparent, attempts, reason, payload)
     SELECT sequence, id, kind, priority, place, created_ms, traceparent, attempts, ?2, bytes
     FROM message CROSS JOIN payload ON payload.message = message.sequence WHERE sequence = ?1";
pub(crate) const TAKEN: &str = "DELETE FROM rejected WHERE id = ?1";
pub(crate) const AGAIN: &str = "UPDATE rejected SET reason = ?2 WHERE id = ?1";
const BACK: &str = "INSERT INTO message (sequence, id, kind, priority, place, created_ms, traceparent, attempts)
    SELECT sequence, id, kind, priority, place, created_ms, traceparent, attempts FROM rejected";
const BACK_PAYLOAD: &str = "INSERT INTO payload (message, bytes) SELECT sequence, payload FROM rejected";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use uuid::Uuid;

    use super::*;
    use crate::{DatabaseKey, schema};

    /// Ten steps ago in one table with what waits, and one of them standing at the end of the line.
    #[test]
    fn what_was_rejected_before_it_had_a_table_of_its_own_is_kept_and_can_be_tried_again_where_it_stood() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("outbox.sqlite"), DatabaseKey::from([9; 32]));
        let mut old = Outbox::connect_bare(&path, &key).unwrap();
        schema::migrate_to(&mut old.connection, &path, 10).unwrap();
        write_as_before(&old.connection);
        drop(old);

        let mut outbox = Outbox::open(&path, &key).unwrap();
        let depth = outbox.depth().unwrap();
        assert_eq!((depth.waiting, depth.rejected, depth.oldest_ms), (2, 2, Some(100)));
        let kept: Vec<_> =
            outbox.rejected(9).unwrap().into_iter().map(|one| (one.id.0.as_u128(), one.reason)).collect();
        assert_eq!(kept, [(4, String::new()), (2, "no".to_owned())]);
        assert_eq!(outbox.retry_rejected().unwrap(), 2);
        let waits: Vec<_> =
            outbox.waiting(0, 9).unwrap().into_iter().map(|(_, m)| (m.id.0.as_u128(), m.payload)).collect();
        assert_eq!(waits, [(1, b"1".to_vec()), (2, b"2".to_vec()), (3, b"3".to_vec()), (4, Vec::new())]);
        let line: Vec<u128> = outbox.lease(9, 0, 1).unwrap().iter().map(|one| one.id.0.as_u128()).collect();
        assert_eq!(line, [2, 3, 4, 1], "the first went to the end of the line, then");
        let depth = outbox.depth().unwrap();
        assert_eq!((depth.waiting, depth.rejected), (4, 0));
    }

    /// Message 4 lost its payload to a damaged page.
    fn write_as_before(old: &Connection) {
        for number in 1..=4_u8 {
            let id = Uuid::from_u128(u128::from(number));
            let insert =
                "INSERT INTO message (id, kind, priority, created_ms, place) VALUES (?1, 'result', 1, ?2 * 100, ?2)";
            old.execute(insert, params![id.as_bytes(), number]).unwrap();
            if number < 4 {
                let payload = [b'0' + number];
                old.execute("INSERT INTO payload VALUES (?1, ?2)", params![number, payload.as_slice()]).unwrap();
            }
        }
        old.execute_batch(
            "UPDATE message SET place = 9 WHERE sequence = 1;
             UPDATE message SET state = 'rejected', reason = 'no' WHERE sequence = 2;
             UPDATE message SET state = 'rejected' WHERE sequence = 4;",
        )
        .unwrap();
    }

    #[test]
    fn a_receipt_counts_for_one_that_was_rejected_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        let id = MessageId(Uuid::from_u128(7));
        let kind = wire::topics::Up::Result;
        let (priority, payload) = (crate::Priority::Live, b"p".as_slice());
        outbox.post(&crate::NewMessage { id, kind, priority, created_ms: 0, traceparent: None, payload }).unwrap();
        for reason in ["no", "still no"] {
            let status = ReceiptStatus::Rejected { reason: reason.to_owned() };
            assert_eq!(outbox.settle(id, &status).unwrap(), Settlement::Kept);
            assert_eq!(outbox.rejected(9).unwrap()[0].reason, reason);
        }
        assert_eq!(outbox.settle(id, &ReceiptStatus::Stored).unwrap(), Settlement::Deleted);
        assert_eq!(outbox.settle(id, &ReceiptStatus::Stored).unwrap(), Settlement::Unknown);
        assert_eq!((outbox.depth().unwrap().rejected, outbox.rejected(9).unwrap().len()), (0, 0));
    }
}
