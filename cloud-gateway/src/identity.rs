//! The gateway's sealing key on disk: made once, read at start, never shown.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use wire::seal::{PrivateKey, SealError, generate};

/// Readable and writable by its owner only.
const OWNER_ONLY: u32 = 0o600;

/// Makes a new key in a new file.
///
/// # Errors
/// [`IdentityError::Exists`] rather than losing a key that devices seal to; [`IdentityError::Write`].
pub fn init(file: &Path) -> Result<PrivateKey, IdentityError> {
    let (private, _) = generate(&mut rand::rng());
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => IdentityError::Exists(file.to_owned()),
        _ => IdentityError::Write { file: file.to_owned(), source },
    };
    let mut open =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(file).map_err(failed)?;
    open.write_all(private.to_hex().as_bytes()).and_then(|()| open.write_all(b"\n")).map_err(failed)?;
    open.sync_all().map_err(failed)?;
    Ok(private)
}

/// Reads the key.
///
/// # Errors
/// [`IdentityError::Read`] or [`IdentityError::Key`].
pub fn load(file: &Path) -> Result<PrivateKey, IdentityError> {
    let text = std::fs::read_to_string(file)
        .map(zeroize::Zeroizing::new)
        .map_err(|source| IdentityError::Read { file: file.to_owned(), source })?;
    PrivateKey::from_hex(&text).map_err(|source| IdentityError::Key { file: file.to_owned(), source })
}

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is one already.
    #[error("{} exists already; every enrolled device seals to that key, so keep it, or choose another --out", .0.display())]
    Exists(PathBuf),
    /// Not writable.
    #[error("the key file {} cannot be written; check that its folder exists and is yours", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not readable.
    #[error(
        "the key file {} ([identity] hpke_key) cannot be read; make one with `cloud-gateway identity init --out {}`",
        file.display(), file.display()
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another kind of file.
    #[error("the key file {} ([identity] hpke_key) holds no X25519 key", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// Why.
        source: SealError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_for_its_owner_only_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hpke.key");
        let made = init(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        assert_eq!(*load(&file).unwrap().to_hex(), *made.to_hex());
        assert!(matches!(init(&file), Err(IdentityError::Exists(_))));
    }

    #[test]
    fn another_file_in_its_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----").unwrap();
        let Err(error) = load(&file) else { panic!("accepted") };
        let words = error.to_string();
        assert!(words.contains("gateway.pem") && words.contains("[identity] hpke_key"), "{words}");
        let Err(error) = load(&folder.path().join("missing")) else { panic!("accepted") };
        assert!(error.to_string().contains("identity init"), "{error}");
    }
}
