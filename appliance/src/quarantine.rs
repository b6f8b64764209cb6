//! Files that could not be read, kept aside with the reason for whoever looks into it. The names are ours and say nothing
//! about a patient; the newest are kept, the oldest leave.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::spool::Spool;

/// Files that are kept: at 10 MB each about 2 GB.
const KEPT: usize = 200;

/// The folder of kept files.
#[derive(Clone, Debug)]
pub struct Quarantine {
    root: PathBuf,
}

/// Why a file is here; the content of `NAME.json`.
#[derive(Debug, Serialize)]
pub struct Note<'a> {
    /// Stable code.
    pub code: &'a str,
    /// Words for people.
    pub words: &'a str,
    /// Milliseconds since the Unix epoch.
    pub kept_at_ms: i64,
    /// Version of the appliance.
    pub appliance_version: &'a str,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the quarantine {}; check that the service's user owns state_dir", folder.display())]
pub struct QuarantineError {
    folder: PathBuf,
    source: io::Error,
}

impl Quarantine {
    /// Opens the folder, making it where it is missing.
    ///
    /// # Errors
    /// [`QuarantineError`].
    pub fn open(root: &Path) -> Result<Self, QuarantineError> {
        let quarantine = Self { root: root.to_owned() };
        fs::create_dir_all(root).map_err(quarantine.error())?;
        Ok(quarantine)
    }

    /// Keeps a second name for a spool file, with its note. A file that is gone leaves its note alone.
    ///
    /// # Errors
    /// [`QuarantineError`].
    pub fn keep(&self, spool: &Spool, file: &str, note: &Note<'_>) -> Result<(), QuarantineError> {
        let error = self.error();
        if !file.is_empty() {
            let (from, to) = (spool.path(file), self.root.join(file));
            match link_or_copy(&from, &to) {
                Err(failed) if failed.kind() != io::ErrorKind::NotFound => return Err(error(failed)),
                _ => {}
            }
        }
        let text = serde_json::to_vec_pretty(note).map_err(|failed| error(failed.into()))?;
        fs::write(self.root.join(file).with_extension("json"), text).map_err(&error)?;
        self.trim().map_err(&error)
    }

    /// Names begin with their time of making (`UUIDv7`), so the first by name are the oldest.
    fn trim(&self) -> io::Result<()> {
        let mut notes: Vec<PathBuf> = fs::read_dir(&self.root)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        notes.sort_unstable();
        let surplus = notes.len().saturating_sub(KEPT);
        for note in notes.into_iter().take(surplus) {
            let _ = fs::remove_file(note.with_extension("dcm"));
            fs::remove_file(note)?;
        }
        Ok(())
    }

    fn error(&self) -> impl Fn(io::Error) -> QuarantineError {
        let folder = self.root.clone();
        move |source| QuarantineError { folder: folder.clone(), source }
    }
}

/// A link costs no space while the spool still has the file; folders on two disks, or a disk without links, need a copy.
/// A name that is there already is the same file, kept before: a copy would empty it first, and the spool's file with it.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Linux says EPERM where the file system has no links.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::CrossesDevices | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) =>
        {
            fs::copy(from, to).map(drop)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_with_their_notes() {
        let folder = tempfile::tempdir().unwrap();
        let spool = crate::spool::tests::spool(&folder.path().join("spool"));
        let quarantine = Quarantine::open(&folder.path().join("quarantine")).unwrap();
        let note = Note { code: "malformed", words: "damaged", kept_at_ms: 7, appliance_version: "0" };
        for number in 0..KEPT + 3 {
            let file = format!("{number:04}.dcm");
            fs::write(spool.path(&file), b"DICM").unwrap();
            quarantine.keep(&spool, &file, &note).unwrap();
        }
        let list = |extension: &str| {
            let entries = fs::read_dir(&quarantine.root).unwrap().map(|entry| entry.unwrap().path());
            entries.filter(|path| path.extension().unwrap() == extension).count()
        };
        assert_eq!((list("dcm"), list("json")), (KEPT, KEPT));
        assert!(!quarantine.root.join("0002.dcm").exists() && quarantine.root.join("0003.dcm").exists());
        let text = fs::read_to_string(quarantine.root.join("0100.json")).unwrap();
        assert!(text.contains("\"malformed\""), "{text}");
    }

    #[test]
    fn a_file_that_is_kept_twice_is_whole_in_both_places() {
        let folder = tempfile::tempdir().unwrap();
        let spool = crate::spool::tests::spool(&folder.path().join("spool"));
        let quarantine = Quarantine::open(&folder.path().join("quarantine")).unwrap();
        let note = Note { code: "malformed", words: "damaged", kept_at_ms: 7, appliance_version: "0" };
        fs::write(spool.path("1.dcm"), b"DICM").unwrap();
        for _ in 0..2 {
            quarantine.keep(&spool, "1.dcm", &note).unwrap();
        }
        assert_eq!(fs::read(spool.path("1.dcm")).unwrap(), b"DICM");
        assert_eq!(fs::read(quarantine.root.join("1.dcm")).unwrap(), b"DICM");
    }
}
