//! The steps by which slots and names change, one call to the system each, so that a test can cut the power between any two.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

/// The disk; in tests one whose power goes after so many steps.
#[derive(Debug, Default)]
pub(super) struct Disk {
    #[cfg(test)]
    pub(super) steps_left: std::cell::Cell<Option<u32>>,
}

impl Disk {
    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        match self.steps_left.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                self.steps_left.set(Some(left - 1));
                Ok(())
            }
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "only a test's disk has power to lose")]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        fs::create_dir(folder)
    }

    /// A new file, on the disk when this returns. A cut in the middle leaves half of it.
    pub(super) fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        let mut new = File::create_new(file)?;
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        new.write_all(first)?;
        self.step()?;
        new.write_all(rest)?;
        self.step()?;
        new.sync_all()
    }

    pub(super) fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.step()?;
        symlink(target, link)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        fs::rename(from, to)
    }

    pub(super) fn remove(&self, file: &Path) -> io::Result<()> {
        self.step()?;
        fs::remove_file(file)
    }

    pub(super) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        File::open(folder)?.sync_all()
    }
}
