//! The transfer syntaxes that are decoded here, and by whom: one table. What is offered to scanners is compared with it.

/// Who decodes a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// Nobody: the samples lie in the dataset as they are.
    Native,
    /// dicom-rs with the codecs that it brings.
    Registry,
    /// The same; where it refuses a stream of 12 bits, a decoder of its own.
    Extended,
    /// jxl-oxide.
    JpegXl,
}

/// UIDs of PS3.6 table A-1, each with its decoder.
#[rustfmt::skip]
const TABLE: [(&str, Codec); 20] = [
    ("1.2.840.10008.1.2.1",     Codec::Native),   // Explicit VR Little Endian
    ("1.2.840.10008.1.2",       Codec::Native),   // Implicit VR Little Endian
    ("1.2.840.10008.1.2.1.99",  Codec::Native),   // Deflated Explicit VR Little Endian
    ("1.2.840.10008.1.2.2",     Codec::Native),   // Explicit VR Big Endian
    ("1.2.840.10008.1.2.5",     Codec::Registry), // RLE Lossless
    ("1.2.840.10008.1.2.4.50",  Codec::Registry), // JPEG Baseline
    ("1.2.840.10008.1.2.4.51",  Codec::Extended), // JPEG Extended, 8 and 12 bit
    ("1.2.840.10008.1.2.4.57",  Codec::Registry), // JPEG Lossless, any predictor
    ("1.2.840.10008.1.2.4.70",  Codec::Registry), // JPEG Lossless, first-order prediction
    ("1.2.840.10008.1.2.4.80",  Codec::Registry), // JPEG-LS Lossless
    ("1.2.840.10008.1.2.4.81",  Codec::Registry), // JPEG-LS Near-Lossless
    ("1.2.840.10008.1.2.4.90",  Codec::Registry), // JPEG 2000 Lossless
    ("1.2.840.10008.1.2.4.91",  Codec::Registry), // JPEG 2000
    ("1.2.840.10008.1.2.4.92",  Codec::Registry), // JPEG 2000 Part 2 Lossless, which single frames encode as Part 1
    ("1.2.840.10008.1.2.4.201", Codec::Registry), // High-Throughput JPEG 2000 Lossless
    ("1.2.840.10008.1.2.4.202", Codec::Registry), // High-Throughput JPEG 2000 with RPCL, Lossless
    ("1.2.840.10008.1.2.4.203", Codec::Registry), // High-Throughput JPEG 2000
    ("1.2.840.10008.1.2.4.110", Codec::JpegXl),   // JPEG XL Lossless
    ("1.2.840.10008.1.2.4.111", Codec::JpegXl),   // JPEG XL Recompression: a JPEG in another coat
    ("1.2.840.10008.1.2.4.112", Codec::JpegXl),   // JPEG XL
];

/// UIDs of all that is decoded.
pub fn decoded() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(uid, _)| *uid)
}

/// Who decodes frames of this transfer syntax, if anybody.
pub(super) fn codec(uid: &str) -> Option<Codec> {
    TABLE.iter().find(|(known, _)| *known == uid).map(|(_, codec)| *codec)
}

#[cfg(test)]
mod tests {
    use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
    use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

    use super::*;

    #[test]
    fn what_is_left_to_dicom_rs_can_be_decoded_by_it() {
        for (uid, codec) in TABLE {
            let syntax = TransferSyntaxRegistry.get(uid).unwrap_or_else(|| panic!("{uid} is unknown"));
            assert!(codec == Codec::JpegXl || syntax.can_decode_all(), "{uid} has no decoder");
            assert_eq!(syntax.is_encapsulated_pixel_data(), codec != Codec::Native, "{uid}");
        }
    }
}
