//! One file being received: bytes go to the disk as they come, and become an image only when all of them are durable.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{FileMeta, Spool, SpoolError, sync_folder};

/// Bytes of the dataset's beginning that are kept for the check of its identifiers; group 0008 is the first group and its
/// SOP UIDs come among its first elements.
const HEAD: usize = 16 * 1024;

/// A file being received. Dropped before [`Writer::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Writer {
    spool: Spool,
    name: String,
    file: File,
    hash: Sha256,
    bytes: u64,
    head: Vec<u8>,
    finished: bool,
}

/// A durable file.
#[derive(Debug)]
pub struct Received {
    /// Its name in the spool.
    pub name: String,
    /// SHA-256 of the dataset, without the file meta group.
    pub digest: [u8; 32],
    /// Bytes of the dataset.
    pub bytes: u64,
    /// The beginning of the dataset.
    pub head: Vec<u8>,
}

impl Writer {
    pub(super) fn create(spool: &Spool, name: String, meta: &FileMeta<'_>) -> Result<Self, SpoolError> {
        let path = spool.temp().join(&name);
        let mut options = OpenOptions::new();
        // Whatever the umask of whoever starts the service: a radiograph is for this user only.
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(path).map_err(spool.io("begin a file"))?;
        file.write_all(&meta.encode()).map_err(spool.io("write a file"))?;
        let spool = spool.clone();
        Ok(Self { spool, name, file, hash: Sha256::new(), bytes: 0, head: Vec::new(), finished: false })
    }

    /// Bytes of the dataset so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a piece of the dataset.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), SpoolError> {
        self.file.write_all(piece).map_err(self.spool.io("write a file"))?;
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
        let missing = HEAD.saturating_sub(self.head.len());
        self.head.extend(piece.iter().take(missing));
        Ok(())
    }

    /// Makes the file durable under its final name: file, rename, folder, in this order.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing is left behind then.
    pub fn finish(mut self) -> Result<Received, SpoolError> {
        let io = self.spool.io("make a file durable");
        self.file.sync_all().map_err(&io)?;
        fs::rename(self.temp(), self.spool.path(&self.name)).map_err(&io)?;
        self.finished = true;
        if let Err(error) = sync_folder(&self.spool.root) {
            // Its entry may not survive a power cut, so it must not be acknowledged.
            let _ = self.spool.remove(&self.name);
            return Err(io(error));
        }
        Ok(Received {
            name: std::mem::take(&mut self.name),
            digest: self.hash.finalize_reset().into(),
            bytes: self.bytes,
            head: std::mem::take(&mut self.head),
        })
    }

    fn temp(&self) -> PathBuf {
        self.spool.temp().join(&self.name)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // What stays is removed at the next start.
            let _ = fs::remove_file(self.temp());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const META: FileMeta<'_> =
        FileMeta { sop_class: "1.2", sop_instance: "1.3", transfer_syntax: "1.2.840.10008.1.2", source: "XR" };

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        let listed =
            || fs::read_dir(folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
        let mut abandoned = spool.create(Uuid::from_u128(1), &META).unwrap();
        abandoned.write(b"half").unwrap();
        assert_eq!(listed(), 0);
        drop(abandoned);
        assert_eq!(fs::read_dir(spool.temp()).unwrap().count(), 0);

        let mut writer = spool.create(Uuid::from_u128(2), &META).unwrap();
        writer.write(b"data").unwrap();
        writer.write(b"set!").unwrap();
        let received = writer.finish().unwrap();
        assert_eq!((received.bytes, received.head.as_slice()), (8, b"dataset!".as_slice()));
        assert_eq!(received.digest, <[u8; 32]>::from(Sha256::digest(b"dataset!")));
        let bytes = fs::read(spool.path(&received.name)).unwrap();
        assert!(bytes[128..].starts_with(b"DICM") && bytes.ends_with(b"dataset!"));
        assert_eq!((listed(), fs::read_dir(spool.temp()).unwrap().count()), (1, 0));
    }
}
