//! Stand-ins for identifiers: a keyed hash whose key never leaves the device, so that one site's images of one study stay
//! together and nobody without the key can go back or try names out.

use std::fmt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wire::ids::Pseudonym;
use zeroize::Zeroizing;

/// Characters of a pseudonym: 26 of base32 are 130 bits.
const LENGTH: usize = 26;

/// The site's key.
pub struct PseudonymKey(Zeroizing<[u8; 32]>);

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is not there.
    #[error(
        "the pseudonym key {} cannot be read; make it once with `openssl rand -hex 32 > {}`, keep a copy in a safe \
         place, and let only the service's user read it",
        file.display(), file.display()
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its content is no key. The content is not repeated.
    #[error("the pseudonym key {} is not 64 hexadecimal characters; put the site's own key back, a new one would make \
             every known patient a new one", file.display())]
    Form {
        /// The file.
        file: PathBuf,
    },
}

impl PseudonymKey {
    /// Reads the key's file: 64 hexadecimal characters.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(file: &Path) -> Result<Self, KeyError> {
        let text = std::fs::read_to_string(file);
        let text = Zeroizing::new(text.map_err(|source| KeyError::Read { file: file.to_owned(), source })?);
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), key.as_mut_slice()).map_err(|_| KeyError::Form { file: file.to_owned() })?;
        Ok(Self(key))
    }

    /// HMAC-SHA-256 of `kind`, a line feed and the value without its padding, in base32.
    #[must_use]
    pub fn pseudonym(&self, kind: &str, value: &str) -> Pseudonym {
        let value = value.trim_end_matches(['\0', ' ']).trim_start_matches(' ');
        // HMAC takes keys of any length (RFC 2104), so this is always there.
        let mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).map(|mac| {
            let mac = mac.chain_update(kind).chain_update(b"\n").chain_update(value);
            mac.finalize().into_bytes()
        });
        let mut text = mac.map(|bytes| base32(&bytes)).unwrap_or_default();
        text.truncate(LENGTH);
        Pseudonym(text)
    }

    #[cfg(test)]
    pub(super) fn from_bytes(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(withheld)")
    }
}

/// RFC 4648, 6: lower case, no padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digit = |start: usize| (start..start + 5).fold(0, |digit, at| digit << 1 | usize::from(bit(at)));
    (0..bytes.len() * 8).step_by(5).map(|start| char::from(ALPHABET[digit(start)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_standard() {
        // RFC 4648, 10.
        for (text, encoded) in
            [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("foobar", "mzxw6ytboi")]
        {
            assert_eq!(base32(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn pseudonyms_are_these_to_the_letter() {
        let key = PseudonymKey::from_bytes([7; 32]);
        // Made with: printf 'study\n1.2.3' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707… -binary | base32
        assert_eq!(key.pseudonym("study", "1.2.3").0, "b2iruvgpb2ah732mw23b27ctek");
        assert_eq!(key.pseudonym("study", "1.2.3\0"), key.pseudonym("study", " 1.2.3 "));
        assert_ne!(key.pseudonym("study", "1.2.3"), key.pseudonym("instance", "1.2.3"));
        assert_ne!(key.pseudonym("study", "1.2.3"), PseudonymKey::from_bytes([8; 32]).pseudonym("study", "1.2.3"));
    }

    #[test]
    fn a_key_that_is_none_is_explained_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pseudonym.key");
        let refused = |file: &Path| PseudonymKey::load(file).unwrap_err().to_string();
        assert!(refused(&file).contains("openssl rand -hex 32"));
        std::fs::write(&file, "secret").unwrap();
        assert!(refused(&file).contains("64 hexadecimal") && !refused(&file).contains("secret"));
        std::fs::write(&file, format!("{}\n", "0a".repeat(32))).unwrap();
        let key = PseudonymKey::load(&file).unwrap();
        assert!(!format!("{key:?}").contains("0a"));
    }
}
