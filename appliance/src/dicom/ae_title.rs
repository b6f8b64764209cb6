//! Application entity titles: parsed once at the edge, comparable from then on.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// Longest title, PS3.5 6.2 (AE).
const LONGEST: usize = 16;

/// The name of a DICOM application, such as a scanner's: 1 to 16 printable ASCII characters without a backslash, leading
/// and trailing spaces not counting (PS3.5 6.2, AE).
///
/// ```
/// use appliance::dicom::AeTitle;
/// assert_eq!(" XR-ROOM-1 ".parse::<AeTitle>().unwrap().as_str(), "XR-ROOM-1");
/// assert!("A-TITLE-THAT-IS-TOO-LONG".parse::<AeTitle>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct AeTitle(String);

impl AeTitle {
    /// The title without padding.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AeTitle {
    type Err = InvalidAeTitle;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let title = text.trim_matches(' ');
        let printable = |b: u8| (b' '..=b'~').contains(&b) && b != b'\\';
        if (1..=LONGEST).contains(&title.len()) && title.bytes().all(printable) {
            Ok(Self(title.to_owned()))
        } else {
            Err(InvalidAeTitle)
        }
    }
}

impl TryFrom<String> for AeTitle {
    type Error = InvalidAeTitle;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot be a title. It is not repeated: it may come from anybody who reached the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an AE title has 1 to 16 printable ASCII characters and no backslash")]
pub struct InvalidAeTitle;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_standard_allows_is_a_title() {
        for good in ["A", "HILUM", "0123456789ABCDEF", "  PADDED        ", "WITH SPACE"] {
            assert!(good.parse::<AeTitle>().is_ok(), "{good:?}");
        }
        for bad in ["", "    ", "0123456789ABCDEFG", "BACK\\SLASH", "NUL\0", "LINE\nFEED", "Über"] {
            assert!(bad.parse::<AeTitle>().is_err(), "{bad:?}");
        }
    }
}
