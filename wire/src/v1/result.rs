//! One reading of one radiograph, as it leaves the device: pseudonyms and allow-listed facts, never an identity.

use serde::{Deserialize, Serialize};

use crate::ids::{MessageId, Pseudonym};

/// One acknowledged image's result: exactly one of these reaches the cloud for each, but for an image whose file the device
/// lost: sent again, it is read, and that result names the one that it replaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultV1 {
    /// The site that the device stands in, as configured there.
    pub site: String,
    /// Stand-in for the Study Instance UID.
    pub study: Pseudonym,
    /// Stand-in for the SOP Instance UID.
    pub instance: Pseudonym,
    /// Stand-in for the patient's number at this site.
    pub patient: Pseudonym,
    /// When the scanner got its success status, milliseconds since the Unix epoch, UTC.
    pub received_at_ms: i64,
    /// What may be told of the image itself.
    pub facts: FactsV1,
    /// What came of it.
    pub outcome: OutcomeV1,
    /// Reservations that a reviewer must see beside the outcome.
    pub caveats: Vec<ReasonV1>,
    /// How long each stage took.
    pub stages: StagesV1,
    /// Version of the appliance that read it.
    pub appliance_version: String,
    /// The result of the same image, from the same device, in whose place this one stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<MessageId>,
}

/// The allow-listed facts of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FactsV1 {
    /// Modality (0008,0060), `CR` or `DX` mostly.
    pub modality: Option<String>,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// View Position (0018,5101).
    pub view: Option<String>,
    /// Patient's Sex (0010,0040): `M`, `F`, `O`.
    pub sex: Option<String>,
    /// Age in whole years at most 89, from which only a band is shown.
    pub age_years: Option<u8>,
    /// Transfer Syntax UID (0002,0010).
    pub transfer_syntax: Option<String>,
    /// Photometric Interpretation (0028,0004).
    pub photometric: Option<String>,
    /// Rows (0028,0010).
    pub rows: Option<u32>,
    /// Columns (0028,0011).
    pub columns: Option<u32>,
    /// Bits Stored (0028,0101).
    pub bits_stored: Option<u16>,
}

/// What came of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OutcomeV1 {
    /// The model read it.
    Read(ReadV1),
    /// It is an image, but not one for this model.
    Abstained {
        /// Why.
        reason: ReasonV1,
    },
    /// It could not be made into an image.
    Unreadable {
        /// Why.
        reason: ReasonV1,
    },
}

/// A model's reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadV1 {
    /// The model that read it.
    pub model: ModelV1,
    /// Uncalibrated output.
    pub logit: f64,
    /// Calibrated probability of pneumonia, 0 to 1.
    pub probability: f64,
    /// True where the probability is at or over the operating point's threshold.
    pub positive: bool,
    /// Execution provider really in use: `TensorRT`, `CUDA` or `CPU`.
    pub provider: String,
}

/// The model and the rule by which its output became a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelV1 {
    /// Bundle id.
    pub id: String,
    /// Bundle version.
    pub version: String,
    /// Title for people.
    pub title: String,
    /// SHA-256 of the model file, hexadecimal.
    pub digest: String,
    /// Platt slope: probability = sigmoid(slope · logit + intercept).
    pub slope: f64,
    /// Platt intercept.
    pub intercept: f64,
    /// Operating point in force.
    pub operating_point: OperatingPointV1,
}

/// A threshold and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatingPointV1 {
    /// Its name in the bundle.
    pub name: String,
    /// On the calibrated probability; at or over it is positive.
    pub threshold: f64,
    /// Share of pneumonias found, 0 to 1, as measured.
    pub sensitivity: f64,
    /// Share of films without pneumonia called negative, 0 to 1, as measured.
    pub specificity: f64,
    /// On which images.
    pub measured_on: String,
}

/// Why, as a stable code for machines and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonV1 {
    /// Stable, snake_case.
    pub code: String,
    /// A sentence that holds nothing about the patient.
    pub words: String,
}

/// Milliseconds per stage on the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StagesV1 {
    /// From the C-STORE command to the durable journal row.
    pub receive_ms: f64,
    /// Decode, grey-scale, resize.
    pub decode_ms: f64,
    /// Waiting for a batch.
    pub queue_ms: f64,
    /// In the model.
    pub infer_ms: f64,
    /// From the C-STORE command to the outbox commit.
    pub total_ms: f64,
}
