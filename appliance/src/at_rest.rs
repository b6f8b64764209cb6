//! Encryption of whatever this device's disk holds of patients: AES-256-GCM under keys derived from the one at-rest key, which
//! itself never lies on the same disk. It protects what is stolen or tampered with while nobody looks; it knows nothing of
//! what it seals, and never falls back to plain bytes.
//!
//! ```text
//! at-rest key ─HKDF-SHA-256 (RFC 5869)─┬▶ one key per purpose   small values:  [`AtRest::seal`], [`AtRest::open`]
//!                                      ├▶ one key per file      files:         [`stream`]
//!                                      └▶ one key               the database:  [`AtRest::database_key`]
//! ```

mod key;
mod record;
pub mod stream;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Okm, Prk, Salt};
use outbox::DatabaseKey;
use zeroize::Zeroizing;

pub use key::{CREDENTIAL, RootKey};
pub(crate) use record::forget_replaced;

/// First byte of every sealed value: the way it was sealed.
const VERSION: u8 = 1;
/// Keeps these keys apart from any other use of the same key.
const APPLICATION: &[u8] = b"hilum at rest 1";

/// The key in other hands. Clones share it; it is wiped with the last of them.
#[derive(Clone)]
pub struct AtRest {
    /// The extracted key of HKDF; the library wipes it.
    root: Arc<Prk>,
    /// 128 bits from the system's generator.
    random: fn() -> [u8; 16],
}

/// What is wrong with the key or with what was sealed.
#[derive(Debug, thiserror::Error)]
pub enum AtRestError {
    /// Nobody named one.
    #[error(
        "there is no key for the encryption of the disk; make it once with `openssl rand -hex 32`, keep a copy in a safe \
         place away from the device, and give it to the service as the systemd credential {CREDENTIAL} or as the file \
         that [device] at_rest_key names"
    )]
    Missing,
    /// The file is not there.
    #[error(
        "the at-rest key {} cannot be read; put the device's own key there (a new device: `openssl rand -hex 32`), and let \
         only the service's user read it",
        file.display()
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its content is no key. The content is not repeated.
    #[error("the at-rest key {} is not 64 hexadecimal characters; put the device's own key back", file.display())]
    Form {
        /// The file.
        file: PathBuf,
    },
    /// Others may read it.
    #[error("the at-rest key {} can be read by others than its owner; protect it with `chmod 600`", file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
    },
    /// Another key than the one that the folder was written with.
    #[error(
        "the at-rest key is not the one that {} was written with; put the device's own key back. Without it what lies there \
         is lost: move the folder away to begin anew",
        folder.display()
    )]
    Wrong {
        /// The state folder.
        folder: PathBuf,
    },
    /// Another key is taking this one's place.
    #[error(
        "the at-rest key of {} is being changed, and not everything is under the new one yet; start hilum-appliance, or order \
         `hilum-appliance key rotate` again: either finishes it",
        folder.display()
    )]
    Changing {
        /// The state folder.
        folder: PathBuf,
    },
    /// Images without the record that tells whether the key is theirs.
    #[error(
        "{} holds images but no {}, so nobody can tell whether the at-rest key is theirs; put the file back from a copy, or \
         move the folder away to begin anew",
        folder.display(), record::FILE
    )]
    NoRecord {
        /// The state folder.
        folder: PathBuf,
    },
    /// The record cannot be read or written.
    #[error("cannot use {}; check that the service's user owns state_dir", file.display())]
    Record {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Sealed with another key or for another purpose, or changed since.
    #[error("a sealed value does not open: it was changed, or sealed with another key or for something else")]
    Damaged,
    /// The library refuses, which it does for values of more than 64 GB.
    #[error("a value cannot be sealed; report this with the software's version")]
    Seal,
}

impl AtRest {
    /// From the key's bytes and the machine's generator.
    #[must_use]
    pub fn new(key: &[u8; 32], random: fn() -> [u8; 16]) -> Self {
        // HKDF's extraction without a salt, RFC 5869, 3.1: the key is uniform already.
        let root = Salt::new(HKDF_SHA256, &[]).extract(key);
        Self { root: Arc::new(root), random }
    }

    /// Seals a small value for `purpose`: version, nonce, ciphertext and tag, 29 bytes more than `plain`.
    ///
    /// A purpose is a constant of the code, one for each kind of value, so that one kind cannot be passed off as another.
    /// Nonces are random: NIST SP 800-38D, 8.3 allows 2^32 values for one purpose, thirteen years of ten a second.
    ///
    /// # Errors
    /// [`AtRestError::Seal`].
    pub fn seal(&self, purpose: &[u8], plain: &[u8]) -> Result<Vec<u8>, AtRestError> {
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&(self.random)()[..NONCE_LEN]);
        let mut body = plain.to_vec();
        let key = self.derive(&[APPLICATION, b"value", purpose])?;
        let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut body);
        sealed.map_err(|_| AtRestError::Seal)?;
        Ok([&[VERSION][..], &nonce, &body].concat())
    }

    /// Opens what [`AtRest::seal`] made for the same purpose.
    ///
    /// # Errors
    /// [`AtRestError::Damaged`].
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Result<Vec<u8>, AtRestError> {
        let Some(([VERSION], rest)) = sealed.split_first_chunk::<1>() else { return Err(AtRestError::Damaged) };
        let Some((nonce, body)) = rest.split_first_chunk::<NONCE_LEN>() else { return Err(AtRestError::Damaged) };
        let mut body = body.to_vec();
        let key = self.derive(&[APPLICATION, b"value", purpose])?;
        let plain = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut body);
        let length = plain.map_err(|_| AtRestError::Damaged)?.len();
        body.truncate(length);
        Ok(body)
    }

    /// The key of the device database, which the sync-agent is given, too: whoever has it learns nothing of the images' keys.
    ///
    /// # Errors
    /// [`AtRestError::Seal`].
    pub fn database_key(&self) -> Result<DatabaseKey, AtRestError> {
        let info = information(&[APPLICATION, b"database"]);
        let info = [info.as_slice()];
        let derived: Okm<'_, _> = self.root.expand(&info, HKDF_SHA256).map_err(|_| AtRestError::Seal)?;
        let mut key = Zeroizing::new([0; 32]);
        derived.fill(key.as_mut_slice()).map_err(|_| AtRestError::Seal)?;
        Ok(DatabaseKey::from(*key))
    }

    /// A key of its own for these words.
    fn derive(&self, words: &[&[u8]]) -> Result<LessSafeKey, AtRestError> {
        let info = information(words);
        let info = [info.as_slice()];
        let derived = self.root.expand(&info, &AES_256_GCM).map_err(|_| AtRestError::Seal)?;
        Ok(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

/// HKDF's `info`: each word is preceded by its length, so that no two lists of words are one.
fn information(words: &[&[u8]]) -> Vec<u8> {
    words.iter().flat_map(|word| [&(word.len() as u64).to_be_bytes()[..], word].concat()).collect()
}

impl fmt::Debug for AtRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtRest(withheld)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> AtRest {
        AtRest::new(&[byte; 32], rand::random)
    }

    #[test]
    fn a_value_opens_for_its_purpose_and_key_alone() {
        let sealed = key(1).seal(b"delivery", b"DOE^JANE").unwrap();
        assert_eq!(sealed.len(), 1 + NONCE_LEN + 8 + AES_256_GCM.tag_len());
        assert!(!sealed.windows(3).any(|piece| piece == b"DOE"));
        assert_eq!(key(1).open(b"delivery", &sealed).unwrap(), b"DOE^JANE");
        assert!(matches!(key(1).open(b"address", &sealed), Err(AtRestError::Damaged)));
        assert!(matches!(key(2).open(b"delivery", &sealed), Err(AtRestError::Damaged)));
        assert_ne!(key(1).seal(b"delivery", b"DOE^JANE").unwrap(), sealed, "one nonce was used twice");
        assert!(!format!("{:?}", key(1)).contains('1'));
    }

    #[test]
    fn what_was_sealed_by_this_release_opens_in_every_later_one() {
        // Made independently with Python's cryptography: HKDF-SHA-256 over the key, AES-256-GCM under the nonce 090909….
        let fixed = AtRest::new(&[7; 32], || [9; 16]);
        let sealed = fixed.seal(b"golden", b"hilum").unwrap();
        assert_eq!(hex::encode(sealed), GOLDEN);
    }

    #[test]
    fn the_database_key_is_the_same_in_every_later_release() {
        // Made independently with Python's hmac: RFC 5869 over the same key and words.
        let key = AtRest::new(&[7; 32], || [9; 16]).database_key().unwrap();
        assert_eq!(key.text().as_str(), GOLDEN_DATABASE);
    }

    const GOLDEN: &str = "010909090909090909090909091acb5d0514b1dcc35de3dbf06c033534e84625c8c3";

    const GOLDEN_DATABASE: &str = "de60df6a22dd2cf11b8fc6fd03520f0cd3cd6275cc0a907571b284ddd1f0a16d";

    proptest! {
        #[test]
        fn any_change_of_any_byte_is_noticed(plain: Vec<u8>, at: prop::sample::Index, flip in 1..=255_u8) {
            let mut sealed = key(1).seal(b"p", &plain).unwrap();
            prop_assert_eq!(key(1).open(b"p", &sealed).unwrap(), plain);
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(matches!(key(1).open(b"p", &sealed), Err(AtRestError::Damaged)));
            prop_assert!(key(1).open(b"p", &sealed[..at]).is_err());
        }
    }
}
