//! Several requests in one commit: a commit costs a sync of the disk whatever its size, so those that come together share one.
//! Each keeps its own all-or-nothing; none may be told of its success before the group's commit.

use std::ops::Deref;

use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};

use crate::{Outbox, OutboxError};

/// One request's all-or-nothing: a transaction of its own, or a part of the group's. Dropped without commit, it is undone.
pub(crate) enum Unit<'a> {
    Whole(Transaction<'a>),
    Part(Savepoint<'a>),
}

impl Outbox {
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
        let committed = self.connection.execute_batch("COMMIT").map_err(OutboxError::statement("commit"));
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
