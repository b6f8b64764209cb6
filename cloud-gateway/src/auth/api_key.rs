//! Keys with which programs ask the API. The program holds the key; the server keeps its hash, from which it can't be
//! found again.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::when::UnixMs;

/// Bytes of a key: 256 bits, out of reach of guessing.
pub const KEY_BYTES: usize = 32;

/// Begins each key, so that one that was left somewhere is recognised by people and by scanners for secrets.
const PREFIX: &str = "hilum_";

/// Longest life: whoever forgets a key has it end within a year.
pub const MOST_DAYS: u32 = 366;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// One key, from 32 random bytes. No `Debug`, so that it can't be logged.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Makes a key of `random`.
    #[must_use]
    pub fn new(random: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))))
    }

    /// Takes what stands in an `Authorization` header (RFC 6750, section 2.1); `None` where it can't be one of ours.
    #[must_use]
    pub fn from_authorization(header: &str) -> Option<Self> {
        let (scheme, text) = header.split_once(' ')?;
        let text = text.trim_start_matches(' ');
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?);
        let is_ours = scheme.eq_ignore_ascii_case("bearer") && bytes.len() == KEY_BYTES;
        is_ours.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// To be shown once.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the database holds.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut sha = Sha256::new();
        sha.update(b"api key\0");
        sha.update(self.0.as_bytes());
        hex::encode(sha.finalize())
    }
}

/// When a key that lives so many days ends; `None` outside 1 to [`MOST_DAYS`].
#[must_use]
pub fn end(made_at: UnixMs, days: u32) -> Option<UnixMs> {
    (1..=MOST_DAYS).contains(&days).then(|| made_at + i64::from(days) * DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_hash_however_the_scheme_is_written() {
        let key = ApiKey::new([7; KEY_BYTES]);
        assert!(key.as_str().starts_with("hilum_") && key.as_str().len() == 49);
        for header in [format!("Bearer {}", key.as_str()), format!("bearer  {}", key.as_str())] {
            assert_eq!(ApiKey::from_authorization(&header).unwrap().hash(), key.hash(), "{header}");
        }
        assert_ne!(ApiKey::new([8; KEY_BYTES]).hash(), key.hash());
    }

    #[test]
    fn what_is_no_key_is_not_looked_up() {
        let whole = ApiKey::new([7; KEY_BYTES]);
        let whole = whole.as_str();
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Basic YTpi",
            whole,
            &format!("Basic {whole}"),
            &format!("Bearer {whole}A"),
            &format!("Bearer x{whole}"),
        ] {
            assert!(ApiKey::from_authorization(header).is_none(), "{header}");
        }
    }

    #[test]
    fn no_key_lives_for_ever() {
        for (days, ends) in [(0, None), (1, Some(86_400_000)), (366, Some(31_622_400_000)), (367, None)] {
            assert_eq!(end(0, days), ends, "{days}");
        }
    }
}
