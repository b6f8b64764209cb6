//! The lists: every text that may leave the device about an image, each of them ours and none of them the image's.

/// Modality (0008,0060): projection radiography, and what else may be sent by mistake (PS3.3 C.7.3.1.1.1).
pub(super) const MODALITIES: [&str; 20] = [
    "CR", "DX", "RG", "RF", "OT", "MG", "IO", "PX", "XA", "CT", "MR", "US", "NM", "PT", "SC", "XC", "ES", "GM", "SM",
    "BMD",
];

/// Body Part Examined (0018,0015), the parts of PS3.16 annex L that a radiography room examines.
pub(super) const BODY_PARTS: [&str; 40] = [
    "CHEST",
    "THORAX",
    "LUNG",
    "RIB",
    "STERNUM",
    "CLAVICLE",
    "ABDOMEN",
    "PELVIS",
    "HIP",
    "EXTREMITY",
    "ARM",
    "HUMERUS",
    "ELBOW",
    "FOREARM",
    "WRIST",
    "HAND",
    "FINGER",
    "THUMB",
    "LEG",
    "FEMUR",
    "KNEE",
    "PATELLA",
    "TIBIA",
    "ANKLE",
    "FOOT",
    "CALCANEUS",
    "TOE",
    "SHOULDER",
    "SCAPULA",
    "SKULL",
    "HEAD",
    "JAW",
    "NECK",
    "SPINE",
    "CSPINE",
    "TSPINE",
    "LSPINE",
    "SSPINE",
    "COCCYX",
    "WHOLEBODY",
];

/// View Position (0018,5101), PS3.3 C.8.7.2.1 and C.8.11.1.
pub(super) const VIEWS: [&str; 18] = [
    "PA", "AP", "LL", "RL", "LAT", "LATERAL", "LLD", "RLD", "LLO", "RLO", "RAO", "LAO", "RPO", "LPO", "ML", "LM",
    "MLO", "CC",
];

/// Patient's Sex (0010,0040), PS3.3 C.7.1.1.
pub(super) const SEXES: [&str; 3] = ["M", "F", "O"];

/// Photometric Interpretation (0028,0004), PS3.3 C.7.6.3.1.2.
pub(super) const PHOTOMETRICS: [&str; 9] = [
    "MONOCHROME1",
    "MONOCHROME2",
    "PALETTE COLOR",
    "RGB",
    "YBR_FULL",
    "YBR_FULL_422",
    "YBR_PARTIAL_420",
    "YBR_ICT",
    "YBR_RCT",
];

/// The value where it is on the list.
pub(super) fn listed(value: Option<&str>, list: &[&'static str]) -> Option<String> {
    let value = value?.trim_matches(['\0', ' ']);
    list.iter().find(|known| **known == value).map(|known| (*known).to_owned())
}

/// What is said for a reason nobody here knows.
const UNKNOWN: (&str, &str) = ("unreadable", "The image could not be read; look at the appliance's status page.");

/// Reasons by their code, as a reviewer reads them.
#[rustfmt::skip]
const REASONS: [(&str, &str); 31] = [
    // Not read, because the model was not made for it.
    ("not_a_radiograph", "The modality is not projection radiography; the model reads chest radiographs only."),
    ("not_a_chest", "The header says that this is not a chest. If it is one, correct Body Part Examined at the scanner and send it again."),
    ("view_not_frontal", "This is a lateral or oblique view; the model reads frontal views (PA or AP) only."),
    ("multi_frame", "The object holds several frames; only single radiographs are read."),
    ("too_small", "The image is too small for a radiograph; send the original instead of a thumbnail."),
    ("orientation_not_standard", "The header says that the image is mirrored, upside down or on its side; send it as it is looked at."),
    ("age_not_intended", "The patient is outside the ages that the model was made for, so it was not asked."),
    ("clipped_exposure", "Most of the image is all black or all white; look at the exposure and the window, and send it again."),
    ("inverted", "The image looks like a negative, or is no chest; look at Photometric Interpretation and send it again."),
    ("no_contrast", "The image is blank or almost so; look at the exposure and send it again."),
    ("out_of_distribution", "The picture is unlike every radiograph that the model was trained on; it was not read. Look whether it is a frontal chest radiograph, upright and not inverted."),
    // Read, with a reservation.
    ("unlike_training", "The picture is unlike almost all radiographs that the model was trained on; its answer is less reliable than measured."),
    ("body_part_unknown", "The header does not say which body part this is; it was read as a chest."),
    ("view_unknown", "The header does not say that this is a frontal view; it was read as one."),
    ("age_unknown", "The patient's age is not stated; whether the model was made for this patient is unknown."),
    ("age_outside_intended_use", "The patient is outside the ages that the model was made for; its answer is less reliable than measured."),
    ("burned_in_annotation", "The header says that text is burned into the image, which can mislead the model; as it may name the patient, the picture does not leave the hospital."),
    ("text_in_image", "The image seems to have lines of text in its pixels, which can mislead the model; as they may name the patient, the picture does not leave the hospital."),
    // Not readable.
    ("file_not_found", "The stored file was lost on the appliance; send the image again and look at the appliance's disk."),
    ("file_damaged", "The stored file was damaged on the appliance; send the image again and look at the appliance's disk."),
    ("not_dicom", "The object is not a DICOM image; send the image itself."),
    ("malformed", "The DICOM object is damaged; send it again from the scanner or the archive."),
    ("no_pixel_data", "The DICOM object holds no image (no Pixel Data); send the image object of the study."),
    ("unsupported_transfer_syntax", "The image is compressed in a way that cannot be decoded; have the scanner send Explicit VR Little Endian."),
    ("unsupported_pixels", "Pixels of this kind are not supported; send an 8 to 16 bit grey image."),
    ("too_large", "The object is larger than the appliance accepts."),
    ("decode_failed", "The compressed pixels could not be decoded; have the scanner send Explicit VR Little Endian."),
    ("decoder_crashed", "Decoding the object crashed its process or needed too much memory; it is kept on the appliance for analysis."),
    ("decoder_timeout", "Decoding the object took longer than allowed; it is kept on the appliance for analysis."),
    // Of the appliance itself.
    ("reader_crashed", "The appliance failed each time it read this image; send it again to have it tried once more. It is kept there for analysis."),
    UNKNOWN,
];

/// Code and words for a code; what is not listed is [`UNKNOWN`].
pub(super) fn words(code: &str) -> (&'static str, &'static str) {
    REASONS.into_iter().find(|(known, _)| *known == code).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<&str> = REASONS.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), REASONS.len());
    }

    #[test]
    fn every_code_of_the_reader_has_its_words() {
        use reader::pixels::{Unreadable, suitability};
        for code in suitability::codes() {
            assert_eq!(words(code).0, code);
        }
        let text = String::new;
        for unreadable in [
            Unreadable::NotFound,
            Unreadable::NotDicom,
            Unreadable::Malformed { what: text() },
            Unreadable::NoPixelData,
            Unreadable::UnsupportedTransferSyntax { uid: text() },
            Unreadable::UnsupportedPixels { what: text() },
            Unreadable::MultiFrame,
            Unreadable::TooLarge { what: text() },
            Unreadable::DecodeFailed { uid: text() },
            Unreadable::DecoderCrashed,
            Unreadable::DecoderTimeout,
        ] {
            assert_eq!(words(unreadable.code()).0, unreadable.code());
        }
    }
}
