//! How a candidate model compares with the one in use, over the same images in one window of time: counts and moments,
//! never an image, a patient or a single probability.

use serde::{Deserialize, Serialize};

/// Bins of [`ShadowV1::differences`].
pub const DIFFERENCE_BINS: usize = 20;

/// One window of paired readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShadowV1 {
    /// The first pair, milliseconds since the Unix epoch, UTC.
    pub from_ms: i64,
    /// The last pair.
    pub to_ms: i64,
    /// The model in use.
    pub active: ShadowModelV1,
    /// The one that watches.
    pub candidate: ShadowModelV1,
    /// Images that both read.
    pub pairs: u64,
    /// Images that the candidate did not see: it gives way to the model in use, and may be slower.
    pub missed: u64,
    /// Positive for both.
    pub both_positive: u64,
    /// Negative for both.
    pub both_negative: u64,
    /// Positive for the model in use alone.
    pub active_only: u64,
    /// Positive for the candidate alone.
    pub candidate_only: u64,
    /// Mean of the candidate's probability less the other's, -1 to 1.
    pub mean_difference: f64,
    /// Standard deviation of that difference (n - 1), 0 or more; 0 for one pair.
    pub sd_difference: f64,
    /// Pearson's correlation of the probabilities, -1 to 1; none where one of them never varied.
    pub correlation: Option<f64>,
    /// [`DIFFERENCE_BINS`] equal bins of the difference from -1 to 1; each holds its lower edge, the last also 1.
    pub differences: Vec<u64>,
}

/// One of the two models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowModelV1 {
    /// Bundle id.
    pub id: String,
    /// Bundle version.
    pub version: String,
    /// SHA-256 of the model file, hexadecimal.
    pub digest: String,
}
