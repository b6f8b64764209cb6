//! The disk contract between the appliance and the sync-agent: one `SQLite` file that holds the journal of acknowledged
//! images and the outbox of messages for the cloud. It never talks to a network and never reads a clock.
//!
//! # States
//! ```text
//! instance:  accepted ──conclude──▶ concluded ──receipt of its result──▶ receipted
//!               ▲                       │                                    │
//!               └── renew, where the result told of a lost file ─────────────┘
//! message:   pending ──lease──▶ leased ──receipt──▶ (row deleted)
//!               ▲ ▲                │ ├──rejected───▶ rejected, kept with its reason
//!               │ └── lease ends ──┘                    │
//!               └───────────── retry, by command ───────┘
//! ```
//! A receipt counts in whatever state it finds its message.
//!
//! # Invariants
//! 1. The file is opened in WAL mode with `synchronous = FULL`, checked after it was set: a committed row survives a
//!    power cut. (`NORMAL` may lose the last commits of a WAL.)
//!    It is encrypted by `SQLCipher` under a key of 256 bits ([`DatabaseKey`]), its log with it; temporary tables stay in memory.
//!    A file that is not, or under another key, is refused.
//! 2. A finding, its messages and what the hospital's own systems are owed of it are written in one transaction:
//!    [`Outbox::conclude_with`].
//! 3. A message row is deleted in one place, [`Outbox::settle`], and only for a receipt.
//!    Several of them may share one commit ([`Outbox::serve`]); nobody is answered before it.
//! 4. One image acknowledged is one `instance` row; its result is one `message`, whose id never changes. A result that told of
//!    a file lost on the device, and it alone, is replaced by the next one, another message that names it, once the image was
//!    sent again.
//! 5. A message with `k` others before it in line is among the next `4 · (k + 1)` that are leased, whatever arrives meanwhile:
//!    [`Outbox::lease`].
//! 6. The counts of waiting, rejected and concluded rows are changed in the transactions that change the rows, by the database.
//! 7. An instance row is deleted in one place, [`Outbox::forget_instances`], and only where nothing is owed for it and nothing
//!    names it.
//!
//! The appliance writes instances and messages; the sync-agent leases and settles. `SQLite` serialises the two, each
//! waiting for the other at most [`BUSY_WAIT`].

mod commitment;
mod delivery;
pub mod encryption;
mod error;
mod group;
mod journal;
mod key;
mod lease;
mod ledger;
mod levels;
#[cfg(test)]
mod power_cut;
mod queue;
mod rejection;
pub mod rescue;
mod retention;
mod retry;
mod schema;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use commitment::{Commitment, CommitmentId, Holding, OwedReport};
pub use delivery::{
    Delivery, DeliveryCount, DeliveryEvent, DeliveryId, DeliveryState, DeliveryTrouble, NewDelivery, NewReport,
    ReportId,
};
pub use error::OutboxError;
pub use group::{Ask, Asked};
pub use journal::{Accepted, Instance, InstanceId, NewInstance, Rank, Renewed, Spooled};
pub use key::{CREDENTIAL, DatabaseKey, KeyError};
pub use lease::{AGE_SHARE, Leased};
pub use ledger::{Access, Entry, Found, NewEntry, Pseudonyms, Tally};
pub use levels::{Depth, JournalCounts};
pub use queue::{NewMessage, Priority, Settlement};
pub use rejection::Rejected;
use rescue::Door;
pub use retry::{Retry, Undelivered};

/// How long one process waits for the other's write.
///
/// A write is a single small transaction (milliseconds, a previewed image under 100 ms); 10 seconds of waiting means
/// that the other process hangs, and the caller should say so.
pub const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Pages of 4096 bytes that the log may have before a commit moves them into the database, which costs that commit two syncs and
/// a copy of all of them. 16 MB are the results of some 50 images with their pictures; `SQLite`'s own 1000 pages are those of a
/// dozen, and moved them several times a second.
const LOG_PAGES: i64 = 4096;

/// No pause between two attempts of a delivery or a report is longer than 20 minutes. What is due later than this was put off by a
/// clock that has been put back since, and is due.
const LONGEST_PAUSE_MS: i64 = 60 * 60 * 1000;

/// An open device database.
pub struct Outbox {
    connection: Connection,
    path: PathBuf,
    key: DatabaseKey,
    /// Which file it is: see [`Outbox::is_replaced`].
    file: Option<(u64, u64)>,
    /// Whether others may open it, too.
    shared: bool,
    /// Taken when it is closed, and held until the connection is: fields go in this order.
    closing: Option<Door>,
}

impl Drop for Outbox {
    /// Closing removes the log by its name, which must not be another file's by then.
    fn drop(&mut self) {
        self.closing = self.shared.then(|| Door::pass(&self.path).ok()).flatten();
    }
}

impl Outbox {
    /// Opens the file at `path` with its key, creating it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`OutboxError::Open`] where the file can't be opened, [`OutboxError::Key`] where the key is not its own,
    /// [`OutboxError::Plain`] where it was never encrypted, [`OutboxError::Durability`] where `SQLite` would not promise
    /// invariant 1, [`OutboxError::Newer`] where a newer release wrote the file, [`OutboxError::Condemned`] where it is damaged and
    /// waits to be put aside.
    pub fn open(path: &Path, key: &DatabaseKey) -> Result<Self, OutboxError> {
        let _door = Door::pass(path)?;
        if rescue::is_condemned(path) {
            return Err(OutboxError::Condemned { path: path.to_owned() });
        }
        Ok(Self::connect(path, key)?.shared())
    }

    /// The same file's namesake: see [`Outbox::is_replaced`].
    ///
    /// # Errors
    /// As [`Outbox::open`].
    pub fn open_again(&self) -> Result<Self, OutboxError> {
        Self::open(&self.path, &self.key)
    }

    fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    fn connect(path: &Path, key: &DatabaseKey) -> Result<Self, OutboxError> {
        let mut outbox = Self::connect_bare(path, key)?;
        schema::migrate(&mut outbox.connection, path)?;
        Ok(outbox)
    }

    /// Without a look at its tables.
    fn connect_bare(path: &Path, key: &DatabaseKey) -> Result<Self, OutboxError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags);
        let connection = opened.map_err(|source| OutboxError::Open { path: path.to_owned(), source })?;
        let file = rescue::identity(path);
        let outbox = Self { connection, path: path.to_owned(), key: key.clone(), file, shared: false, closing: None };
        match outbox.unlock(key) {
            Err(OutboxError::Key { path }) if encryption::is_plain(&path)? => Err(OutboxError::Plain { path }),
            other => other,
        }?;
        outbox.promise_durability()?;
        Ok(outbox)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A number that changes whenever the *other* process commits: the cheap way to learn that there is work.
    ///
    /// Source: `SQLite`, `PRAGMA data_version`; it reads shared memory, not the disk.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn change_counter(&self) -> Result<i64, OutboxError> {
        self.connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(OutboxError::statement("read the change counter"))
    }

    /// Gives `SQLCipher` the key before anything else is asked of the file, and makes sure that it is `SQLCipher`.
    ///
    /// `cipher_memory_security` stays off, as it is by default: it wipes each piece of `SQLite`'s memory at a tenth or more of its
    /// speed, in a process that holds the key and the rows for as long as it runs anyway.
    fn unlock(&self, key: &DatabaseKey) -> Result<(), OutboxError> {
        let open = |source| OutboxError::Open { path: self.path.clone(), source };
        self.connection.busy_timeout(BUSY_WAIT).map_err(open)?;
        self.connection.pragma_update(None, "key", key.raw().as_str()).map_err(open)?;
        let version = self.connection.prepare("PRAGMA cipher_version").and_then(|mut ask| ask.exists([]));
        if !version.map_err(open)? {
            return Err(OutboxError::Cipher);
        }
        self.connection.execute_batch("PRAGMA temp_store = MEMORY").map_err(open)?;
        let first = self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
        first.map_err(|source| match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OutboxError::Key { path: self.path.clone() },
            _ => open(source),
        })
    }

    fn promise_durability(&self) -> Result<(), OutboxError> {
        let open = |source| OutboxError::Open { path: self.path.clone(), source };
        let journal: String =
            self.connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(open)?;
        self.connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;").map_err(open)?;
        self.connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(open)?;
        let synchronous: i64 = self.connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(open)?;
        // SQLite numbers FULL as 2.
        if journal == "wal" && synchronous == 2 {
            Ok(())
        } else {
            Err(OutboxError::Durability { path: self.path.clone(), journal, synchronous })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    #[ignore = "the other test starts it"]
    fn the_process_that_closes() {
        let Some((path, _)) = power_cut::order(&[()]) else { return };
        drop(Outbox::open(&path, &[9; 32].into()).unwrap());
    }

    /// Whoever closes a file last moves its log into it and deletes the log. A process has one lock on a file however many
    /// connections it has, and loses it with whichever it closes by other means than `SQLite`'s.
    #[test]
    fn a_second_connection_that_came_and_went_leaves_the_log_to_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.sqlite");
        let log = PathBuf::from(format!("{}-wal", path.display()));
        let first = Outbox::open(&path, &[9; 32].into()).unwrap();
        drop(first.open_again().unwrap());
        power_cut::beside("tests::the_process_that_closes", &path);
        assert!(log.exists(), "another process took the log away under a connection that is open");
        drop(first);
        assert!(!log.exists());
    }
}
