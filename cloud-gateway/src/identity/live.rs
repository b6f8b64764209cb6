//! The sealing keys of a running service: those of the file as it is now. A file that is not whole is passed over.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{IdentityError, SealingKeys, load};

/// Device, inode, length and time of change, seconds and nanoseconds: what tells one state of a file from another.
type Stamp = (u64, u64, u64, i64, i64);

/// The keys and the file that they are read from.
pub struct LiveKeys {
    file: PathBuf,
    read: Mutex<(Option<Stamp>, Arc<SealingKeys>)>,
}

impl LiveKeys {
    /// Reads the file, which has to be whole this time.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn open(file: &Path) -> Result<Self, IdentityError> {
        // The stamp first: what changes in between is read again.
        let stamp = stamp(file);
        let keys = Arc::new(load(file)?);
        Ok(Self { file: file.to_owned(), read: Mutex::new((stamp, keys)) })
    }

    /// The keys as they are in the file now.
    #[must_use]
    pub fn current(&self) -> Arc<SealingKeys> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.file);
        if now != read.0 {
            match load(&self.file) {
                Ok(keys) => {
                    tracing::info!(newest = keys.public().key_id().0, "the keys that devices seal to were read again");
                    read.1 = Arc::new(keys);
                }
                Err(error) => {
                    tracing::error!(error = vitals::exit::chain(&error), "the keys stay those that were read before");
                }
            }
            read.0 = now;
        }
        Arc::clone(&read.1)
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let told = fs::metadata(file).ok()?;
    Some((told.dev(), told.ino(), told.len(), told.ctime(), told.ctime_nsec()))
}
