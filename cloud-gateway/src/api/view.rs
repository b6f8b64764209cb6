//! A stored result as the API shows it. Pure; it adds nothing to what the device said.

use serde::Serialize;
use wire::v1::ResultV1;
use wire::v1::result::{ModelV1, OutcomeV1, ReasonV1, StagesV1};

use self::verdicts::{Reader, Verdict};
use crate::domain::review::Opinion;
use crate::domain::review::second_reading::State;
use crate::domain::when;
use crate::domain::{image::Voi, result};
use crate::store::StoreError;
use crate::store::images::ImageRow;
use crate::store::results::ResultRow;
use crate::store::verdicts::VerdictRow;

pub mod fhir;
pub mod verdicts;

/// What the work list and the study page both show.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Facts {
    /// The result's name.
    pub id: String,
    /// The device that read it.
    pub device: String,
    /// Where the device stands.
    pub site: String,
    /// When the scanner got its success status; RFC 3339, milliseconds, UTC.
    pub received_at: String,
    /// When this gateway stored it.
    pub stored_at: String,
    /// Stand-in for the study.
    pub study: String,
    /// Stand-in for the patient.
    pub patient: String,
    /// Modality (0008,0060).
    pub modality: Option<String>,
    /// View Position (0018,5101).
    pub view: Option<String>,
    /// Age in years, as a band.
    pub age_band: Option<&'static str>,
    /// Patient's Sex (0010,0040).
    pub sex: Option<String>,
    /// `read`, `abstained` or `unreadable`.
    pub outcome: &'static str,
    /// `positive` or `negative`; null where it was not read.
    pub finding: Option<&'static str>,
    /// Calibrated probability of pneumonia, 0 to 1.
    pub probability: Option<f64>,
    /// At or over it a finding is positive.
    pub threshold: Option<f64>,
    /// Why it was not read.
    pub reason: Option<Reason>,
    /// What really computed it.
    pub provider: Option<String>,
    /// Whether the picture has come.
    pub has_image: bool,
    /// The latest verdict that was not withdrawn.
    pub verdict: Option<Opinion>,
    /// How far its second reading is; null where it is read once.
    pub second_reading: Option<State>,
    /// Milliseconds per stage on the device.
    pub stages_ms: Stages,
}

/// One line of the work list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ResultSummary {
    /// The rest of it.
    #[serde(flatten)]
    pub facts: Facts,
    /// What read it.
    pub model: Option<ModelName>,
}

/// One result with all that is known of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ResultDetail {
    /// The rest of it.
    #[serde(flatten)]
    pub facts: Facts,
    /// What read it, and by which rule.
    pub model: Option<Model>,
    /// Its picture.
    pub image: Option<Image>,
    /// The grid of evidence.
    pub saliency: Option<Grid>,
    /// Reservations to be read beside the outcome.
    pub caveats: Vec<Reason>,
    /// Newest first; without those that a second reader must not see yet.
    pub verdicts: Vec<Verdict>,
    /// Whether there are such: then `verdict` is null, too.
    pub blinded: bool,
    /// The result in whose place it stands: it told of an image that the device had lost, and that was sent again.
    pub replaces: Option<String>,
    /// The result that stands in its place, if there is one; the work list shows that one only.
    pub replaced_by: Option<String>,
    /// Send it as `If-Match` with a verdict, and the verdict is refused if another came in between.
    pub verdict_etag: String,
}

/// A code for machines and a sentence for people.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Reason {
    /// Stable, `snake_case`.
    pub code: String,
    /// The sentence.
    pub words: String,
}

/// Milliseconds per stage.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Stages {
    /// From the C-STORE command to the durable journal row.
    pub receive: f64,
    /// Decode, grey-scale, resize.
    pub decode: f64,
    /// Waiting for a batch.
    pub queue: f64,
    /// In the model.
    pub infer: f64,
    /// From the C-STORE command to the outbox commit.
    pub total: f64,
}

/// A model's name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ModelName {
    /// Bundle id.
    pub id: String,
    /// Bundle version.
    pub version: String,
}

/// A model and its rule.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Model {
    /// Bundle id.
    pub id: String,
    /// Bundle version.
    pub version: String,
    /// For people.
    pub title: String,
    /// SHA-256 of the model file.
    pub digest: String,
    /// How its output became a probability.
    pub calibration: Calibration,
    /// How the probability became a finding.
    pub operating_point: OperatingPoint,
}

/// probability = sigmoid(slope · logit + intercept).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Calibration {
    /// See above.
    pub slope: f64,
    /// See above.
    pub intercept: f64,
}

/// A threshold and what is known of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OperatingPoint {
    /// Its name.
    pub name: String,
    /// At or over it is positive.
    pub threshold: f64,
    /// As measured, 0 to 1.
    pub sensitivity: f64,
    /// As measured, 0 to 1.
    pub specificity: f64,
    /// On which images.
    pub measured_on: String,
}

/// What the viewer needs beside the samples.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Image {
    /// Rows of the samples.
    pub rows: i64,
    /// Columns of the samples.
    pub columns: i64,
    /// Rows of the radiograph they were reduced from.
    pub source_rows: Option<u32>,
    /// Its columns.
    pub source_columns: Option<u32>,
    /// Its Bits Stored (0028,0101).
    pub bits_stored: Option<u16>,
    /// Its Photometric Interpretation (0028,0004).
    pub photometric: Option<String>,
    /// Inverted last.
    pub invert: bool,
    /// value = sample + offset.
    pub offset: i64,
    /// The transform that the model saw it under.
    pub voi: Voi,
}

/// Sides of a grid.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Grid {
    /// Rows.
    pub rows: i64,
    /// Columns.
    pub columns: i64,
}

/// One line of the work list.
///
/// # Errors
/// [`StoreError::Content`] for a row that this program did not write.
pub fn summary(row: &ResultRow, reader: &Reader<'_>) -> Result<ResultSummary, StoreError> {
    let decoded = row.decoded()?;
    let model = reading_model(&decoded).map(|model| ModelName { id: model.id.clone(), version: model.version.clone() });
    Ok(ResultSummary { facts: facts(row, decoded, reader)?, model })
}

/// The study page.
///
/// # Errors
/// [`StoreError::Content`] for rows that this program did not write.
pub fn detail(
    row: &ResultRow,
    image: Option<&ImageRow>,
    given: &[VerdictRow],
    reader: &Reader<'_>,
) -> Result<ResultDetail, StoreError> {
    let decoded = row.decoded()?;
    let saliency = image.and_then(|image| Some(Grid { rows: image.saliency_rows?, columns: image.saliency_columns? }));
    let (blinded, second_reading) = (reader.is_blind_to(row), state(row)?);
    Ok(ResultDetail {
        model: reading_model(&decoded).map(model),
        image: image.map(|image| self::image(image, &decoded)).transpose()?,
        saliency,
        caveats: decoded.caveats.iter().map(reason).collect(),
        verdicts: given
            .iter()
            .filter(|one| !blinded || one.reviewer == reader.username)
            .map(|one| verdicts::verdict(one, reader, second_reading))
            .collect::<Result<_, _>>()?,
        blinded,
        replaces: row.replaces.clone(),
        replaced_by: row.replaced_by.clone(),
        verdict_etag: verdicts::etag(row.verdicts),
        facts: facts(row, decoded, reader)?,
    })
}

/// An instant as shown.
///
/// # Errors
/// [`StoreError::Content`].
pub fn instant(at: when::UnixMs) -> Result<String, StoreError> {
    when::rfc3339(at).ok_or(StoreError::Content { what: "time" })
}

fn facts(row: &ResultRow, decoded: ResultV1, reader: &Reader<'_>) -> Result<Facts, StoreError> {
    let (outcome, why) = match &decoded.outcome {
        OutcomeV1::Read(_) => ("read", None),
        OutcomeV1::Abstained { reason } => ("abstained", Some(reason)),
        OutcomeV1::Unreadable { reason } => ("unreadable", Some(reason)),
    };
    let read = match &decoded.outcome {
        OutcomeV1::Read(read) => Some(read),
        OutcomeV1::Abstained { .. } | OutcomeV1::Unreadable { .. } => None,
    };
    Ok(Facts {
        id: row.id.clone(),
        device: row.device.clone(),
        site: row.site.clone(),
        received_at: instant(row.received_at)?,
        stored_at: instant(row.stored_at)?,
        outcome,
        finding: result::finding(&decoded),
        probability: read.map(|read| read.probability),
        threshold: read.map(|read| read.model.operating_point.threshold),
        reason: why.map(reason),
        provider: read.map(|read| read.provider.clone()),
        has_image: row.has_image != 0,
        verdict: row.verdict.as_deref().filter(|_| !reader.is_blind_to(row)).and_then(Opinion::from_name),
        second_reading: state(row)?,
        stages_ms: stages(&decoded.stages),
        age_band: decoded.facts.age_years.map(result::age_band),
        study: decoded.study.0,
        patient: decoded.patient.0,
        modality: decoded.facts.modality,
        view: decoded.facts.view,
        sex: decoded.facts.sex,
    })
}

fn state(row: &ResultRow) -> Result<Option<State>, StoreError> {
    let read = |name| State::from_name(name).ok_or(StoreError::Content { what: "second reading" });
    row.second_reading.as_deref().map(read).transpose()
}

fn reading_model(decoded: &ResultV1) -> Option<&ModelV1> {
    match &decoded.outcome {
        OutcomeV1::Read(read) => Some(&read.model),
        OutcomeV1::Abstained { .. } | OutcomeV1::Unreadable { .. } => None,
    }
}

fn model(model: &ModelV1) -> Model {
    let point = &model.operating_point;
    Model {
        id: model.id.clone(),
        version: model.version.clone(),
        title: model.title.clone(),
        digest: model.digest.clone(),
        calibration: Calibration { slope: model.slope, intercept: model.intercept },
        operating_point: OperatingPoint {
            name: point.name.clone(),
            threshold: point.threshold,
            sensitivity: point.sensitivity,
            specificity: point.specificity,
            measured_on: point.measured_on.clone(),
        },
    }
}

fn image(row: &ImageRow, decoded: &ResultV1) -> Result<Image, StoreError> {
    Ok(Image {
        rows: row.image_rows,
        columns: row.image_columns,
        source_rows: decoded.facts.rows,
        source_columns: decoded.facts.columns,
        bits_stored: decoded.facts.bits_stored,
        photometric: decoded.facts.photometric.clone(),
        invert: row.inverted != 0,
        offset: row.sample_offset,
        voi: serde_json::from_str(&row.voi).map_err(|_| StoreError::Content { what: "VOI" })?,
    })
}

fn reason(reason: &ReasonV1) -> Reason {
    Reason { code: reason.code.clone(), words: reason.words.clone() }
}

fn stages(stages: &StagesV1) -> Stages {
    Stages {
        receive: stages.receive_ms,
        decode: stages.decode_ms,
        queue: stages.queue_ms,
        infer: stages.infer_ms,
        total: stages.total_ms,
    }
}
