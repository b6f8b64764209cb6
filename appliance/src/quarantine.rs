//! Files that could not be read, kept aside with the reason for whoever looks into it: sealed as in the spool, and under the same
//! names, which are ours and say nothing about a patient. The newest are kept, the oldest leave.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::at_rest::AtRest;
use crate::at_rest::stream::StreamError;
use crate::spool::Spool;

/// Files that are kept: at 10 MB each about 2 GB.
const KEPT: usize = 200;

/// The folder of kept files.
#[derive(Clone, Debug)]
pub struct Quarantine {
    root: PathBuf,
}

/// Why a file is here; the content of `NAME.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Stable code.
    pub code: String,
    /// Words for people.
    pub words: String,
    /// Milliseconds since the Unix epoch.
    pub kept_at_ms: i64,
    /// Version of the appliance.
    pub appliance_version: String,
}

/// One of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    /// Its name here, and once in the spool.
    pub name: String,
    /// Why it is here.
    pub note: Note,
}

/// What the quarantine could not do.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The folder cannot be used.
    #[error("cannot use the quarantine {}; check that the service's user owns state_dir, and run this as that user", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such file.
    #[error("there is no file \"{0}\" in the quarantine; `hilum-appliance quarantine list` names those that there are")]
    Unknown(String),
    /// The file for the plain bytes cannot be made.
    #[error("cannot write {}; name a file that is not there yet, in a folder that has room", file.display())]
    Out {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kept file does not open.
    #[error("the kept file does not open")]
    Sealed(#[source] StreamError),
}

impl Quarantine {
    /// Opens the folder, making it where it is missing.
    ///
    /// # Errors
    /// [`QuarantineError`].
    pub fn open(root: &Path) -> Result<Self, QuarantineError> {
        let quarantine = Self::at(root);
        fs::create_dir_all(root).map_err(quarantine.error())?;
        Ok(quarantine)
    }

    /// The folder as it is, for looking into it.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// What is kept, oldest first.
    ///
    /// # Errors
    /// [`QuarantineError::Folder`].
    pub fn list(&self) -> Result<Vec<KeptFile>, QuarantineError> {
        let kept = |note: &PathBuf| {
            let text = fs::read(note).ok()?;
            let name = note.with_extension("dcm").file_name()?.to_str()?.to_owned();
            Some(KeptFile { name, note: serde_json::from_slice(&text).ok()? })
        };
        Ok(self.notes().map_err(self.error())?.iter().filter_map(kept).collect())
    }

    /// Writes one file as it was received to `out`, for its owner alone; gives its length in bytes.
    ///
    /// # Errors
    /// [`QuarantineError`]; nothing is left at `out` then.
    pub fn export(&self, name: &str, at_rest: &AtRest, out: &Path) -> Result<u64, QuarantineError> {
        let unknown = || QuarantineError::Unknown(name.to_owned());
        let plain_name = Path::new(name).file_name().is_some_and(|file| file == name);
        let sealed = match File::open(self.root.join(name)) {
            Ok(sealed) if plain_name => sealed,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.error()(error)),
            _ => return Err(unknown()),
        };
        let failed = |source| QuarantineError::Out { file: out.to_owned(), source };
        let plain = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
        at_rest.open_stream(name, &sealed, &plain).map_err(|error| {
            let _ = fs::remove_file(out);
            QuarantineError::Sealed(error)
        })
    }

    /// Keeps a second name for a spool file, with its note. A file that is gone leaves its note alone.
    ///
    /// # Errors
    /// [`QuarantineError`].
    pub fn keep(&self, spool: &Spool, file: &str, note: &Note) -> Result<(), QuarantineError> {
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
        let notes = self.notes()?;
        let surplus = notes.len().saturating_sub(KEPT);
        for note in notes.into_iter().take(surplus) {
            let _ = fs::remove_file(note.with_extension("dcm"));
            fs::remove_file(note)?;
        }
        Ok(())
    }

    fn notes(&self) -> io::Result<Vec<PathBuf>> {
        let mut notes: Vec<PathBuf> = fs::read_dir(&self.root)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        notes.sort_unstable();
        Ok(notes)
    }

    fn error(&self) -> impl Fn(io::Error) -> QuarantineError {
        let folder = self.root.clone();
        move |source| QuarantineError::Folder { folder: folder.clone(), source }
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
    use uuid::Uuid;

    use super::*;
    use crate::spool::FileMeta;

    fn note() -> Note {
        Note { code: "malformed".into(), words: "damaged".into(), kept_at_ms: 7, appliance_version: "0".into() }
    }

    #[test]
    fn a_kept_file_is_sealed_and_comes_out_as_it_was_received() {
        let folder = tempfile::tempdir().unwrap();
        let key = AtRest::new(&[7; 32], rand::random);
        let spool = Spool::open(&folder.path().join("spool"), &key).unwrap();
        let quarantine = Quarantine::open(&folder.path().join("quarantine")).unwrap();
        let meta = FileMeta { sop_class: "1.2", sop_instance: "1.3", transfer_syntax: "1.2", source: "XR" };
        let mut writer = spool.create(Uuid::from_u128(1), &meta).unwrap();
        writer.write(b"DOE^JANE").unwrap();
        let name = writer.finish().unwrap().name;
        quarantine.keep(&spool, &name, &note()).unwrap();
        spool.remove(&name).unwrap();
        assert_eq!(quarantine.list().unwrap(), [KeptFile { name: name.clone(), note: note() }]);
        assert!(!fs::read(quarantine.root.join(&name)).unwrap().windows(3).any(|bytes| bytes == b"DOE"));

        let out = folder.path().join("out.dcm");
        let length = quarantine.export(&name, &key, &out).unwrap();
        let plain = fs::read(&out).unwrap();
        assert!(plain.ends_with(b"DOE^JANE") && plain.len() as u64 == length);
        assert!(
            matches!(quarantine.export(&name, &key, &out), Err(QuarantineError::Out { .. })),
            "it is there already"
        );
        let other = folder.path().join("other.dcm");
        let wrong = AtRest::new(&[8; 32], rand::random);
        assert!(matches!(quarantine.export(&name, &wrong, &other), Err(QuarantineError::Sealed(_))) && !other.exists());
        for unknown in ["2.dcm", "../spool/2.dcm", "../quarantine", ""] {
            let refused = quarantine.export(unknown, &key, &other);
            assert!(matches!(refused, Err(QuarantineError::Unknown(_))), "{unknown}: {refused:?}");
        }
    }

    #[test]
    fn the_newest_are_kept_with_their_notes() {
        let folder = tempfile::tempdir().unwrap();
        let spool = crate::spool::tests::spool(&folder.path().join("spool"));
        let quarantine = Quarantine::open(&folder.path().join("quarantine")).unwrap();
        let note = note();
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
        let note = note();
        fs::write(spool.path("1.dcm"), b"DICM").unwrap();
        for _ in 0..2 {
            quarantine.keep(&spool, "1.dcm", &note).unwrap();
        }
        assert_eq!(fs::read(spool.path("1.dcm")).unwrap(), b"DICM");
        assert_eq!(fs::read(quarantine.root.join("1.dcm")).unwrap(), b"DICM");
    }
}
