//! Which of the gateway's keys this device believes and seals to: that of its enrolment, or a newer one that the gateway has told of
//! since, under the key before it. It never takes a key's word for an older one.
//!
//! A later enrolment or renewal speaks for itself: what was told under the key of an earlier one counts no more, unless that
//! renewal came from a gateway which did not know better yet and names the same key again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wire::seal::PublicKey;

use super::file::write_private;
use super::{IdentityError, IdentityFolder};

/// The content of `gateway-key.json`; keys are 64 hexadecimal characters.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    /// The key of the enrolment that was in force.
    enrolled: String,
    /// The newest.
    newest: String,
    /// The one that told of it.
    before: String,
}

impl IdentityFolder {
    fn gateway_key(&self) -> PathBuf {
        self.0.join("gateway-key.json")
    }

    /// The key in force and the one before it. A file that cannot be read is as good as none: the gateway tells again.
    pub(super) fn gateway_keys(&self, enrolled: PublicKey) -> (PublicKey, Option<PublicKey>) {
        let told = std::fs::read_to_string(self.gateway_key()).ok();
        let told: Option<Told> = told.and_then(|text| serde_json::from_str(&text).ok());
        let counts = told.filter(|told| told.enrolled == enrolled.to_hex());
        let key = |text: &str| PublicKey::from_hex(text).ok();
        match counts.and_then(|told| Some((key(&told.newest)?, key(&told.before)))) {
            Some((newest, before)) => (newest, before),
            None => (enrolled, None),
        }
    }

    /// Takes up the key that the key `by` has told of; false where that is not the one in force any more, or it is the one that
    /// is. Durable when this returns.
    ///
    /// # Errors
    /// [`IdentityError`]; the key before is in force as it was, then.
    pub fn take_up(&self, by: &PublicKey, key: &str) -> Result<bool, IdentityError> {
        let key = PublicKey::from_hex(key).map_err(|source| IdentityError::Key { file: self.gateway_key(), source })?;
        let now = self.load()?;
        if now.gateway != *by || now.gateway == key {
            return Ok(false);
        }
        let told =
            Told { enrolled: now.enrolment.gateway_sealing_key, newest: key.to_hex(), before: now.gateway.to_hex() };
        let text = serde_json::to_string_pretty(&told).map_err(IdentityError::Json)?;
        write_private(&self.gateway_key(), &text)?;
        Ok(true)
    }
}
