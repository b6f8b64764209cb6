//! A sealed word in the state folder that only the folder's own key opens, so that another key is refused at the start and
//! not when the first image is wanted back. It holds nothing secret.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{AtRest, AtRestError};

/// Its name in the state folder.
pub(super) const FILE: &str = "at-rest.check";

const PURPOSE: &[u8] = b"key check";
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
            Ok(record) => match self.open(PURPOSE, &record) {
                Ok(word) if word == WORD => Ok(true),
                _ => Err(AtRestError::Wrong { folder: state_dir.to_owned() }),
            },
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

    /// As [`AtRest::is_key_of`]; the first key that a folder meets becomes its own.
    ///
    /// # Errors
    /// Likewise.
    pub fn claim(&self, state_dir: &Path) -> Result<(), AtRestError> {
        if !self.is_key_of(state_dir)? {
            let file = state_dir.join(FILE);
            let written = write_durably(&file, &self.seal(PURPOSE, WORD)?);
            written.map_err(|source| AtRestError::Record { file, source })?;
        }
        Ok(())
    }
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

/// Whole or not at all, whenever the power goes: an empty record would look like another key.
fn write_durably(file: &Path, record: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    written.write_all(record)?;
    written.sync_all()?;
    fs::rename(&new, file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
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
