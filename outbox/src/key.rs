//! The key of the device database: 256 bits that `SQLCipher` uses as they are. It reads the key from where a service is given it;
//! it never makes one, and never shows it.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Name of the systemd credential with this key (`LoadCredentialEncrypted=` or `LoadCredential=` in the unit).
pub const CREDENTIAL: &str = "hilum-database";

/// The key. Clones are wiped each by itself.
#[derive(Clone)]
pub struct DatabaseKey(Zeroizing<[u8; 32]>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nobody named one.
    #[error(
        "there is no key of the device database; have `hilum-appliance key database` make it, and give it to the service as \
         the systemd credential {CREDENTIAL} or as the file that [device] database_key names"
    )]
    Missing,
    /// The file is not there.
    #[error(
        "the key of the device database {} cannot be read; have `hilum-appliance key database` make it again, and let only \
         the service's user read it",
        file.display()
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its content is no key. The content is not repeated.
    #[error(
        "the key of the device database {} is not 64 hexadecimal characters; have `hilum-appliance key database` make it again",
        file.display()
    )]
    Form {
        /// The file.
        file: PathBuf,
    },
    /// Others may read it.
    #[error(
        "the key of the device database {} can be read by others than its owner; protect it with `chmod 600`",
        file.display()
    )]
    Exposed {
        /// The file.
        file: PathBuf,
    },
}

impl DatabaseKey {
    /// Reads the key: the credential where systemd gives one, else `file`. `credentials` is `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(credentials: Option<&Path>, file: Option<&Path>) -> Result<Self, KeyError> {
        let credential = credentials.map(|folder| folder.join(CREDENTIAL)).filter(|file| file.exists());
        let file = credential.as_deref().or(file).ok_or(KeyError::Missing)?;
        let unreadable = |source| KeyError::Read { file: file.to_owned(), source };
        let text = Zeroizing::new(fs::read_to_string(file).map_err(unreadable)?);
        let mut key = Zeroizing::new([0; 32]);
        let decoded = hex::decode_to_slice(text.trim(), key.as_mut_slice());
        decoded.map_err(|_| KeyError::Form { file: file.to_owned() })?;
        if fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Exposed { file: file.to_owned() });
        }
        Ok(Self(key))
    }

    /// The key as its file holds it: 64 hexadecimal characters.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// The key as `SQLCipher` takes one that is not to be derived from a passphrase.
    pub(crate) fn raw(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("x'{}'", self.text().as_str()))
    }
}

impl From<[u8; 32]> for DatabaseKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for DatabaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseKey(withheld)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &Path, text: &str, mode: u32) {
        fs::write(file, text).unwrap();
        fs::set_permissions(file, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_credential_goes_before_the_file_and_what_is_no_key_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (credential, file) = (folder.path().join(CREDENTIAL), folder.path().join("key"));
        let load = |credentials| DatabaseKey::load(credentials, Some(&file));
        assert!(matches!(DatabaseKey::load(Some(folder.path()), None), Err(KeyError::Missing)));
        assert!(matches!(load(None), Err(KeyError::Read { .. })));
        write(&file, "secret", 0o600);
        let words = load(None).unwrap_err().to_string();
        assert!(words.contains("64 hexadecimal") && !words.contains("secret"), "{words}");
        write(&file, &"0a".repeat(32), 0o640);
        assert!(matches!(load(None), Err(KeyError::Exposed { .. })));
        write(&file, &format!("{}\n", "0a".repeat(32)), 0o600);
        write(&credential, &"0b".repeat(32), 0o400);
        assert_eq!(load(None).unwrap().text().as_str(), "0a".repeat(32));
        let given = load(Some(folder.path())).unwrap();
        assert_eq!(given.text().as_str(), "0b".repeat(32));
        assert!(!format!("{given:?}").contains("0b"));
    }
}
