//! What people on site are told of an image once it is concluded, and whose it is, sealed. It writes nothing itself: the line
//! goes into the database with the result.

use outbox::{Instance, NewEntry, Pseudonyms};
use reader::pixels::About;
use reader::{Outcome, Reading};
use serde::{Deserialize, Serialize};
use vitals::config::Mistakes;

use crate::at_rest::{AtRest, AtRestError};
use crate::privacy::{self, Privacy};

/// What identities are sealed for.
pub(crate) const PURPOSE: &[u8] = b"lookup identity";

/// `[lookup]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LookupConfig {
    /// How long an image's identity can be looked up, days, 1 to 3650.
    pub keep_days: u32,
}

impl Default for LookupConfig {
    fn default() -> Self {
        // A reviewer's question comes within weeks; what is not kept cannot be stolen.
        Self { keep_days: 90 }
    }
}

impl LookupConfig {
    /// What cannot work in `[lookup]`.
    pub(crate) fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.require((1..=3650).contains(&self.keep_days), "keep_days", "use 1 to 3650 days");
    }

    /// Whatever was concluded before then is forgotten.
    #[must_use]
    pub fn forget_before_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(i64::from(self.keep_days) * 86_400_000)
    }
}

/// What a technician finds a study by. It is shown to nobody but whoever runs `lookup` on the device.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    /// Accession Number (0008,0050).
    pub accession_number: Option<String>,
    /// Patient ID (0010,0020).
    pub patient_id: Option<String>,
    /// Study Date (0008,0020), YYYYMMDD.
    pub study_date: Option<String>,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: Option<String>,
}

impl Whose {
    fn of(about: &About) -> Self {
        let identity = &about.identity;
        Self {
            accession_number: identity.accession_number.clone(),
            patient_id: identity.patient_id.clone(),
            study_date: identity.study_date.clone(),
            study_instance_uid: identity.study_instance_uid.clone(),
        }
    }

    fn seal(&self, key: &AtRest) -> Result<Vec<u8>, AtRestError> {
        // Four optional texts always have a JSON form.
        key.seal(PURPOSE, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Opens what was sealed.
    ///
    /// # Errors
    /// [`AtRestError::Damaged`].
    pub fn open(key: &AtRest, sealed: &[u8]) -> Result<Self, AtRestError> {
        serde_json::from_slice(&key.open(PURPOSE, sealed)?).map_err(|_| AtRestError::Damaged)
    }
}

/// An image's line. It owns its words, to cross threads.
#[derive(Clone, Debug)]
pub struct Line {
    concluded_ms: i64,
    pseudonyms: Pseudonyms,
    status: &'static str,
    detail: String,
    total_ms: f64,
    identity: Option<Vec<u8>>,
    lost: Option<String>,
}

/// Codes of what is this device's fault and not the image's: it may be sent again, and is read then.
const LOST: [&str; 3] = ["file_not_found", "file_damaged", "reader_crashed"];

impl Line {
    /// Of an image that was just read.
    #[must_use]
    pub fn of(image: &Instance, reading: &Reading, privacy: &Privacy, key: &AtRest, now_ms: i64) -> Self {
        let told = privacy.tell(&image.sop_instance, reading.about.as_ref());
        let sealed = reading.about.as_ref().map(|about| Whose::of(about).seal(key)).transpose();
        if let Err(error) = &sealed {
            tracing::error!(error = %error, "an image cannot be looked up later");
        }
        let (status, detail) = outcome(&reading.outcome);
        Self {
            concluded_ms: now_ms,
            pseudonyms: Pseudonyms { study: told.study.0, object: told.instance.0, patient: told.patient.0 },
            status,
            total_ms: now_ms.saturating_sub(image.received_ms).max(0) as f64,
            identity: sealed.unwrap_or_default(),
            lost: (status == "unreadable" && LOST.contains(&&*detail)).then(|| image.file.clone()),
            detail,
        }
    }

    /// For the database.
    #[must_use]
    pub fn as_new(&self) -> NewEntry<'_> {
        NewEntry {
            concluded_ms: self.concluded_ms,
            pseudonyms: self.pseudonyms.clone(),
            status: self.status,
            detail: &self.detail,
            total_ms: self.total_ms,
            identity: self.identity.as_deref(),
            lost: self.lost.as_deref(),
        }
    }
}

/// Status and finding or reason; a reason's code is one of ours, whatever the decoder said.
fn outcome(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Read { finding, .. } => ("read", if finding.positive { "positive" } else { "negative" }.to_owned()),
        Outcome::Abstained(reason) => ("abstained", privacy::reason(reason).code),
        Outcome::Unreadable(reason) => ("unreadable", privacy::reason(reason).code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_opens_with_its_key_alone_and_shows_nothing_before() {
        let key = AtRest::new(&[7; 32], || [9; 16]);
        let whose = Whose { patient_id: Some("PAT-4711".into()), ..Whose::default() };
        let sealed = whose.seal(&key).unwrap();
        assert!(!sealed.windows(8).any(|window| window == b"PAT-4711"));
        assert!(Whose::open(&key, &sealed).unwrap() == whose);
        assert!(Whose::open(&AtRest::new(&[8; 32], || [9; 16]), &sealed).is_err());
    }

    #[test]
    fn ninety_days_are_kept() {
        let day = 86_400_000;
        assert_eq!(LookupConfig::default().forget_before_ms(100 * day), 10 * day);
    }
}
