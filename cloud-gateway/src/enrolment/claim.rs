//! One-time tokens that let a device ask for its first certificate, and whether one lets it. Pure: time comes in, and
//! the token itself is never stored.

use sha2::{Digest, Sha256};
use wire::ids::DeviceId;
use zeroize::Zeroizing;

use super::refusal::Refusal;
use crate::domain::when::UnixMs;

/// Letters that are hard to take for one another; 32 of them, so that five bits are one letter.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Letters of a token: 125 bits of chance, out of reach of guessing, and still short enough to be read out.
const LENGTH: usize = 25;

/// Letters between two dashes.
const GROUP: usize = 5;

/// A token as the technician has it.
#[derive(Clone)]
pub struct ClaimToken(Zeroizing<String>);

impl ClaimToken {
    /// Makes a token of `random`.
    #[must_use]
    pub fn new(random: [u8; LENGTH]) -> Self {
        Self(Zeroizing::new(random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()))
    }

    /// Reads what somebody typed: dashes, spaces and capitals count for nothing. `None` where it can't be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |c: &char| !c.is_whitespace() && *c != '-';
        let letters: String = text.chars().filter(plain).map(|c| c.to_ascii_lowercase()).take(LENGTH + 1).collect();
        let ours = letters.len() == LENGTH && letters.bytes().all(|letter| LETTERS.contains(&letter));
        ours.then(|| Self(Zeroizing::new(letters)))
    }

    /// As it is handed to the technician: `abcde-fghij-…`.
    #[must_use]
    pub fn show(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (index, letter) in self.0.chars().enumerate() {
            if index > 0 && index % GROUP == 0 {
                shown.push('-');
            }
            shown.push(letter);
        }
        shown
    }

    /// What the database holds. A plain hash is enough: nobody goes through 2^125 guesses.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(format!("claim\0{}", *self.0)))
    }
}

/// What a token was made for, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The device that it lets in.
    pub device: DeviceId,
    /// Where it will stand.
    pub site: String,
    /// Whether it takes back a revocation.
    pub reinstate: bool,
    /// When it was made.
    pub made_at: UnixMs,
    /// When it ends.
    pub expires_at: UnixMs,
    /// SHA-256 of the public key that used it, hexadecimal.
    pub used_by: Option<String>,
}

/// Whether a token lets `device`'s request with this key in, at this time.
///
/// A token is used up by one key, not by one request: a device whose line broke, or whose power went, before the answer
/// came asks again with the key that it has kept. Nobody else has that key.
///
/// # Errors
/// [`Refusal`].
pub fn admits(
    claim: &Claim,
    device: &DeviceId,
    key: &str,
    revoked_at: Option<UnixMs>,
    now: UnixMs,
) -> Result<(), Refusal> {
    is_open(claim, revoked_at, now)?;
    if claim.device != *device {
        return Err(Refusal::OtherDevice { meant: claim.device.clone() });
    }
    if claim.used_by.as_ref().is_some_and(|used_by| used_by != key) {
        return Err(Refusal::UsedClaim);
    }
    Ok(())
}

/// Whether a token may still be used by somebody.
///
/// # Errors
/// [`Refusal`].
pub fn is_open(claim: &Claim, revoked_at: Option<UnixMs>, now: UnixMs) -> Result<(), Refusal> {
    if now >= claim.expires_at {
        return Err(Refusal::ExpiredClaim);
    }
    match revoked_at {
        // What was handed out before the revocation ends with it.
        Some(since) if !claim.reinstate || claim.made_at <= since => Err(Refusal::Revoked),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_people_write_it() {
        let token = ClaimToken::new(std::array::from_fn(|n| u8::try_from(n * 9).unwrap()));
        let shown = token.show();
        assert_eq!(shown.split('-').map(str::len).collect::<Vec<_>>(), [5; 5]);
        for typed in [shown.to_string(), shown.to_uppercase(), shown.replace('-', ""), format!(" {} \n", *shown)] {
            assert_eq!(ClaimToken::parse(&typed).unwrap().hash(), token.hash(), "{typed}");
        }
        for wrong in ["", "abcde", &format!("{}a", *shown), &shown.replace('-', "l"), &"1".repeat(25)] {
            assert!(ClaimToken::parse(wrong).is_none(), "{wrong}");
        }
        assert!(!token.hash().contains(&shown.replace('-', "")));
    }

    #[test]
    fn the_table_of_who_is_let_in() {
        let claim = Claim {
            device: "demo-1".parse().unwrap(),
            site: "lab".into(),
            reinstate: false,
            made_at: 100,
            expires_at: 200,
            used_by: None,
        };
        let used = Claim { used_by: Some("mine".into()), ..claim.clone() };
        let back = Claim { reinstate: true, ..claim.clone() };
        for (claim, device, key, revoked_at, now, code) in [
            (&claim, "demo-1", "mine", None, 100, ""),
            (&claim, "demo-1", "mine", None, 199, ""),
            (&claim, "demo-1", "mine", None, 200, "expired_token"),
            (&claim, "demo-2", "mine", None, 150, "other_device"),
            (&used, "demo-1", "mine", None, 150, ""),
            (&used, "demo-1", "other", None, 150, "used_token"),
            (&used, "demo-1", "mine", None, 200, "expired_token"),
            (&claim, "demo-1", "mine", Some(50), 150, "revoked"),
            (&claim, "demo-1", "mine", Some(120), 150, "revoked"),
            (&back, "demo-1", "mine", Some(50), 150, ""),
            (&back, "demo-1", "mine", Some(120), 150, "revoked"),
        ] {
            let answer = admits(claim, &device.parse().unwrap(), key, revoked_at, now);
            assert_eq!(answer.err().map_or("", |refusal| refusal.code()), code, "{device} {key} {revoked_at:?} {now}");
        }
    }
}
