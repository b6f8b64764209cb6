//! All that the objects about one image are made from, as one value: made once when the image is concluded, kept sealed until
//! every destination has what it is to have. It says who the patient is, so it is never logged and never leaves as it is.

use std::fmt;

use reader::pixels::{Identity, ImageFacts, Preview};
use reader::saliency::Saliency;
use serde::{Deserialize, Serialize};
use wire::v1::result::{OutcomeV1, ReasonV1};

use super::sr::Code;
use super::uids::{self, Kind};

/// What came of one image, and whose it is.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Who says so.
    pub origin: Origin,
    /// Whose image it is and which study it belongs to.
    pub identity: Identity,
    /// What the header says of the image.
    pub facts: ImageFacts,
    /// SOP Instance UID under which the image was accepted.
    pub sop_instance: String,
    /// SHA-256 of the dataset as it was received, hexadecimal.
    pub digest: String,
    /// When it was concluded.
    pub moment: Moment,
    /// What came of it.
    pub outcome: OutcomeV1,
    /// Reservations beside it.
    pub caveats: Vec<ReasonV1>,
    /// The picture, where a capture is to be made of it.
    pub picture: Option<Picture>,
}

/// The appliance that concluded an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The device's name.
    pub device: String,
    /// The site that it stands in.
    pub site: String,
    /// Version of the software.
    pub version: String,
}

/// A point in time, as a clock on the wall shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since the Unix epoch.
    pub unix_ms: i64,
    /// The wall's distance from UTC, minutes, east positive.
    pub offset_minutes: i16,
}

/// What a capture shows.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// The radiograph, reduced, with the window that the model saw it under.
    pub preview: Preview,
    /// Where the model's evidence lies.
    pub saliency: Saliency,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record(withheld)")
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Picture(withheld)")
    }
}

/// A finding as it is routed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Read, at or over the operating point.
    Positive,
    /// Read, below it.
    Negative,
    /// Not read, for a reason of the image's kind.
    Abstained,
    /// Not read, since it could not be made into an image.
    Unreadable,
}

impl Record {
    /// What was done, as far as it is known: only an image that the gate took for a chest film was one.
    pub(super) fn procedure(&self) -> Code {
        if matches!(self.outcome, OutcomeV1::Read(_)) { Code::CHEST_RADIOGRAPH } else { Code::IMAGING }
    }

    /// What the image is routed by.
    #[must_use]
    pub fn finding(&self) -> Finding {
        match &self.outcome {
            OutcomeV1::Read(read) if read.positive => Finding::Positive,
            OutcomeV1::Read(_) => Finding::Negative,
            OutcomeV1::Abstained { .. } => Finding::Abstained,
            OutcomeV1::Unreadable { .. } => Finding::Unreadable,
        }
    }

    /// True where a report can be filed: without the study's and the series' identifiers no system knows where it belongs, and
    /// without its class the image cannot be referred to.
    #[must_use]
    pub fn can_be_filed(&self) -> bool {
        let identity = &self.identity;
        identity.study_instance_uid.is_some()
            && identity.series_instance_uid.is_some()
            && self.facts.sop_class.is_some()
    }

    /// The identifier of an object made of this record.
    #[must_use]
    pub fn uid(&self, kind: Kind) -> String {
        let model = match &self.outcome {
            OutcomeV1::Read(read) => read.model.digest.as_str(),
            OutcomeV1::Abstained { .. } | OutcomeV1::Unreadable { .. } => "not read",
        };
        uids::derived(kind, &[&self.origin.device, &self.sop_instance, &self.digest, model])
    }

    /// The appliance's own identifier.
    #[must_use]
    pub fn device_uid(&self) -> String {
        uids::derived(Kind::Device, &[&self.origin.device])
    }
}

impl Moment {
    /// Date and time as the wall's clock shows them: YYYYMMDD and HHMMSS (PS3.5 6.2, DA and TM).
    #[must_use]
    pub fn date_and_time(self) -> (String, String) {
        let (year, month, day, [hour, minute, second]) = self.parts();
        (format!("{year:04}{month:02}{day:02}"), format!("{hour:02}{minute:02}{second:02}"))
    }

    /// The distance from UTC, such as `+0100`.
    #[must_use]
    pub fn offset(self) -> String {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }

    fn parts(self) -> (i32, u8, u8, [u8; 3]) {
        let local_ms = i128::from(self.unix_ms) + i128::from(self.offset_minutes) * 60_000;
        let time = time::OffsetDateTime::from_unix_timestamp_nanos(local_ms * 1_000_000)
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        (time.year(), time.month().into(), time.day(), [time.hour(), time.minute(), time.second()])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use reader::pixels::preview::PreviewVoi;
    use wire::v1::result::{ModelV1, OperatingPointV1, ReadV1};

    use super::*;

    /// A record with everything in it.
    pub(crate) fn record() -> Record {
        let some = |text: &str| Some(text.to_owned());
        Record {
            origin: Origin { device: "demo-1".into(), site: "St Mary".into(), version: "0.1.0".into() },
            identity: Identity {
                patient_id: some("4711"),
                patient_id_issuer: some("ST-MARY"),
                patient_name: some("M\u{fc}ller^J\u{f6}rg"),
                birth_date: some("20200229"),
                sex: some("M"),
                study_instance_uid: some("2.25.100"),
                study_date: some("20240301"),
                study_time: some("073059"),
                study_id: some("7"),
                study_description: some("Thorax"),
                accession_number: some("A-17"),
                referring_physician: some("Meyer^Anna"),
                series_instance_uid: some("2.25.101"),
                sop_instance_uid: some("2.25.102"),
                utc_offset: None,
            },
            facts: ImageFacts {
                sop_class: some("1.2.840.10008.5.1.4.1.1.1"),
                modality: some("CR"),
                rows: Some(2048),
                columns: Some(2500),
                ..ImageFacts::default()
            },
            sop_instance: "2.25.102".into(),
            digest: "ab".repeat(32),
            moment: Moment { unix_ms: 1_709_281_845_678, offset_minutes: 60 },
            outcome: OutcomeV1::Read(ReadV1 {
                model: ModelV1 {
                    id: "pneumonia-cxr".into(),
                    version: "1.2.0".into(),
                    title: "Pneumonia on children's chest films".into(),
                    digest: "cd".repeat(32),
                    slope: 0.75,
                    intercept: -0.5,
                    operating_point: OperatingPointV1 {
                        name: "default".into(),
                        threshold: 0.412,
                        sensitivity: 0.95,
                        specificity: 0.9,
                        measured_on: "test films".into(),
                    },
                },
                logit: 3.25,
                probability: 0.873_615_294,
                positive: true,
                provider: "CPU".into(),
            }),
            caveats: vec![ReasonV1 {
                code: "view_unknown".into(),
                words: "The header does not say that this is a frontal view.".into(),
            }],
            picture: Some(Picture {
                preview: Preview {
                    rows: 4,
                    columns: 6,
                    samples: (0..24_u16).flat_map(|n| (n * 100).to_le_bytes()).collect(),
                    offset: 0,
                    invert: false,
                    voi: PreviewVoi::LinearExact { center: 1150.0, width: 2300.0 },
                },
                saliency: Saliency { rows: 2, columns: 2, values: vec![0, 0, 0, 255] },
            }),
        }
    }

    #[test]
    fn a_moment_is_told_as_the_wall_shows_it() {
        let moment = Moment { unix_ms: 1_709_281_845_678, offset_minutes: -330 };
        assert_eq!(moment.date_and_time(), ("20240301".into(), "030045".into()));
        assert_eq!(moment.offset(), "-0530");
        assert_eq!(Moment { unix_ms: i64::MAX, offset_minutes: 0 }.date_and_time().0, "19700101");
    }

    #[test]
    fn another_image_or_another_model_gives_another_object() {
        let first = record();
        let again = Record { moment: Moment { unix_ms: 0, offset_minutes: 0 }, ..first.clone() };
        assert_eq!(first.uid(Kind::Report), again.uid(Kind::Report), "a report made again is the same report");
        let other_bytes = Record { digest: "00".repeat(32), ..first.clone() };
        let abstained = OutcomeV1::Abstained { reason: first.caveats[0].clone() };
        let not_read = Record { outcome: abstained, ..first.clone() };
        assert_ne!(first.uid(Kind::Report), other_bytes.uid(Kind::Report));
        assert_ne!(first.uid(Kind::Report), not_read.uid(Kind::Report));
        assert_ne!(first.uid(Kind::Report), first.uid(Kind::Capture));
        assert_eq!((first.finding(), not_read.finding()), (Finding::Positive, Finding::Abstained));
        assert!(!format!("{first:?}").contains("4711"));
    }
}
