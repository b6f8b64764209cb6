//! DICOM unique identifiers as they arrive: checked once, never used as a file name.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Longest identifier, PS3.5 9.1.
const LONGEST: usize = 64;

/// 1 to 64 digits and dots, no empty component. Leading zeros, which PS3.5 9.1 forbids, are let through: scanners send them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uid(Cow<'static, str>);

impl Uid {
    /// One that the standard itself defines.
    #[must_use]
    pub(crate) const fn well_known(uid: &'static str) -> Self {
        Self(Cow::Borrowed(uid))
    }

    /// The identifier without padding.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Uid {
    type Err = InvalidUid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Padded to even length with NUL by the standard, with a space by many senders.
        let uid = text.trim_end_matches(['\0', ' ']);
        let component = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if uid.len() <= LONGEST && uid.split('.').all(component) {
            Ok(Self(Cow::Owned(uid.to_owned())))
        } else {
            Err(InvalidUid)
        }
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no identifier. It is not repeated: it may come from anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a UID has 1 to 64 digits and dots")]
pub struct InvalidUid;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_shell_words_are_no_identifiers() {
        for good in ["1.2.840.10008.1.1\0", "2.25.1 ", "1", "1.02.3"] {
            assert!(good.parse::<Uid>().is_ok(), "{good:?}");
        }
        for bad in ["", ".", "1..2", "../../etc/passwd", "1.2/3", "1.2;reboot", "1.2.", "1.2.840.x", &"1".repeat(65)] {
            assert!(bad.parse::<Uid>().is_err(), "{bad:?}");
        }
    }
}
