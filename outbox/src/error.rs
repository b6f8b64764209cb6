//! What can go wrong with the device database, and what the user can do about it.

use std::path::PathBuf;

use rusqlite::{ErrorCode, ffi};

/// A refusal of the device database.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The file can't be opened or is no database.
    #[error(
        "cannot open the device database {}; check that the folder exists, belongs to the service's user and that the \
         file was not replaced by something else",
        path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// It does not open with the key.
    #[error(
        "the device database {} does not open with this key: give the service this device's own (the appliance derives it from \
         the at-rest key; the sync-agent gets it from `hilum-appliance key database`), or the file is damaged or none of ours",
        path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// A file from before the database was encrypted.
    #[error(
        "the device database {} is not encrypted yet; start hilum-appliance of this release once, which encrypts it",
        path.display()
    )]
    Plain {
        /// The file.
        path: PathBuf,
    },
    /// The library can't encrypt, which no build of ours should be able to say.
    #[error("this program was built without SQLCipher and must not write patients' data; install the released one")]
    Cipher,
    /// What guards the file's name can't be opened.
    #[error("cannot read the device database {}; check that it belongs to the service's user", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The encrypted copy can't be made or put in place.
    #[error(
        "cannot write an encrypted copy beside the device database {}; it needs as much free space as the file has",
        path.display()
    )]
    Rewrite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The copy is not what was copied.
    #[error(
        "the encrypted copy of the device database {} does not hold what the file holds; the file was left as it is: look at \
         the disk",
        path.display()
    )]
    Copy {
        /// The file.
        path: PathBuf,
    },
    /// The file system can't give the durability that a success status promises.
    #[error(
        "the device database {} cannot be made durable (journal mode \"{journal}\", synchronous {synchronous}); put \
         state_dir on a local file system that supports shared memory files, not on a network share",
        path.display()
    )]
    Durability {
        /// The file.
        path: PathBuf,
        /// The journal mode in force.
        journal: String,
        /// The synchronous level in force.
        synchronous: i64,
    },
    /// A newer release wrote the file.
    #[error(
        "the device database {} has schema {found}, this release knows {known}; install the release that wrote it, or \
         a newer one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// The disk is full: nothing was written, nothing is lost.
    #[error("cannot {doing}: the disk is full; free space on the disk that holds state_dir")]
    Full {
        /// What was attempted.
        doing: &'static str,
    },
    /// The other process holds the database.
    #[error("cannot {doing}: another process has held the device database for 10 seconds; is a service hanging?")]
    Busy {
        /// What was attempted.
        doing: &'static str,
    },
    /// It is damaged and waits to be put aside.
    #[error(
        "the device database {} is damaged; start hilum-appliance, which puts it aside and goes on with a new one",
        path.display()
    )]
    Condemned {
        /// The file.
        path: PathBuf,
    },
    /// A damaged file can't be put aside.
    #[error(
        "the damaged device database {} cannot be put aside; check that the disk can be written to and that state_dir belongs to \
         the service's user",
        path.display()
    )]
    Aside {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else that `SQLite` refuses.
    #[error("cannot {doing} in the device database")]
    Statement {
        /// What was attempted.
        doing: &'static str,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// Others shared the commit that failed.
    #[error("cannot commit to the device database: {reason}")]
    Group {
        /// What was said to the first of them.
        reason: String,
    },
    /// The transition is not in the table of states.
    #[error("cannot {doing}: the row is not in a state that allows it")]
    Refused {
        /// What was attempted.
        doing: &'static str,
    },
}

impl OutboxError {
    /// Sorts `SQLite`'s refusals by what the caller can do.
    pub(crate) fn statement(doing: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { doing },
            // The log's index, a file beside the database that processes share, could not grow.
            _ if source.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE) => {
                Self::Full { doing }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { doing },
            _ => Self::Statement { doing, source },
        }
    }

    /// The same refusal for each who shared a commit.
    #[must_use]
    pub fn for_each(&self) -> Self {
        match self {
            Self::Full { doing } => Self::Full { doing },
            Self::Busy { doing } => Self::Busy { doing },
            Self::Statement { doing, source: rusqlite::Error::SqliteFailure(failure, words) } => {
                Self::Statement { doing, source: rusqlite::Error::SqliteFailure(*failure, words.clone()) }
            }
            other => Self::Group { reason: other.to_string() },
        }
    }

    /// True where freeing disk space is the remedy: the scanner is then told 0xA700.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_in_which_sqlite_says_that_the_disk_is_full_are_told_as_such() {
        let told = |code| {
            let failure = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            OutboxError::statement("x")(failure).is_full()
        };
        assert!(told(ffi::SQLITE_FULL) && told(ffi::SQLITE_IOERR_SHMSIZE));
        assert!(!told(ffi::SQLITE_IOERR) && !told(ffi::SQLITE_IOERR_FSYNC) && !told(ffi::SQLITE_BUSY));
    }
}
