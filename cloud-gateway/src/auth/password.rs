//! Passwords, hashed with Argon2id (RFC 9106). It never keeps one, and takes as long for a name that does not exist.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// Shortest password. NIST SP 800-63B-4 asks for 15 where it is the only factor; 12 keeps typing on a gloved hand bearable
/// beside the lock-out.
pub const MIN_CHARACTERS: usize = 12;

/// Longest password: bounds what one attempt can cost.
pub const MAX_BYTES: usize = 256;

/// KiB of memory, passes and lanes: the OWASP cheat sheet's first choice (19 MiB, 2, 1).
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Hashes a password for a new account.
///
/// # Errors
/// [`PasswordError`].
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < MIN_CHARACTERS {
        return Err(PasswordError::Short);
    }
    if password.len() > MAX_BYTES {
        return Err(PasswordError::Long);
    }
    let hashed =
        argon2()?.hash_password(password.as_bytes()).map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(hashed.to_string())
}

/// Whether a password is the one that was hashed; false, after the same effort, where there is no account.
#[must_use]
pub fn verify(password: &str, hashed: Option<&str>) -> bool {
    if password.len() > MAX_BYTES {
        return false;
    }
    let stored = hashed.unwrap_or(NOBODY);
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &stored).is_ok() && hashed.is_some()
}

/// The hash of a password that nobody has, of the same cost as real ones.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// A password that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too easy to guess.
    #[error("the password is shorter than {MIN_CHARACTERS} characters; use a sentence")]
    Short,
    /// Too long.
    #[error("the password is longer than {MAX_BYTES} bytes; shorten it")]
    Long,
    /// The algorithm refused.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_of_a_real_account_opens() {
        let hashed = hash("correct horse battery").unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify("correct horse battery", Some(&hashed)));
        assert!(!verify("correct horse batterx", Some(&hashed)));
        assert!(!verify("correct horse battery", None));
        assert!(!verify(&"x".repeat(MAX_BYTES + 1), Some(&hashed)));
    }

    #[test]
    fn the_hash_for_nobody_is_well_formed_so_that_it_costs_as_much() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let real = hash("correct horse battery").unwrap();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!(nobody.params, real.params);
        assert_eq!(nobody.algorithm, real.algorithm);
        assert!(nobody.hash.is_some());
    }

    #[test]
    fn length_is_bounded_on_both_sides() {
        assert_eq!(hash(&"x".repeat(MIN_CHARACTERS - 1)), Err(PasswordError::Short));
        assert_eq!(hash(&"x".repeat(MAX_BYTES + 1)), Err(PasswordError::Long));
    }
}
