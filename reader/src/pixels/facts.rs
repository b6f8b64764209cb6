//! What a header says of the image, parsed once: facts that may be told. Whose image it is, is the [`super::identity`].

use serde::{Deserialize, Serialize};

/// What the header says of the image. Strings are trimmed, upper-case where DICOM codes are, and at most 64 characters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// SOP Class UID (0008,0016).
    pub sop_class: Option<String>,
    /// Modality (0008,0060).
    pub modality: Option<String>,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// View Position (0018,5101).
    pub view: Option<String>,
    /// Image Laterality (0020,0062), else Laterality (0020,0060).
    pub laterality: Option<String>,
    /// Patient Orientation (0020,0020): where rows run to and where columns run to, `L\\F` as a film is looked at.
    pub orientation: Option<String>,
    /// Patient's Sex (0010,0040).
    pub sex: Option<String>,
    /// Patient's Age (0010,1010), else from birth and study date; years, 0 to 150.
    pub age_years: Option<f32>,
    /// Transfer Syntax UID (0002,0010).
    pub transfer_syntax: String,
    /// Photometric Interpretation (0028,0004).
    pub photometric: Option<String>,
    /// Rows (0028,0010).
    pub rows: Option<u32>,
    /// Columns (0028,0011).
    pub columns: Option<u32>,
    /// Number of Frames (0028,0008), 1 where absent.
    pub frames: u32,
    /// Bits Stored (0028,0101).
    pub bits_stored: Option<u16>,
    /// Burned In Annotation (0028,0301) says YES.
    pub burned_in_annotation: bool,
}
