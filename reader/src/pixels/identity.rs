//! Whose image it is and where it belongs: what pseudonyms are made from, and what a report that goes back to the hospital's
//! own systems must repeat so that it is filed with its study. Nothing of it may be logged or leave the hospital.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who and which. Text is decoded from the header's character set, without control characters and within the length of its
/// value representation (PS3.5 6.2); dates, times and identifiers are well-formed or absent.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// Patient ID (0010,0020).
    pub patient_id: Option<String>,
    /// Issuer of Patient ID (0010,0021).
    pub patient_id_issuer: Option<String>,
    /// Patient's Name (0010,0010): up to three component groups, each with its carets.
    pub patient_name: Option<String>,
    /// Patient's Birth Date (0010,0030), YYYYMMDD.
    pub birth_date: Option<String>,
    /// Patient's Sex (0010,0040): `M`, `F` or `O`.
    pub sex: Option<String>,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: Option<String>,
    /// Study Date (0008,0020), YYYYMMDD.
    pub study_date: Option<String>,
    /// Study Time (0008,0030), HH, HHMM or HHMMSS with or without a fraction.
    pub study_time: Option<String>,
    /// Study ID (0020,0010).
    pub study_id: Option<String>,
    /// Study Description (0008,1030).
    pub study_description: Option<String>,
    /// Accession Number (0008,0050).
    pub accession_number: Option<String>,
    /// Referring Physician's Name (0008,0090).
    pub referring_physician: Option<String>,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: Option<String>,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: Option<String>,
    /// Timezone Offset From UTC (0008,0201), such as `+0100`.
    pub utc_offset: Option<String>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(withheld)")
    }
}
