//! The coded concepts that a report uses, each from the standard's own lists.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::super::modules::{sequence, text};

/// A coded concept (PS3.3 8.8): value of at most 16 characters, scheme, meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) &'static str, pub(crate) &'static str, pub(crate) &'static str);

/// Concepts of PS3.16 annex D, SNOMED CT, LOINC and UCUM.
#[rustfmt::skip]
impl Code {
    pub(super) const TITLE: Self = Self("126000", "DCM", "Imaging Measurement Report");
    pub(super) const LANGUAGE: Self = Self("121049", "DCM", "Language of Content Item and Descendants");
    pub(super) const ENGLISH: Self = Self("en", "RFC5646", "English");
    pub(super) const OBSERVER_TYPE: Self = Self("121005", "DCM", "Observer Type");
    pub(super) const DEVICE: Self = Self("121007", "DCM", "Device");
    pub(super) const DEVICE_UID: Self = Self("121012", "DCM", "Device Observer UID");
    pub(super) const DEVICE_NAME: Self = Self("121013", "DCM", "Device Observer Name");
    pub(super) const DEVICE_MANUFACTURER: Self = Self("121014", "DCM", "Device Observer Manufacturer");
    pub(super) const DEVICE_MODEL: Self = Self("121015", "DCM", "Device Observer Model Name");
    pub(super) const DEVICE_SERIAL: Self = Self("121016", "DCM", "Device Observer Serial Number");
    pub(super) const PROCEDURE: Self = Self("121058", "DCM", "Procedure reported");
    /// What is not known to be a chest film.
    pub(crate) const IMAGING: Self = Self("18748-4", "LN", "Diagnostic imaging study");
    pub(crate) const CHEST_RADIOGRAPH: Self = Self("36554-4", "LN", "XR Chest Single view");
    pub(super) const IMAGE_LIBRARY: Self = Self("111028", "DCM", "Image Library");
    pub(super) const IMAGE_LIBRARY_GROUP: Self = Self("126200", "DCM", "Image Library Group");
    pub(super) const MODALITY: Self = Self("121139", "DCM", "Modality");
    pub(super) const TARGET_REGION: Self = Self("123014", "DCM", "Target Region");
    pub(super) const THORAX: Self = Self("816094009", "SCT", "Thorax");
    pub(super) const PIXEL_ROWS: Self = Self("110910", "DCM", "Pixel Data Rows");
    pub(super) const PIXEL_COLUMNS: Self = Self("110911", "DCM", "Pixel Data Columns");
    pub(super) const PIXELS: Self = Self("{pixels}", "UCUM", "pixels");
    pub(super) const MEASUREMENTS: Self = Self("126010", "DCM", "Imaging Measurements");
    pub(super) const GROUP: Self = Self("125007", "DCM", "Measurement Group");
    pub(super) const TRACKING_ID: Self = Self("112039", "DCM", "Tracking Identifier");
    pub(super) const TRACKING_UID: Self = Self("112040", "DCM", "Tracking Unique Identifier");
    pub(super) const FINDING: Self = Self("121071", "DCM", "Finding");
    pub(crate) const PNEUMONIA: Self = Self("233604007", "SCT", "Pneumonia");
    pub(super) const SITE: Self = Self("363698007", "SCT", "Finding Site");
    pub(super) const LUNG: Self = Self("39607008", "SCT", "Lung");
    pub(super) const SOURCE: Self = Self("121112", "DCM", "Source of Measurement");
    pub(crate) const PROBABILITY: Self = Self("122157", "DCM", "Probability");
    pub(super) const ZERO_TO_ONE: Self = Self("{0:1}", "UCUM", "range: 0:1");
    pub(super) const PRESENCE: Self = Self("121052", "DCM", "Presence of property");
    pub(crate) const PRESENT: Self = Self("52101004", "SCT", "Present");
    /// An algorithm that finds nothing does not say that there is nothing.
    pub(crate) const NOT_DETECTED: Self = Self("260415000", "SCT", "Not detected");
    pub(crate) const UNDETERMINED: Self = Self("373068000", "SCT", "Undetermined");
    pub(super) const ALGORITHM_NAME: Self = Self("111001", "DCM", "Algorithm Name");
    pub(super) const ALGORITHM_VERSION: Self = Self("111003", "DCM", "Algorithm Version");
    pub(super) const ALGORITHM_PARAMETERS: Self = Self("111002", "DCM", "Algorithm Parameters");
    pub(super) const COMMENT: Self = Self("121106", "DCM", "Comment");
}

/// Acquisition modalities of CID 29 by their defined term; a chest radiograph comes as one of these.
#[rustfmt::skip]
const MODALITIES: [Code; 5] = [
    Code("CR", "DCM", "Computed Radiography"),
    Code("DX", "DCM", "Digital Radiography"),
    Code("RF", "DCM", "Radiofluoroscopy"),
    Code("RG", "DCM", "Radiographic imaging"),
    Code("OT", "DCM", "Other Modality"),
];

impl Code {
    /// The concept of a Modality (0008,0060); other where it is none of them.
    pub(super) fn modality(term: Option<&str>) -> Self {
        MODALITIES.into_iter().find(|code| Some(code.0) == term).unwrap_or(MODALITIES[4])
    }

    /// The item of a code sequence.
    pub(super) fn item(self) -> InMemDicomObject {
        let Self(value, scheme, meaning) = self;
        InMemDicomObject::from_element_iter([
            text(tags::CODE_VALUE, VR::SH, value),
            text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme),
            text(tags::CODE_MEANING, VR::LO, meaning),
        ])
    }

    /// A code sequence of this one concept.
    pub(super) fn element(self, tag: dicom_core::Tag) -> dicom_core::DataElement<InMemDicomObject> {
        sequence(tag, vec![self.item()])
    }
}
