//! One file being received: sealed and hashed as its bytes come, on its way to the disk while more come, and an image only when
//! all of it is durable. It belongs on a thread that may block.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use aws_lc_rs::digest::{Context, SHA256};

use fail_points::Point;

use super::direct::Direct;
use super::folder::Ticket;
use super::kept::Keeping;
use super::{FileMeta, Spool, SpoolError};
use crate::at_rest::stream::Sealer;

/// Bytes of the dataset's beginning that are kept for the check of its identifiers; group 0008 is the first group and its
/// SOP UIDs come among its first elements.
const HEAD: usize = 16 * 1024;

/// A file being received. Dropped before [`Writer::finish`], it leaves nothing behind.
pub struct Writer {
    spool: Spool,
    name: String,
    /// Taken when the file is finished.
    sealer: Option<Sealer<Direct>>,
    entry: Ticket,
    /// The plain bytes for the reader, while there is memory for them.
    keeping: Option<Keeping>,
    hash: Context,
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
        let mut options = OpenOptions::new();
        // Whatever the umask of whoever starts the service: a radiograph is for this user only.
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(spool.path(&name)).map_err(spool.io("begin a file"))?;
        let entry = spool.folder.ticket();
        let sealer = spool.at_rest.sealer(&name, Direct::new(file)).map_err(SpoolError::Seal)?;
        let mut writer = Self {
            keeping: spool.kept.begin(),
            spool: spool.clone(),
            name,
            sealer: Some(sealer),
            entry,
            hash: Context::new(&SHA256),
            bytes: 0,
            head: Vec::new(),
            finished: false,
        };
        writer.put(&meta.encode())?;
        fail_points::reach(Point::SpoolBegun);
        Ok(writer)
    }

    /// Adds a piece of the dataset.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), SpoolError> {
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
        let missing = HEAD.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..missing]);
        self.put(piece)
    }

    /// Makes the file durable: its bytes, then its entry in the folder.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing is left behind then.
    pub fn finish(mut self) -> Result<Received, SpoolError> {
        let io = self.spool.io("make a file durable");
        if let Some(sealer) = self.sealer.take() {
            let file: File = sealer.finish().map_err(&io)?.into_file();
            fail_points::reach(Point::SpoolWritten);
            // The length counts as data here (fdatasync(2)); times and owners may wait.
            file.sync_data().map_err(&io)?;
            fail_points::reach(Point::SpoolSynced);
        }
        self.spool.folder.sync_since(self.entry).map_err(&io)?;
        fail_points::reach(Point::SpoolListed);
        self.finished = true;
        if let Some(keeping) = self.keeping.take() {
            keeping.done(&self.name);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(self.hash.clone().finish().as_ref());
        let (name, head) = (std::mem::take(&mut self.name), std::mem::take(&mut self.head));
        Ok(Received { name, digest, bytes: self.bytes, head })
    }

    /// To the disk and, while it lasts, to memory.
    fn put(&mut self, piece: &[u8]) -> Result<(), SpoolError> {
        self.keeping = self.keeping.take().and_then(|keeping| keeping.write(piece));
        match &mut self.sealer {
            Some(sealer) => sealer.write(piece).map_err(self.spool.io("write a file")),
            None => Ok(()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // What stays is removed at the next start: no journal row names it.
            let _ = fs::remove_file(self.spool.path(&self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use sha2::{Digest, Sha256};
    use uuid::Uuid;

    use super::*;
    use crate::spool::tests::spool;

    const META: FileMeta<'_> =
        FileMeta { sop_class: "1.2", sop_instance: "1.3", transfer_syntax: "1.2.840.10008.1.2", source: "XR" };

    fn plain(spool: &Spool, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        spool.open_plain(name).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_file_is_whole_and_sealed_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path());
        let listed = || fs::read_dir(folder.path()).unwrap().count();
        let mut abandoned = spool.create(Uuid::from_u128(1), &META).unwrap();
        abandoned.write(b"half").unwrap();
        drop(abandoned);
        assert_eq!(listed(), 0);

        let mut writer = spool.create(Uuid::from_u128(2), &META).unwrap();
        writer.write(b"data").unwrap();
        writer.write(b"set!").unwrap();
        let received = writer.finish().unwrap();
        assert_eq!((received.bytes, received.head.as_slice()), (8, b"dataset!".as_slice()));
        assert_eq!(received.digest, <[u8; 32]>::from(Sha256::digest(b"dataset!")));
        let on_disk = fs::read(spool.path(&received.name)).unwrap();
        assert!(!on_disk.windows(4).any(|bytes| bytes == b"DICM" || bytes == b"set!"), "it lies there in plain");
        // From memory first, from the disk after that, and the same.
        let bytes = plain(&spool, &received.name);
        assert!(bytes[128..].starts_with(b"DICM") && bytes.ends_with(b"dataset!"));
        assert_eq!(plain(&spool, &received.name), bytes);
        assert_eq!(listed(), 1);
    }

    #[test]
    fn what_memory_has_no_room_for_is_read_from_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path()).keeping(3 << 20);
        let content: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
        for length in [100, content.len()] {
            let mut writer = spool.create(Uuid::from_u128(length as u128), &META).unwrap();
            content[..length].chunks(70_000).for_each(|piece| writer.write(piece).unwrap());
            let name = writer.finish().unwrap().name;
            assert_eq!(spool.kept.has(&name), length == 100);
            assert!(plain(&spool, &name).ends_with(&content[..length]));
            assert!(!spool.kept.has(&name), "memory is given back once the reader has it");
        }
    }
}
