//! What this application entity takes: kinds of objects and their encodings, as one table each. Whatever is not listed is
//! refused in the scanner's own words when it asks.

use dicom_dictionary_std::uids;

use super::commitment::PUSH_MODEL;

/// Verification, answered with C-ECHO (PS3.4 annex A).
pub const VERIFICATION: &str = "1.2.840.10008.1.1";

/// Implicit VR Little Endian, which every application entity must take (PS3.5 10.1).
pub const IMPLICIT_LE: &str = "1.2.840.10008.1.2";
/// Explicit VR Little Endian.
pub const EXPLICIT_LE: &str = "1.2.840.10008.1.2.1";
/// Deflated Explicit VR Little Endian.
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// Explicit VR Big Endian, retired, still sent by old scanners.
pub const EXPLICIT_BE: &str = "1.2.840.10008.1.2.2";

/// A kind of object that is stored, and why.
pub struct StorageClass {
    /// SOP Class UID.
    pub uid: &'static str,
    /// Its name, for the status page.
    pub name: &'static str,
}

/// The storage classes (PS3.4 B.5) that may hold a chest radiograph.
#[rustfmt::skip]
pub const STORAGE: [StorageClass; 7] = [
    // Imaging plates.
    StorageClass { uid: "1.2.840.10008.5.1.4.1.1.1", name: "Computed Radiography" },
    // Flat panels; what the radiologist sees.
    StorageClass { uid: "1.2.840.10008.5.1.4.1.1.1.1", name: "Digital X-Ray, for presentation" },
    // Flat panels; raw. Read under the window in its header, or its full range.
    StorageClass { uid: "1.2.840.10008.5.1.4.1.1.1.1.1", name: "Digital X-Ray, for processing" },
    // Digitised films, and PNG or JPEG files that `hilum-appliance wrap` made into DICOM objects.
    StorageClass { uid: "1.2.840.10008.5.1.4.1.1.7", name: "Secondary Capture" },
    // The same of newer digitisers and frame grabbers, where they hold one frame; more are answered as not readable.
    StorageClass { uid: "1.2.840.10008.5.1.4.1.1.7.2", name: "Multi-frame Grayscale Byte Secondary Capture" },
    StorageClass { uid: "1.2.840.10008.5.1.4.1.1.7.3", name: "Multi-frame Grayscale Word Secondary Capture" },
    StorageClass { uid: "1.2.840.10008.5.1.4.1.1.7.4", name: "Multi-frame True Color Secondary Capture" },
];

/// The transfer syntaxes that the reader decodes, each tested against it.
#[rustfmt::skip]
pub const TRANSFER_SYNTAXES: [&str; 20] = [
    EXPLICIT_LE,
    IMPLICIT_LE,
    DEFLATED,
    EXPLICIT_BE,
    "1.2.840.10008.1.2.5",     // RLE Lossless
    "1.2.840.10008.1.2.4.50",  // JPEG Baseline, 8 bit
    "1.2.840.10008.1.2.4.51",  // JPEG Extended, 8 and 12 bit
    "1.2.840.10008.1.2.4.57",  // JPEG Lossless
    "1.2.840.10008.1.2.4.70",  // JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  // JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81",  // JPEG-LS Near-Lossless
    "1.2.840.10008.1.2.4.90",  // JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.91",  // JPEG 2000
    "1.2.840.10008.1.2.4.92",  // JPEG 2000 Part 2 Lossless, which single frames encode as Part 1
    "1.2.840.10008.1.2.4.201", // High-Throughput JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.202", // High-Throughput JPEG 2000 with RPCL Options, Lossless
    "1.2.840.10008.1.2.4.203", // High-Throughput JPEG 2000
    "1.2.840.10008.1.2.4.110", // JPEG XL Lossless
    "1.2.840.10008.1.2.4.111", // JPEG XL Recompression
    "1.2.840.10008.1.2.4.112", // JPEG XL
];

/// The name of anything that is negotiated here, taken or sent, or `None`.
#[must_use]
pub fn name(uid: &str) -> Option<&'static str> {
    match uid {
        VERIFICATION => Some("Verification"),
        PUSH_MODEL => Some("Storage Commitment Push Model"),
        // Sent to archives, never taken.
        uids::COMPREHENSIVE_SR_STORAGE => Some("Comprehensive SR"),
        storage => storage_name(storage),
    }
}

/// The name of a kind of object that is taken, or `None`.
#[must_use]
pub fn storage_name(uid: &str) -> Option<&'static str> {
    STORAGE.iter().find(|class| class.uid == uid).map(|class| class.name)
}

/// The transfer syntaxes in which this kind of object is taken; empty where it is not.
#[must_use]
pub fn accepted_for(abstract_syntax: &str) -> &'static [&'static str] {
    if [VERIFICATION, PUSH_MODEL].contains(&abstract_syntax) {
        // Explicit and Implicit VR Little Endian: a C-ECHO has no dataset, and storage commitment a small one.
        &TRANSFER_SYNTAXES[..2]
    } else if storage_name(abstract_syntax).is_some() {
        &TRANSFER_SYNTAXES
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_offered_is_what_the_reader_decodes() {
        let decoded: BTreeSet<_> = reader::pixels::decode::syntax::decoded().collect();
        assert_eq!(BTreeSet::from(TRANSFER_SYNTAXES), decoded);
    }

    #[test]
    fn services_need_no_more_than_the_two_defaults() {
        for service in [VERIFICATION, PUSH_MODEL] {
            assert_eq!(accepted_for(service), [EXPLICIT_LE, IMPLICIT_LE]);
        }
        assert!(accepted_for("1.2.840.10008.5.1.4.1.1.2").is_empty(), "CT is not taken");
    }

    #[test]
    fn what_an_archive_may_not_take_has_a_name() {
        let sent = [uids::COMPREHENSIVE_SR_STORAGE, uids::SECONDARY_CAPTURE_IMAGE_STORAGE, PUSH_MODEL, VERIFICATION];
        assert!(sent.into_iter().chain(STORAGE.iter().map(|class| class.uid)).all(|uid| name(uid).is_some()));
    }
}
