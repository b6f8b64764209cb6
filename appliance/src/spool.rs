//! Files of acknowledged images: written under a name of our own making, durable before anybody is told. It never trusts a
//! name from outside, and never removes a file that is still owed a result.
//!
//! ```text
//! state_dir/spool/NAME   sealed ([`crate::at_rest::stream`]); worth nothing until the journal has its row
//! ```

mod adoption;
mod direct;
mod folder;
mod kept;
pub mod part10;
pub mod recovery;
pub mod watermarks;
mod writer;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

pub use part10::FileMeta;
pub use writer::{Received, Writer};

use crate::at_rest::stream::StreamError;
use crate::at_rest::{AtRest, AtRestError};
use folder::Folder;
use kept::Kept;
use watermarks::DiskConfig;

/// The folder of received files. Clones share what they know of it.
#[derive(Clone, Debug)]
pub struct Spool {
    root: PathBuf,
    disk: DiskConfig,
    at_rest: AtRest,
    folder: Arc<Folder>,
    kept: Kept,
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
    /// No key could be made for a file.
    #[error("cannot seal a file")]
    Seal(#[source] AtRestError),
    /// A file is not what was written: the disk lost it or somebody changed it. It will not be whole another time.
    #[error("a stored file is damaged: {0}")]
    Damaged(&'static str),
}

impl SpoolError {
    /// True where the disk does not give back what it took: it may recover, and the image is not at fault. A damaged file
    /// system says EUCLEAN or EBADMSG (its own checksum), a damaged disk EIO or ENODATA.
    #[must_use]
    pub fn is_medium(&self) -> bool {
        use rustix::io::Errno;
        let medium = [Errno::IO, Errno::UCLEAN, Errno::BADMSG, Errno::NODATA].map(Errno::raw_os_error);
        matches!(self, Self::Io { source, .. } if source.raw_os_error().is_some_and(|error| medium.contains(&error)))
    }
}

impl Spool {
    /// Opens `root`, making it where it is missing. What is written there is sealed with `at_rest`.
    ///
    /// # Errors
    /// [`SpoolError::Io`] where it cannot be made.
    pub fn open(root: &Path, at_rest: &AtRest) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Io { doing: "make the spool's folder", folder: root.to_owned(), source };
        fs::create_dir_all(root).map_err(failed)?;
        let folder = Folder::open(root).map_err(failed)?;
        // Its own entry, too.
        root.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all()).map_err(failed)?;
        Ok(Self {
            root: root.to_owned(),
            disk: DiskConfig::default(),
            at_rest: at_rest.clone(),
            folder: Arc::new(folder),
            kept: Kept::with_budget(kept::budget(kept::machine())),
        })
    }

    /// With another budget than the default of 256 MiB for plain bytes in memory.
    #[must_use]
    pub fn keeping(self, bytes: u64) -> Self {
        Self { kept: Kept::with_budget(bytes), ..self }
    }

    /// With other watermarks than the default ones.
    #[must_use]
    pub fn on(self, disk: DiskConfig) -> Self {
        Self { disk, ..self }
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

    /// Opens a file as plaintext Part 10 bytes that nobody can change, standing at their beginning; `None` where it is gone.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`] where it is not what was written; any other where the system does not give it: another time it
    /// may.
    pub fn open_plain(&self, file: &str) -> Result<Option<File>, SpoolError> {
        if let Some(plain) = self.kept.take(file) {
            return Ok(Some(plain));
        }
        let sealed = match File::open(self.path(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(self.io("open a file"))?,
        };
        let plain = kept::memory().map_err(self.io("take memory for a file"))?;
        self.at_rest.open_stream(file, &sealed, &plain).map_err(|error| match error {
            StreamError::Read(source) => self.io("read a file")(source),
            StreamError::Write(source) => self.io("take memory for a file")(source),
            StreamError::Damaged(what) => SpoolError::Damaged(what),
        })?;
        kept::finished(plain).map(Some).map_err(self.io("take memory for a file"))
    }

    /// True where what lies on the disk is all of what was written. What memory has of it is not asked.
    ///
    /// # Errors
    /// [`SpoolError::Io`] where the system does not give it.
    pub fn is_whole(&self, file: &str) -> Result<bool, SpoolError> {
        let sealed = match File::open(self.path(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(self.io("open a file"))?,
        };
        match self.at_rest.open_stream(file, &sealed, io::sink()) {
            Ok(_) => Ok(true),
            Err(StreamError::Damaged(_)) => Ok(false),
            Err(StreamError::Read(source) | StreamError::Write(source)) => Err(self.io("read a file")(source)),
        }
    }

    /// Gives back the memory that a file's plain bytes take; they are opened from the disk if they are wanted.
    pub fn forget_plain(&self, file: &str) {
        drop(self.kept.take(file));
    }

    /// Removes a file that nobody is owed any more; one that is gone already is as good.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn remove(&self, file: &str) -> Result<(), SpoolError> {
        self.forget_plain(file);
        match fs::remove_file(self.path(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io("remove a file")(error)),
            _ => Ok(()),
        }
    }

    /// Moves a file out of the spool into `folder`.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub(super) fn put_aside(&self, file: &str, folder: &Path) -> Result<(), SpoolError> {
        let moved = fs::create_dir_all(folder).and_then(|()| fs::rename(self.path(file), folder.join(file)));
        moved.map_err(self.io("put a file aside"))
    }

    /// True while there is room to accept more.
    ///
    /// # Errors
    /// [`SpoolError::Io`] where the file system does not say.
    pub fn has_room(&self) -> Result<bool, SpoolError> {
        Ok(self.disk.accepts(self.free_bytes()?))
    }

    /// True while results have room for their pictures.
    ///
    /// # Errors
    /// [`SpoolError::Io`] where the file system does not say.
    pub fn has_room_for_pictures(&self) -> Result<bool, SpoolError> {
        Ok(self.disk.has_room_for_pictures(self.free_bytes()?))
    }

    /// True while the file system takes nothing: the system makes it so where a disk fails.
    ///
    /// # Errors
    /// [`SpoolError::Io`] where the file system does not say.
    pub fn is_read_only(&self) -> Result<bool, SpoolError> {
        let told = rustix::fs::statvfs(&self.root).map_err(|errno| self.io("look at the file system")(errno.into()))?;
        Ok(told.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    fn free_bytes(&self) -> Result<u64, SpoolError> {
        let told = rustix::fs::statvfs(&self.root).map_err(|errno| self.io("measure the free space")(errno.into()))?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }

    fn io(&self, doing: &'static str) -> impl Fn(io::Error) -> SpoolError {
        let folder = self.root.clone();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SpoolError::Full,
            _ => SpoolError::Io { doing, folder: folder.clone(), source },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A spool under a key of its own.
    pub(crate) fn spool(root: &Path) -> Spool {
        Spool::open(root, &AtRest::new(&[7; 32], rand::random)).unwrap()
    }

    #[test]
    fn a_file_that_was_changed_is_damaged_and_one_that_is_gone_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path());
        let meta = FileMeta { sop_class: "1.2", sop_instance: "1.3", transfer_syntax: "1.2", source: "XR" };
        let mut writer = spool.create(Uuid::from_u128(1), &meta).unwrap();
        writer.write(&[7; 2_000_000]).unwrap();
        let name = writer.finish().unwrap().name;
        spool.forget_plain(&name);
        let whole = fs::read(spool.path(&name)).unwrap();
        let refused = |bytes: &[u8]| {
            fs::write(spool.path(&name), bytes).unwrap();
            matches!(spool.open_plain(&name), Err(SpoolError::Damaged(_))) && !spool.is_whole(&name).unwrap()
        };
        // Magic, salt, first frame, its tag, a later frame, the last tag.
        for at in [0, 10, 100, 524_280, 600_000, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(refused(&changed), "byte {at}");
        }
        assert!(refused(&whole[..whole.len() - 1]) && refused(b""));
        // Another file of this very device.
        fs::write(spool.path("other.dcm"), &whole).unwrap();
        assert!(matches!(spool.open_plain("other.dcm"), Err(SpoolError::Damaged(_))));
        fs::write(spool.path(&name), &whole).unwrap();
        assert!(spool.open_plain(&name).unwrap().is_some() && spool.is_whole(&name).unwrap());
        spool.remove(&name).unwrap();
        assert!(spool.open_plain(&name).unwrap().is_none() && !spool.is_whole(&name).unwrap());
    }
}
