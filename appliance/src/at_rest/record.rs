//! A sealed word in the state folder that only the folder's own key opens, so that another key is refused at the start and
//! not when the first image is wanted back. It holds nothing secret. While one key takes another's place, the old one lies beside
//! it, sealed with the new one: whoever has the new one has both, and the old one opens nothing of the new one's.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::{AtRest, AtRestError, RootKey};

/// Its name in the state folder.
pub(super) const FILE: &str = "at-rest.check";

/// The name of the old key, sealed, while another takes its place.
const REPLACED: &str = "at-rest.replaced";

const PURPOSE: &[u8] = b"key check";
const REPLACED_PURPOSE: &[u8] = b"replaced key";
const WORD: &[u8] = b"this folder was written with this key";

impl AtRest {
    /// Whether this is the key of `state_dir`; false where the folder has none yet. Changes nothing.
    ///
    /// # Errors
    /// [`AtRestError::Wrong`], [`AtRestError::NoRecord`] or [`AtRestError::Record`].
    pub fn is_key_of(&self, state_dir: &Path) -> Result<bool, AtRestError> {
        let file = state_dir.join(FILE);
        let failed = |source| AtRestError::Record { file: file.clone(), source };
        match fs::read(&file) {
            Ok(record) if self.is_of(&record) || self.replaced(state_dir)?.is_some() => Ok(true),
            Ok(_) => Err(AtRestError::Wrong { folder: state_dir.to_owned() }),
            // A folder's place that is a file is for whoever opens the folder to tell.
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(failed(error))
            }
            Err(_) if holds_files(&state_dir.join("spool")).map_err(failed)? => {
                Err(AtRestError::NoRecord { folder: state_dir.to_owned() })
            }
            Err(_) => Ok(false),
        }
    }

    /// Makes sure that this is the key of `state_dir` and of everything there, for those who read beside the service.
    ///
    /// # Errors
    /// As [`AtRest::is_key_of`], and [`AtRestError::Changing`].
    pub fn opens(&self, state_dir: &Path) -> Result<(), AtRestError> {
        self.is_key_of(state_dir)?;
        match self.replaced(state_dir)? {
            Some(_) => Err(AtRestError::Changing { folder: state_dir.to_owned() }),
            None => Ok(()),
        }
    }

    /// As [`AtRest::is_key_of`]; the first key that a folder meets becomes its own.
    ///
    /// # Errors
    /// Likewise.
    pub fn claim(&self, state_dir: &Path) -> Result<(), AtRestError> {
        if self.is_key_of(state_dir)? { Ok(()) } else { self.take_over(state_dir) }
    }

    /// Makes this the folder's key, whatever it was before.
    pub(crate) fn take_over(&self, state_dir: &Path) -> Result<(), AtRestError> {
        write(state_dir.join(FILE), &self.seal(PURPOSE, WORD)?)
    }

    /// The key whose place this one is taking in `state_dir`, while that lasts.
    ///
    /// # Errors
    /// [`AtRestError::Record`].
    pub fn replaced(&self, state_dir: &Path) -> Result<Option<RootKey>, AtRestError> {
        let file = state_dir.join(REPLACED);
        match fs::read(&file) {
            Ok(sealed) => Ok(self.open(REPLACED_PURPOSE, &sealed).ok().and_then(|key| RootKey::from_bytes(&key))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(source) => Err(AtRestError::Record { file, source }),
        }
    }

    /// Notes that this key takes the place of `old`; both are good until [`forget_replaced`].
    pub(crate) fn replaces(&self, old: &RootKey, state_dir: &Path) -> Result<(), AtRestError> {
        write(state_dir.join(REPLACED), &self.seal(REPLACED_PURPOSE, old.bytes())?)
    }

    fn is_of(&self, record: &[u8]) -> bool {
        self.open(PURPOSE, record).is_ok_and(|word| word == WORD)
    }
}

/// Ends a change of key: nothing is under the old one any more, or nothing is under the new one yet. False where there was none.
pub(crate) fn forget_replaced(state_dir: &Path) -> Result<bool, AtRestError> {
    let file = state_dir.join(REPLACED);
    let removed = match fs::remove_file(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.and_then(|()| File::open(state_dir)?.sync_all()),
    };
    removed.map(|()| true).map_err(|source| AtRestError::Record { file, source })
}

fn write(file: PathBuf, content: &[u8]) -> Result<(), AtRestError> {
    write_durably(&file, content).map_err(|source| AtRestError::Record { file, source })
}

fn holds_files(folder: &Path) -> io::Result<bool> {
    let mut entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        other => other?,
    };
    entries.try_fold(false, |found, entry| Ok(found || entry?.file_type()?.is_file()))
}

/// Whole or not at all, whenever the power goes: an empty record would look like another key. It belongs to the folder's owner,
/// whoever orders this.
fn write_durably(file: &Path, record: &[u8]) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let new = file.with_extension("new");
    let mut written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    written.write_all(record)?;
    let owner = fs::metadata(folder)?;
    fchown(&written, Some(owner.uid()), Some(owner.gid()))?;
    written.sync_all()?;
    fs::rename(&new, file)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> AtRest {
        AtRest::new(&[byte; 32], rand::random)
    }

    #[test]
    fn a_folder_belongs_to_its_first_key() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!key(1).is_key_of(folder.path()).unwrap());
        key(1).claim(folder.path()).unwrap();
        key(1).claim(folder.path()).unwrap();
        assert!(key(1).is_key_of(folder.path()).unwrap());
        let refused = key(2).claim(folder.path()).unwrap_err();
        assert!(matches!(refused, AtRestError::Wrong { .. }), "{refused}");
        // A record that was damaged is no reason to take whatever key comes.
        fs::write(folder.path().join(FILE), b"").unwrap();
        assert!(matches!(key(1).claim(folder.path()), Err(AtRestError::Wrong { .. })));
    }

    #[test]
    fn while_a_key_is_replaced_the_new_one_gives_the_old_one_and_not_the_other_way_round() {
        let folder = tempfile::tempdir().unwrap();
        let old = RootKey::parse(&"01".repeat(32)).unwrap();
        key(1).claim(folder.path()).unwrap();
        key(2).replaces(&old, folder.path()).unwrap();
        assert!(key(1).is_key_of(folder.path()).unwrap() && key(2).is_key_of(folder.path()).unwrap());
        assert!(
            key(2).replaced(folder.path()).unwrap() == Some(old) && key(1).replaced(folder.path()).unwrap().is_none()
        );
        key(2).take_over(folder.path()).unwrap();
        assert!(matches!(key(1).is_key_of(folder.path()), Err(AtRestError::Wrong { .. })));
        assert!(matches!(key(3).is_key_of(folder.path()), Err(AtRestError::Wrong { .. })));
        assert!(forget_replaced(folder.path()).unwrap() && !forget_replaced(folder.path()).unwrap());
        assert!(key(2).is_key_of(folder.path()).unwrap() && key(2).replaced(folder.path()).unwrap().is_none());
    }

    #[test]
    fn the_replaced_key_is_written_the_same_in_every_later_release() {
        // Made independently with Python's cryptography, as the golden value of `seal`.
        let folder = tempfile::tempdir().unwrap();
        let old = RootKey::parse(&"01".repeat(32)).unwrap();
        AtRest::new(&[7; 32], || [9; 16]).replaces(&old, folder.path()).unwrap();
        assert_eq!(hex::encode(fs::read(folder.path().join(REPLACED)).unwrap()), GOLDEN);
    }

    const GOLDEN: &str = "01090909090909090909090909dc70a873a15f473e37827a880a69086631675fbb2e4b974753ca624be976673df48f952ece67113866fa3bd2ae8c7f22";

    #[test]
    fn images_without_a_record_are_not_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        fs::create_dir_all(spool.join("temp")).unwrap();
        key(1).claim(folder.path()).unwrap();
        fs::remove_file(folder.path().join(FILE)).unwrap();
        fs::write(spool.join("1.dcm"), b"sealed").unwrap();
        assert!(matches!(key(1).claim(folder.path()), Err(AtRestError::NoRecord { .. })));
    }
}
