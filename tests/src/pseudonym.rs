//! The stand-ins that a device gives to identities, computed a second time and independently, to find out which result
//! belongs to which image. It never turns a stand-in back: nobody can.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What an identity is of; it is hashed in front of it, so that equal texts of two kinds differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SOP Instance UID (0008,0018).
    Instance,
    /// Study Instance UID (0020,000D).
    Study,
    /// Patient ID (0010,0020).
    Patient,
}

/// Characters kept of the 52 that SHA-256 has in base32: 130 bits.
const LENGTH: usize = 26;

/// RFC 4648, section 6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// HMAC-SHA256 under the site's key, as lower-case base32 without padding, cut to 26 characters.
#[must_use]
pub fn pseudonym(key: &[u8; 32], kind: Kind, identity: &str) -> String {
    let label = match kind {
        Kind::Instance => "instance\n",
        Kind::Study => "study\n",
        Kind::Patient => "patient\n",
    };
    // An HMAC key may have any length (RFC 2104, section 2), so that this can't fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(label.as_bytes());
    mac.update(identity.as_bytes());
    base32(&mac.finalize().into_bytes()).chars().take(LENGTH).collect()
}

fn base32(bytes: &[u8]) -> String {
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    let group = |start: usize| (start..start + 5).fold(0, |value, index| value << 1 | bit(index));
    (0..bytes.len() * 8).step_by(5).map(|start| char::from(ALPHABET[usize::from(group(start))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        // Section 10, without the padding and in lower case.
        for (plain, encoded) in [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foobar", "mzxw6ytboi")] {
            assert_eq!(base32(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn kinds_and_keys_keep_stand_ins_apart() {
        let one = pseudonym(&[7; 32], Kind::Study, "1.2.3");
        assert_eq!(one.len(), LENGTH);
        assert_ne!(one, pseudonym(&[7; 32], Kind::Instance, "1.2.3"));
        assert_ne!(one, pseudonym(&[8; 32], Kind::Study, "1.2.3"));
    }
}
