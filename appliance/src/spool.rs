//! Files of acknowledged images: written under a name of our own making, durable before anybody is told. It never trusts a
//! name from outside, and never removes a file that is still owed a result.
//!
//! ```text
//! state_dir/spool/temp/NAME   being received; worth nothing after a restart
//! state_dir/spool/NAME        durable; acknowledged once the journal has its row
//! ```

pub mod part10;
pub mod recovery;
mod writer;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

pub use part10::FileMeta;
pub use writer::{Received, Writer};

/// Free bytes below which nothing more is accepted: the database and its log must still be able to grow so that what was
/// accepted can be concluded. A result with its picture takes about 1 MB, and a spool holds some hundred unread images.
const RESERVE: u64 = 512 << 20;

/// The folder of received files.
#[derive(Clone, Debug)]
pub struct Spool {
    root: PathBuf,
    reserve: u64,
}

/// What the spool could not do.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// No room.
    #[error("the disk that holds state_dir is full; free space on it")]
    Full,
    /// Anything else the file system refused.
    #[error("cannot {doing} in {}; check that the service's user owns state_dir and that the disk is healthy", folder.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// Where.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Spool {
    /// Opens `root`, making its folders where they are missing.
    ///
    /// # Errors
    /// [`SpoolError::Io`] where they cannot be made.
    pub fn open(root: &Path) -> Result<Self, SpoolError> {
        let spool = Self { root: root.to_owned(), reserve: RESERVE };
        fs::create_dir_all(spool.temp()).map_err(spool.io("make the spool's folders"))?;
        sync_folder(root).map_err(spool.io("make the spool's folders durable"))?;
        Ok(spool)
    }

    /// With another reserve than the default of 512 MiB: bytes that must be free for more to be accepted.
    #[must_use]
    pub fn reserving(self, bytes: u64) -> Self {
        Self { reserve: bytes, ..self }
    }

    /// Begins a file named after `name`, with its file meta group.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn create(&self, name: Uuid, meta: &FileMeta<'_>) -> Result<Writer, SpoolError> {
        if !self.has_room()? {
            return Err(SpoolError::Full);
        }
        Writer::create(self, format!("{name}.dcm"), meta)
    }

    /// Where a file of this name lies.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// Opens a file as plaintext Part 10 bytes, standing anywhere; `None` where it is gone.
    ///
    /// # Errors
    /// [`SpoolError::Io`] where the system does not give it: another time it may.
    pub fn open_plain(&self, file: &str) -> Result<Option<File>, SpoolError> {
        match File::open(self.path(file)) {
            Ok(opened) => Ok(Some(opened)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io("open a file")(error)),
        }
    }

    /// Removes a file that nobody is owed any more; one that is gone already is as good.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn remove(&self, file: &str) -> Result<(), SpoolError> {
        match fs::remove_file(self.path(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io("remove a file")(error)),
            _ => Ok(()),
        }
    }

    /// True while there is room to accept more.
    ///
    /// # Errors
    /// [`SpoolError::Io`] where the file system does not say.
    pub fn has_room(&self) -> Result<bool, SpoolError> {
        Ok(self.free_bytes()? >= self.reserve)
    }

    fn free_bytes(&self) -> Result<u64, SpoolError> {
        let told = rustix::fs::statvfs(&self.root).map_err(|errno| self.io("measure the free space")(errno.into()))?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }

    fn temp(&self) -> PathBuf {
        self.root.join("temp")
    }

    fn io(&self, doing: &'static str) -> impl Fn(io::Error) -> SpoolError {
        let folder = self.root.clone();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SpoolError::Full,
            _ => SpoolError::Io { doing, folder: folder.clone(), source },
        }
    }
}

/// Makes the entries of a folder durable: a synced file whose directory entry is lost is lost (fsync(2)).
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
