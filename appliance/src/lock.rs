//! One appliance per state directory: two would remove each other's half-received files and read every image twice.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Held for the life of the service; the system releases it whatever the end.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be made or written to.
    #[error("cannot write to state_dir {}; make the folder and give it to the service's user", folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its file system takes nothing.
    #[error(
        "state_dir {} lies on a file system that is read-only, which the system makes it where a disk fails; look at `dmesg`, and \
         mount it writable",
        folder.display()
    )]
    ReadOnly {
        /// The folder.
        folder: PathBuf,
    },
    /// Somebody else is at it.
    #[error("another hilum-appliance uses state_dir {}; stop it, or give this one a folder of its own", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
}

impl StateLock {
    /// Makes the directory where it is missing, and takes it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn take(folder: &Path) -> Result<Self, StateError> {
        let unwritable = |source: io::Error| match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem => StateError::ReadOnly { folder: folder.to_owned() },
            _ => StateError::Unwritable { folder: folder.to_owned(), source },
        };
        fs::create_dir_all(folder).map_err(unwritable)?;
        let file = File::create(folder.join("appliance.lock")).map_err(unwritable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::Taken { folder: folder.to_owned() }),
            Err(errno) => Err(unwritable(errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let held = StateLock::take(folder.path()).unwrap();
        assert!(matches!(StateLock::take(folder.path()), Err(StateError::Taken { .. })));
        drop(held);
        assert!(StateLock::take(folder.path()).is_ok());
        let blocked = folder.path().join("file");
        fs::write(&blocked, b"").unwrap();
        assert!(matches!(StateLock::take(&blocked), Err(StateError::Unwritable { .. })));
    }
}
