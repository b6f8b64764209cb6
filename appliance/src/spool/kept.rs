//! The plain bytes of what was just received, in memory until the reader takes them, so that they need not come back from the
//! disk and be opened. A bounded convenience: whatever does not fit, or is lost with the process, is on the disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::system::sysinfo;

/// Part of the machine's memory for plain bytes unless something else is said.
const SHARE: u64 = 16;

/// Bounds of it: six full-size radiographs, and a hundred, which is more than any study or ward round sends at once.
const BUDGET: RangeInclusive<u64> = 64 << 20..=1 << 30;

/// Memory for plain bytes on a machine with as much memory as this, bytes.
pub(super) fn budget(total: u64) -> u64 {
    (total / SHARE).clamp(*BUDGET.start(), *BUDGET.end())
}

/// This machine's memory, bytes.
pub(super) fn machine() -> u64 {
    let info = sysinfo();
    u64::from(info.mem_unit).saturating_mul(info.totalram)
}

/// What is kept. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    shelf: Arc<Mutex<Shelf>>,
    budget: u64,
}

#[derive(Debug, Default)]
struct Shelf {
    used: u64,
    files: HashMap<String, (File, u64)>,
}

/// An object that is being kept; dropped before [`Keeping::done`], it is forgotten.
#[derive(Debug)]
pub(super) struct Keeping {
    kept: Kept,
    file: File,
    bytes: u64,
}

impl Kept {
    pub(super) fn with_budget(budget: u64) -> Self {
        Self { shelf: Arc::default(), budget }
    }

    /// `None` where there is no memory to be had.
    pub(super) fn begin(&self) -> Option<Keeping> {
        Some(Keeping { kept: self.clone(), file: memory().ok()?, bytes: 0 })
    }

    /// The plain bytes of this file, standing at their beginning; they are not kept any longer.
    pub(super) fn take(&self, name: &str) -> Option<File> {
        let mut shelf = self.shelf();
        let (file, bytes) = shelf.files.remove(name)?;
        shelf.used -= bytes;
        Some(file)
    }

    #[cfg(test)]
    pub(super) fn has(&self, name: &str) -> bool {
        self.shelf().files.contains_key(name)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeping {
    /// Adds bytes; `None` where there is no room for them, and then none of the object is kept.
    pub(super) fn write(mut self, piece: &[u8]) -> Option<Self> {
        let length = piece.len() as u64;
        let mut shelf = self.kept.shelf();
        if shelf.used + length > self.kept.budget {
            drop(shelf);
            return None;
        }
        shelf.used += length;
        drop(shelf);
        self.bytes += length;
        self.file.write_all(piece).is_ok().then_some(self)
    }

    /// Keeps it under this name until it is taken.
    pub(super) fn done(mut self, name: &str) {
        if let Ok(file) = self.file.try_clone().and_then(finished) {
            let bytes = std::mem::take(&mut self.bytes);
            self.kept.shelf().files.insert(name.to_owned(), (file, bytes));
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.kept.shelf().used -= self.bytes;
    }
}

/// A file that lies in memory alone and has no name.
pub(super) fn memory() -> std::io::Result<File> {
    Ok(memfd_create("radiograph", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into())
}

/// Standing at its beginning, never to be changed again by whoever is given it.
pub(super) fn finished(mut file: File) -> std::io::Result<File> {
    file.rewind()?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_share_of_the_machine_within_bounds() {
        let gib = |number: u64| number << 30;
        for (total, budget_mib) in [(0, 64), (gib(1), 64), (gib(4), 256), (gib(8), 512), (gib(64), 1024)] {
            assert_eq!(budget(total), budget_mib << 20, "{total}");
        }
        assert!(machine() > 64 << 20, "bytes and no other unit");
    }

    #[test]
    fn memory_is_bounded_given_back_and_cannot_be_changed() {
        let kept = Kept::with_budget(10);
        kept.begin().unwrap().write(b"123456").unwrap().done("a");
        let refused = kept.begin().unwrap().write(b"1234").unwrap().write(b"5");
        assert!(refused.is_none(), "more than the budget");
        kept.begin().unwrap().write(b"1234").unwrap().done("b");
        let mut file = kept.take("a").unwrap();
        assert!(file.write_all(b"x").is_err());
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "123456");
        assert!(kept.take("a").is_none());
        drop(kept.begin().unwrap().write(b"123456").unwrap());
        kept.take("b").unwrap();
        assert_eq!(kept.shelf().used, 0);
    }
}
