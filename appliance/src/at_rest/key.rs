//! Where the at-rest key comes from: a credential of systemd, which never touches the disk in plain, or a file. It is read
//! once, checked, and wiped from every buffer that held it.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::{AtRest, AtRestError};

/// Name of the systemd credential (`LoadCredentialEncrypted=` or `LoadCredential=` in the unit).
pub const CREDENTIAL: &str = "hilum-at-rest";

/// The key itself, for whoever has to hand it on; wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    /// Reads the file of a key, which nobody but its owner may be able to read.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(file: &Path) -> Result<Self, AtRestError> {
        let unreadable = |source| AtRestError::Read { file: file.to_owned(), source };
        let text = Zeroizing::new(fs::read_to_string(file).map_err(unreadable)?);
        let key = Self::parse(&text).ok_or_else(|| AtRestError::Form { file: file.to_owned() })?;
        if fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o077 != 0 {
            return Err(AtRestError::Exposed { file: file.to_owned() });
        }
        Ok(key)
    }

    /// Reads 64 hexadecimal characters; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), key.as_mut_slice()).ok()?;
        Some(Self(key))
    }

    /// The key as its file holds it: 64 hexadecimal characters.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// The key ready for use.
    #[must_use]
    pub fn at_rest(&self, random: fn() -> [u8; 16]) -> AtRest {
        AtRest::new(&self.0, random)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(withheld)")
    }
}

impl AtRest {
    /// Reads the key: the credential where systemd gives one, else `file`. `credentials` is `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// [`AtRestError::Missing`] and what is wrong with the one that there is.
    pub fn load(
        credentials: Option<&Path>,
        file: Option<&Path>,
        random: fn() -> [u8; 16],
    ) -> Result<Self, AtRestError> {
        let credential = credentials.map(|folder| folder.join(CREDENTIAL)).filter(|file| file.exists());
        let file = credential.as_deref().or(file).ok_or(AtRestError::Missing)?;
        Ok(RootKey::read(file)?.at_rest(random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &Path, text: &str, mode: u32) {
        fs::write(file, text).unwrap();
        fs::set_permissions(file, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn refused(credentials: Option<&Path>, file: Option<&Path>) -> AtRestError {
        AtRest::load(credentials, file, rand::random).unwrap_err()
    }

    #[test]
    fn the_credential_goes_before_the_file_and_a_key_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let (credential, file) = (folder.path().join(CREDENTIAL), folder.path().join("key"));
        assert!(matches!(refused(Some(folder.path()), None), AtRestError::Missing));
        assert!(matches!(refused(None, Some(&file)), AtRestError::Read { .. }));
        write(&file, &"0a".repeat(32), 0o600);
        let load = |credentials| AtRest::load(credentials, Some(&file), rand::random).unwrap();
        let by_file = load(Some(folder.path())).seal(b"p", b"x").unwrap();
        write(&credential, &format!("{}\n", "0b".repeat(32)), 0o400);
        assert!(load(Some(folder.path())).open(b"p", &by_file).is_err());
        assert_eq!(load(None).open(b"p", &by_file).unwrap(), b"x");
    }

    #[test]
    fn a_key_that_is_none_is_explained_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        write(&file, "secret", 0o600);
        let words = refused(None, Some(&file)).to_string();
        assert!(words.contains("64 hexadecimal") && !words.contains("secret"), "{words}");
        write(&file, &"0a".repeat(32), 0o640);
        assert!(matches!(refused(None, Some(&file)), AtRestError::Exposed { .. }));
    }
}
