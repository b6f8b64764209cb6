//! The gateway's sealing keys on disk: made here, read at the start and whenever they change, never shown.
//!
//! ```text
//! 64 hexadecimal characters      a key; the last one is the newest, which devices are told to seal to
//! retired KEY-ID                 one that was destroyed
//! ```

mod live;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use wire::seal::{KeyId, PrivateKey, PublicKey, SealError, generate};
use zeroize::Zeroizing;

pub use live::LiveKeys;

/// Readable and writable by its owner only.
const OWNER_ONLY: u32 = 0o600;

/// Before the id of a key that was destroyed.
const RETIRED: &str = "retired ";

/// The keys of one gateway: those that open, and the names of those that did.
#[derive(Clone)]
pub struct SealingKeys {
    /// Oldest first; never the newest.
    older: Vec<PrivateKey>,
    newest: PrivateKey,
    retired: Vec<KeyId>,
}

impl SealingKeys {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`SealError::Key`] where a line is something else, or there is no key.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let (mut older, mut retired) = (Vec::new(), Vec::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.strip_prefix(RETIRED) {
                Some(id) => retired.push(KeyId(id.to_owned())),
                None => older.push(PrivateKey::from_hex(line)?),
            }
        }
        let newest = older.pop().ok_or(SealError::Key)?;
        Ok(Self { older, newest, retired })
    }

    /// The key that devices are told to seal to.
    #[must_use]
    pub fn newest(&self) -> &PrivateKey {
        &self.newest
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.newest.public()
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, id: &KeyId) -> Option<&PrivateKey> {
        self.all().find(|key| key.public().key_id() == *id)
    }

    /// The newest of these that there is.
    #[must_use]
    pub fn newest_of(&self, ids: &[KeyId]) -> Option<&PrivateKey> {
        self.all().filter(|key| ids.contains(&key.public().key_id())).last()
    }

    /// Whether there was a key of this name.
    #[must_use]
    pub fn is_retired(&self, id: &KeyId) -> bool {
        self.retired.contains(id)
    }

    /// The names of those that open, oldest first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.all().map(|key| key.public().key_id())
    }

    /// The names of those that were destroyed.
    #[must_use]
    pub fn retired(&self) -> &[KeyId] {
        &self.retired
    }

    /// Takes an older key out, and keeps its name; false where there is none such, or it is the newest.
    pub fn retire(&mut self, id: &KeyId) -> bool {
        let before = self.older.len();
        self.older.retain(|key| key.public().key_id() != *id);
        let is_gone = self.older.len() < before;
        self.retired.extend(is_gone.then(|| id.clone()));
        is_gone
    }

    fn add(&mut self, key: PrivateKey) {
        self.older.push(std::mem::replace(&mut self.newest, key));
    }

    fn all(&self) -> impl Iterator<Item = &PrivateKey> {
        self.older.iter().chain([&self.newest])
    }

    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        self.retired.iter().for_each(|id| text.extend([RETIRED, &id.0, "\n"]));
        self.all().for_each(|key| text.extend([key.to_hex().as_str(), "\n"]));
        text
    }
}

/// Makes the first key in a new file.
///
/// # Errors
/// [`IdentityError::Exists`] rather than losing a key that devices seal to; [`IdentityError::Write`].
pub fn init(file: &Path) -> Result<PrivateKey, IdentityError> {
    let (private, _) = generate(&mut rand::rng());
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => IdentityError::Exists(file.to_owned()),
        _ => IdentityError::Write { file: file.to_owned(), source },
    };
    let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(file).map_err(failed)?;
    open.write_all(private.to_hex().as_bytes()).and_then(|()| open.write_all(b"\n")).map_err(failed)?;
    open.sync_all().map_err(failed)?;
    Ok(private)
}

/// Reads the keys.
///
/// # Errors
/// [`IdentityError::Read`] or [`IdentityError::Key`].
pub fn load(file: &Path) -> Result<SealingKeys, IdentityError> {
    let text = fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|source| IdentityError::Read { file: file.to_owned(), source })?;
    SealingKeys::parse(&text).map_err(|source| IdentityError::Key { file: file.to_owned(), source })
}

/// Makes a newer key beside those that there are.
///
/// # Errors
/// [`IdentityError`]; the file is as it was, then.
pub fn rotate(file: &Path) -> Result<SealingKeys, IdentityError> {
    change(file, |keys| keys.add(generate(&mut rand::rng()).0))
}

/// Destroys an older key; what was destroyed before, or is the newest, stays as it is.
///
/// # Errors
/// [`IdentityError`]; the file is as it was, then.
pub fn retire(file: &Path, id: &KeyId) -> Result<SealingKeys, IdentityError> {
    change(file, |keys| {
        keys.retire(id);
    })
}

/// Whole or not at all, one after another: of two operators neither may undo what the other did.
fn change(file: &Path, how: impl FnOnce(&mut SealingKeys)) -> Result<SealingKeys, IdentityError> {
    let failed = |source| IdentityError::Write { file: file.to_owned(), source };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(folder).map_err(failed)?;
    folder.lock().map_err(failed)?;
    let mut keys = load(file)?;
    how(&mut keys);
    let new = file.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut written = options.write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&new).map_err(failed)?;
    let owner = fs::metadata(file).map_err(failed)?;
    fchown(&written, Some(owner.uid()), Some(owner.gid())).map_err(failed)?;
    written.write_all(keys.text().as_bytes()).and_then(|()| written.sync_all()).map_err(failed)?;
    fs::rename(&new, file).and_then(|()| folder.sync_all()).map_err(failed)?;
    Ok(keys)
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
impl SealingKeys {
    /// These, oldest first.
    pub(crate) fn of(keys: &[PrivateKey]) -> Self {
        let text: String = keys.iter().map(|key| key.to_hex().to_string() + "\n").collect();
        Self::parse(&text).unwrap_or_else(|error| panic!("{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_newer_key_stands_beside_the_older_until_that_is_destroyed_and_its_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hpke.key");
        let first = init(&file).unwrap().public().key_id();
        let live = LiveKeys::open(&file).unwrap();
        let second = rotate(&file).unwrap().public().key_id();
        assert_eq!(live.current().ids().collect::<Vec<_>>(), [first.clone(), second.clone()]);
        assert_eq!(live.current().newest_of(&[second.clone(), first.clone()]).unwrap().public().key_id(), second);
        retire(&file, &second).unwrap();
        assert!(live.current().find(&second).is_some(), "the newest cannot be destroyed");
        retire(&file, &first).unwrap();
        let keys = live.current();
        assert!(keys.find(&first).is_none() && keys.is_retired(&first) && !keys.is_retired(&second));
        assert_eq!(load(&file).unwrap().retired(), [first]);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        // What is not whole is not taken up.
        fs::write(&file, "half a k").unwrap();
        assert_eq!(live.current().public().key_id(), second);
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_only_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hpke.key");
        let made = init(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        assert_eq!(*load(&file).unwrap().newest().to_hex(), *made.to_hex());
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
