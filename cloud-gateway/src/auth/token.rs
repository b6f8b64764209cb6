//! Session tokens. The browser holds one; the server keeps only its hash, from which it can't be found again.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::when::UnixMs;

/// Bytes of a token: 256 bits, out of reach of guessing.
pub const TOKEN_BYTES: usize = 32;

/// How long a session lives without being used. 30 minutes: what NIST SP 800-63B-4 section 2.2.3 asks of AAL2 is an hour
/// at most; a reading room's shared screen deserves less.
pub const IDLE_MS: i64 = 30 * 60 * 1000;

/// How long a session lives however much it is used: what NIST SP 800-63B-4 section 2.2.3 asks of AAL2 is a day at most;
/// twelve hours outlast a shift. A page that asks by itself must not keep a session for ever.
pub const MOST_MS: i64 = 12 * 60 * 60 * 1000;

/// How stale `last_used_at` may be before a request renews it, so that reading a work list isn't a write per request.
pub const RENEW_MS: i64 = 60 * 1000;

/// Which sessions are alive.
#[derive(Clone, Copy, Debug)]
pub struct Alive {
    /// Those that were used since then,
    pub used_since: UnixMs,
    /// and opened since then.
    pub opened_since: UnixMs,
}

impl Alive {
    /// At this moment.
    #[must_use]
    pub fn at(now: UnixMs) -> Self {
        Self { used_since: now - IDLE_MS, opened_since: now - MOST_MS }
    }
}

/// One session's secret, from 32 random bytes.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Makes a token of `random`.
    #[must_use]
    pub fn new(random: [u8; TOKEN_BYTES]) -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(random)))
    }

    /// Takes what a browser sent; `None` where it can't be one of ours.
    #[must_use]
    pub fn from_cookie(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        (bytes.len() == TOKEN_BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What the cookie holds.
    #[must_use]
    pub fn as_cookie(&self) -> &str {
        &self.0
    }

    /// What the database holds.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(self.digest("session"))
    }

    /// What every request that changes something must repeat in a header: a page of another origin can make the browser
    /// send the cookie, but can't read this.
    #[must_use]
    pub fn csrf(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.digest("csrf"))
    }

    /// Whether `given` is this session's, without telling by its timing how much of it is right.
    #[must_use]
    pub fn accepts_csrf(&self, given: &str) -> bool {
        // Comparing digests: what an attacker could learn byte by byte is not the secret.
        Sha256::digest(given.as_bytes()) == Sha256::digest(self.csrf().as_bytes())
    }

    fn digest(&self, purpose: &str) -> [u8; 32] {
        let mut sha = Sha256::new();
        sha.update(purpose.as_bytes());
        sha.update(b"\0");
        sha.update(self.0.as_bytes());
        sha.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_and_proves_its_page() {
        let (token, other) = (Token::new([1; TOKEN_BYTES]), Token::new([2; TOKEN_BYTES]));
        let again = Token::from_cookie(token.as_cookie()).unwrap();
        assert_eq!(again.hash(), token.hash());
        assert_ne!(other.hash(), token.hash());
        assert!(token.accepts_csrf(&again.csrf()));
        assert!(!token.accepts_csrf(&other.csrf()));
        assert!(!token.accepts_csrf(""));
        assert_ne!(token.hash(), token.csrf());
    }

    #[test]
    fn what_is_no_token_is_not_looked_up() {
        for text in ["", "x", "%", &"A".repeat(42), &"A".repeat(44)] {
            assert!(Token::from_cookie(text).is_none(), "{text}");
        }
    }
}
