//! Names that travel: parsed once at the edge, correct from then on. Never generates one by itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest device name. It becomes a certificate's common name, which X.520 bounds at 64 characters.
const MAX_DEVICE_ID: usize = 64;

/// A device's name: the certificate's common name and one level of every topic it may use.
///
/// Lower-case letters, digits and `-`, starting with a letter or digit, 1 to 64 characters: nothing that MQTT topics
/// (`/`, `+`, `#`, `$`), file names or shells give a meaning to.
///
/// ```
/// use wire::ids::DeviceId;
/// assert!("st-mary-xr-2".parse::<DeviceId>().is_ok());
/// assert!("../etc".parse::<DeviceId>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId(String);

impl DeviceId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceId {
    type Err = InvalidDeviceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=MAX_DEVICE_ID).contains(&text.len());
        if fits && !text.starts_with('-') && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDeviceId(text.chars().take(MAX_DEVICE_ID).collect()))
        }
    }
}

impl TryFrom<String> for DeviceId {
    type Error = InvalidDeviceId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot name a device.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" cannot name a device: use 1 to 64 lower-case letters, digits and '-', not starting with '-'")]
pub struct InvalidDeviceId(String);

/// A message's identity, a `UUIDv7`: made once when the outbox row is written, the same in every resend.
///
/// The gateway's insert is idempotent by (device, message id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub Uuid);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MessageId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The site's stand-in for a DICOM identifier or a patient's number: a keyed hash whose key never leaves the device.
///
/// 26 characters of Crockford-free base32 (RFC 4648 lower-case, no padding) are 130 bits, so that two identifiers of
/// one site do not meet by accident.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pseudonym(pub String);

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_refused_where_a_topic_file_or_shell_would_stumble() {
        for bad in ["", "-a", "A", "a/b", "a+b", "#", "a b", "..", "a\0", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<DeviceId>().is_err(), "{bad:?} was accepted");
        }
        for good in ["a", "0", "demo-1", &"x".repeat(64)] {
            assert_eq!(good.parse::<DeviceId>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn deserialising_checks_what_parsing_checks() {
        assert!(serde_json::from_str::<DeviceId>("\"a/b\"").is_err());
        assert!(serde_json::from_str::<DeviceId>("\"a-b\"").is_ok());
    }
}
