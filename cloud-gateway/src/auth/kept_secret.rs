//! The secret of a second factor as it lies in the database: sealed to the gateway's own newest key and by it (HPKE, as
//! devices' messages are), bound to its account, so that a copy of the database makes no codes and a row that is moved
//! to another account opens nothing. Whoever retires a key seals anew first what lies under it.

use rand::CryptoRng;
use wire::seal::{self, PrivateKey, SealError, Sealed};

use super::one_time::Secret;
use crate::identity::SealingKeys;

/// Seals a secret for the database; hexadecimal.
///
/// # Errors
/// None in practice, see [`seal::seal`].
pub fn seal(
    secret: &Secret,
    username: &str,
    keys: &SealingKeys,
    random: &mut impl CryptoRng,
) -> Result<String, SealError> {
    let key = keys.newest();
    let public = key.public();
    let sealed = seal::seal(secret.as_bytes(), &binding(username), &public, (key, &public), random)?;
    Ok(hex::encode(sealed.to_bytes()?))
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`SealError`] where the key is gone, or the row is another account's or was changed.
pub fn open(kept: &str, username: &str, keys: &SealingKeys) -> Result<Secret, SealError> {
    let sealed = read(kept)?;
    let key = keys.find(&sealed.key_id).ok_or(SealError::Key)?;
    let plain = seal::open(&sealed, &binding(username), key, &key.public())?;
    Secret::from_bytes(plain).ok_or(SealError::Malformed)
}

/// Whether it lies under this key.
#[must_use]
pub fn is_under(kept: &str, key: &PrivateKey) -> bool {
    read(kept).is_ok_and(|sealed| sealed.key_id == key.public().key_id())
}

fn read(kept: &str) -> Result<Sealed, SealError> {
    Sealed::from_bytes(&hex::decode(kept).map_err(|_| SealError::Malformed)?)
}

/// Sets it apart from all else that is sealed to this key.
fn binding(username: &str) -> Vec<u8> {
    format!("hilum.second_factor.v1\n{username}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::seal::generate;

    #[test]
    fn it_opens_for_its_account_under_its_key_and_for_nobody_else() {
        let random = &mut rand::rng();
        let (old, new) = (generate(random).0, generate(random).0);
        let before = SealingKeys::of(std::slice::from_ref(&old));
        let secret = Secret::new([3; 20]);
        let kept = seal(&secret, "ada", &before, random).unwrap();
        assert!(!kept.contains(&hex::encode(secret.as_bytes())) && is_under(&kept, &old) && !is_under(&kept, &new));
        let after = SealingKeys::of(&[old, new.clone()]);
        assert_eq!(open(&kept, "ada", &after).unwrap().as_bytes(), secret.as_bytes());
        assert!(open(&kept, "eve", &after).is_err());
        assert!(open(&kept, "ada", &SealingKeys::of(std::slice::from_ref(&new))).is_err());
        assert!(open("00", "ada", &after).is_err() && open("x", "ada", &after).is_err());
        assert!(is_under(&seal(&secret, "ada", &after, random).unwrap(), &new));
    }
}
