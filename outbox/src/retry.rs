//! Deliveries in a person's hands: which of them did not arrive, and trying those again by order. Whether one may be tried
//! again is said by the table of states in [`crate::delivery`].

use rusqlite::{Row, params};

use crate::delivery::{DeliveryEvent, DeliveryId, DeliveryState, state_of};
use crate::{Outbox, OutboxError};

/// A delivery that did not arrive, or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Its row.
    pub id: DeliveryId,
    /// The destination's name.
    pub destination: String,
    /// What kind of object.
    pub object: String,
    /// Waiting, refused or unconfirmed.
    pub state: DeliveryState,
    /// Why, in words without the patient; none where it was not tried yet.
    pub reason: Option<String>,
    /// When it came into its state, milliseconds since the Unix epoch.
    pub changed_ms: i64,
}

/// Which deliveries are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// This one.
    One(DeliveryId),
    /// All that did not arrive at the destination of this name.
    To(String),
    /// All that did not arrive.
    All,
}

impl Outbox {
    /// What did not arrive: refused, never confirmed, or waiting, oldest first.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn undelivered(&self, limit: u32) -> Result<Vec<Undelivered>, OutboxError> {
        let sql = OutboxError::statement("list what was not delivered");
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT id, destination, object, state, reason, changed_ms FROM delivery
                 WHERE state IN ('waiting', 'refused', 'unconfirmed') ORDER BY id LIMIT ?1",
            )
            .map_err(&sql)?;
        let found = rows.query_map([limit], undelivered).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// Has deliveries tried again at once, with their counts of attempts at the beginning; gives how many. Those that wait
    /// although nothing failed are left as they are.
    ///
    /// # Errors
    /// [`OutboxError::Full`] and the like; nothing has changed then.
    pub fn retry_deliveries(&mut self, which: &Retry, now_ms: i64) -> Result<usize, OutboxError> {
        let sql = OutboxError::statement("find what is to be delivered again");
        let (id, destination) = match which {
            Retry::One(id) => (Some(id.0), None),
            Retry::To(destination) => (None, Some(destination)),
            Retry::All => (None, None),
        };
        let ids: Vec<DeliveryId> = {
            let mut rows = self
                .connection
                .prepare_cached(
                    "SELECT id FROM delivery WHERE state IN ('waiting', 'refused', 'unconfirmed') AND reason IS NOT NULL
                     AND id = coalesce(?1, id) AND destination = coalesce(?2, destination)",
                )
                .map_err(&sql)?;
            let found = rows.query_map(params![id, destination], |row| row.get(0).map(DeliveryId)).map_err(&sql)?;
            found.collect::<Result<_, _>>().map_err(&sql)?
        };
        let events: Vec<_> = ids.into_iter().map(|id| (id, DeliveryEvent::Retried)).collect();
        self.advance_deliveries(&events, now_ms)
    }
}

fn undelivered(row: &Row<'_>) -> rusqlite::Result<Undelivered> {
    Ok(Undelivered {
        id: DeliveryId(row.get(0)?),
        destination: row.get(1)?,
        object: row.get(2)?,
        state: state_of(row, 3)?,
        reason: row.get(4)?,
        changed_ms: row.get(5)?,
    })
}
