//! Several requests in one commit: a commit costs a sync of the disk whatever its size, so those that come together share one.
//! Each keeps its own all-or-nothing; none may be told of its success before the group's commit.

use std::ops::Deref;

use fail_points::Point;
use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};

use crate::{Outbox, OutboxError};

/// One of several who share a commit: does its work and gives what is to be told of it.
pub type Ask = Box<dyn FnOnce(&mut Outbox) -> Asked + Send>;

/// What was asked and is done, but for the commit.
pub struct Asked {
    /// What the database said against it.
    pub failed: Option<OutboxError>,
    /// Tells whoever asked, once it is known what became of the commit.
    pub tell: Box<dyn FnOnce(Result<(), OutboxError>)>,
}

/// One request's all-or-nothing: a transaction of its own, or a part of the group's. Dropped without commit, it is undone.
pub(crate) enum Unit<'a> {
    Whole(Transaction<'a>),
    Part(Savepoint<'a>),
}

impl Outbox {
    /// One commit for all of them, then their answers. Where `SQLite` undoes all that went before because one of them found the
    /// disk full or failing, these hear that very reason, and those that come after it have a commit of their own.
    pub fn serve(&mut self, asks: Vec<Ask>) {
        let mut asks = asks.into_iter();
        while asks.len() > 0 {
            // One alone has a transaction of its own, or needs none. Where no group can be begun, each learns why from its own.
            if asks.len() == 1 || self.begin_group().is_err() {
                return asks.for_each(|ask| {
                    let asked = ask(self);
                    asked.failed.iter().for_each(|error| self.suspect(error));
                    (asked.tell)(Ok(()));
                });
            }
            let mut asked = Vec::with_capacity(asks.len());
            let mut undone = None;
            for ask in asks.by_ref() {
                asked.push(ask(self));
                // SQLite, "Transaction": on SQLITE_FULL, SQLITE_IOERR and SQLITE_NOMEM it may roll back by itself.
                if self.connection.is_autocommit() {
                    undone = Some(asked.last().and_then(|asked| asked.failed.as_ref()).map(OutboxError::for_each));
                    break;
                }
            }
            let committed = match undone {
                None => self.commit_group(),
                Some(why) => Err(why.unwrap_or(OutboxError::Refused { doing: "commit what was undone" })),
            };
            let first = asked.iter().find_map(|asked| asked.failed.as_ref()).or(committed.as_ref().err());
            first.into_iter().for_each(|error| self.suspect(error));
            for asked in asked {
                (asked.tell)(committed.as_ref().map(drop).map_err(OutboxError::for_each));
            }
        }
    }

    /// What is asked from here on becomes durable with [`Outbox::commit_group`], and not before, whatever it answers.
    ///
    /// # Errors
    /// [`OutboxError::Busy`] and the like; there is no group then.
    pub fn begin_group(&mut self) -> Result<(), OutboxError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(OutboxError::statement("begin to write"))
    }

    /// Ends the group. After an error nothing of it may be taken for done; some of it may be, as after any commit that failed.
    ///
    /// # Errors
    /// [`OutboxError::Full`] and the like.
    pub fn commit_group(&mut self) -> Result<(), OutboxError> {
        fail_points::reach(Point::GroupBeforeCommit);
        let committed = self.connection.execute_batch("COMMIT").map_err(OutboxError::statement("commit"));
        fail_points::reach(Point::GroupAfterCommit);
        if committed.is_err() && !self.connection.is_autocommit() {
            // It cannot do more than fail, too; the next group's beginning would say so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        committed
    }

    pub(crate) fn unit(&mut self) -> rusqlite::Result<Unit<'_>> {
        if self.connection.is_autocommit() {
            // At once, so that the other process is waited for here and not in the middle.
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map(Unit::Whole)
        } else {
            self.connection.savepoint().map(Unit::Part)
        }
    }
}

impl Unit<'_> {
    pub(crate) fn commit(self) -> rusqlite::Result<()> {
        match self {
            Self::Whole(transaction) => transaction.commit(),
            Self::Part(savepoint) => savepoint.commit(),
        }
    }
}

impl Deref for Unit<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Whole(transaction) => transaction,
            Self::Part(savepoint) => savepoint,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use uuid::Uuid;
    use wire::ids::MessageId;
    use wire::topics::Up;

    use super::*;
    use crate::{NewMessage, Priority};

    type Told = (u128, Result<(), OutboxError>);

    /// Queues a message of so many bytes.
    fn post(number: u128, bytes: usize, told: &Sender<Told>) -> Ask {
        let told = told.clone();
        Box::new(move |outbox| {
            let message = NewMessage {
                id: MessageId(Uuid::from_u128(number)),
                kind: Up::Result,
                priority: Priority::Live,
                created_ms: 0,
                traceparent: None,
                payload: &vec![7; bytes],
            };
            let posted = outbox.post(&message);
            let failed = posted.as_ref().err().map(OutboxError::for_each);
            Asked { failed, tell: Box::new(move |committed| told.send((number, committed.and(posted))).unwrap()) }
        })
    }

    #[test]
    fn a_disk_that_is_full_for_one_is_told_as_such_to_each_whose_work_it_undid_and_to_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        let pages: i64 = outbox.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        outbox.connection.pragma_update(None, "max_page_count", pages + 8).unwrap();
        let (told, hears) = channel();
        let asks = [(1, 10), (2, 10), (3, 1 << 20), (4, 10), (5, 10), (6, 1 << 20)];
        outbox.serve(asks.into_iter().map(|(number, bytes)| post(number, bytes, &told)).collect());
        drop(told);
        let told: Vec<Told> = hears.iter().collect();
        let full: Vec<u128> =
            told.iter().filter(|(_, told)| told.as_ref().is_err_and(OutboxError::is_full)).map(|t| t.0).collect();
        assert_eq!((full, told.len()), (vec![1, 2, 3, 4, 5, 6], 6), "{told:?}");
        assert_eq!(outbox.depth().unwrap().waiting, 0, "what was told as failed is not there");

        let (told, hears) = channel();
        let asks = [(1, 10), (2, 1 << 20), (3, 10), (4, 10)];
        outbox.serve(asks.into_iter().map(|(number, bytes)| post(number, bytes, &told)).collect());
        drop(told);
        let full: Vec<(u128, bool)> =
            hears.iter().map(|(number, told)| (number, told.is_err_and(|e| e.is_full()))).collect();
        assert_eq!(full, [(1, true), (2, true), (3, false), (4, false)]);
        assert_eq!(outbox.depth().unwrap().waiting, 2);
    }
}
