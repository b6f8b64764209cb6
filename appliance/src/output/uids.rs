//! Identifiers of the objects that are made here. They follow from what an object is made of, so that the same object sent
//! twice, or made again after a crash, is the same object to every archive. Pure.

use sha2::{Digest, Sha256};
use uuid::{Builder, Variant, Version};

/// What an identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Structured Report.
    Report,
    /// The series that it is alone in.
    ReportSeries,
    /// A Secondary Capture.
    Capture,
    /// The series that it is alone in.
    CaptureSeries,
    /// The finding that is tracked over reports (TID 1501, Tracking Unique Identifier).
    Tracking,
    /// The appliance as an observer (TID 1004, Device Observer UID).
    Device,
}

impl Kind {
    /// Part of what is hashed: never to be changed, or every object ever sent would be another one.
    fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::ReportSeries => "report-series",
            Self::Capture => "capture",
            Self::CaptureSeries => "capture-series",
            Self::Tracking => "tracking",
            Self::Device => "device",
        }
    }
}

/// The identifier that follows from `parts`, in the form `2.25.` and a UUID as a decimal number (PS3.5 B.2). The UUID is of
/// version 8 (RFC 9562 5.8), from SHA-256 over the kind and the parts, each after its length, so that no two lists of parts
/// run together.
///
/// ```
/// use appliance::output::uids::{Kind, derived};
/// assert_eq!(derived(Kind::Report, &["a", "bc"]), derived(Kind::Report, &["a", "bc"]));
/// assert_ne!(derived(Kind::Report, &["a", "bc"]), derived(Kind::Report, &["ab", "c"]));
/// assert_ne!(derived(Kind::Report, &["a"]), derived(Kind::Capture, &["a"]));
/// ```
#[must_use]
pub fn derived(kind: Kind, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once("hilum").chain([kind.word()]).chain(parts.iter().copied()) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    let uuid = Builder::from_bytes(bytes).with_variant(Variant::RFC4122).with_version(Version::Custom).into_uuid();
    format!("2.25.{}", uuid.as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: a release that gives another identifier makes a second object of every report that is sent again.
    #[test]
    fn identifiers_never_change() {
        assert_eq!(
            derived(Kind::Report, &["demo-1", "1.2.3", "00ff", "abcd"]),
            "2.25.19216272406348926087642699015018580260"
        );
    }

    proptest::proptest! {
        #[test]
        fn every_identifier_is_a_uid_of_a_version_8_uuid(parts: Vec<String>) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let uid = derived(Kind::Capture, &parts);
            proptest::prop_assert!(uid.len() <= 64 && uid.parse::<crate::dicom::Uid>().is_ok());
            let number: u128 = uid["2.25.".len()..].parse().unwrap();
            proptest::prop_assert_eq!((number >> 76 & 0xf, number >> 62 & 0x3), (8, 2));
        }
    }
}
