//! `manifest.json`: all that is known of a model beside its weights. Parsed strictly: an unknown key is an error, because
//! it may be one that matters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The one version of the manifest's shape.
pub const SCHEMA: u32 = 2;

/// A model bundle's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Stable name, such as `pneumonia-cxr`.
    pub id: String,
    /// Semantic version.
    pub version: String,
    /// For people.
    pub title: String,
    /// Date, YYYY-MM-DD.
    pub created: String,
    /// The weights.
    pub model: ModelFile,
    /// The one input.
    pub input: Input,
    /// Names of the outputs.
    pub outputs: Outputs,
    /// Words for the two findings.
    pub labels: Labels,
    /// From logit to probability.
    pub calibration: Calibration,
    /// At least one; the first is in force where a site has none of its own.
    pub operating_points: Vec<OperatingPoint>,
    /// What was measured at one site, by the site's name in the configuration.
    pub sites: BTreeMap<String, SiteRule>,
    /// Whom and what it was made for.
    pub intended_use: IntendedUse,
    /// Where the training images lie, by the model's embedding; null where nobody measured it.
    pub distribution: Option<DistributionFile>,
    /// What the outputs and the images of the held-out films look like, to hold a site's own against; null likewise.
    pub reference: Option<Reference>,
    /// At least one radiograph with its known logit.
    pub golden: Vec<GoldenCase>,
    /// As measured on the test images.
    pub performance: Performance,
    /// SPDX expression.
    pub licence: String,
    /// What people should read before they use it.
    pub model_card: CardFile,
    /// Attribution in words.
    pub training_data: String,
    /// What training started from, in words.
    pub starting_weights: String,
}

/// The ONNX file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Name within the bundle.
    pub file: String,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// ONNX operator set.
    pub opset: u32,
    /// What the weights are stored and computed in.
    pub precision: Precision,
}

/// Numbers of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary16 inside; inputs and outputs are still f32.
    Float16,
}

/// The model card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFile {
    /// Markdown, within the bundle.
    pub file: String,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// The input tensor: f32 `[N, 1, height, width]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Tensor name.
    pub name: String,
    /// Rows, 224.
    pub height: u32,
    /// Columns, 224.
    pub width: u32,
    /// How an image of another shape is fitted.
    pub fit: Fit,
    /// How it is resampled.
    pub resample: Resample,
    /// What the numbers mean.
    pub range: Range,
}

/// Fitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Both sides scaled on their own.
    Stretch,
}

/// Resampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resample {
    /// [`crate::pixels::tensor::resize_area_u8`].
    #[serde(rename = "area-u8")]
    AreaU8,
}

/// Range of the input's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// Grey / 255: 0 black, 1 white.
    Unit,
}

/// Names of the output tensors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// f32 `[N, 1]`.
    pub logit: String,
    /// f32 `[N, 1, h, w]`, larger is more evidence.
    pub saliency: String,
    /// f32 `[N, D]`.
    pub embedding: String,
}

/// Words for the findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Below the threshold.
    pub negative: String,
    /// At or over it.
    pub positive: String,
}

/// From logit to probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// probability = sigmoid(slope · logit + intercept).
    Platt {
        /// Over 0.
        slope: f64,
        /// Any finite number.
        intercept: f64,
        /// On which images.
        fitted_on: String,
    },
}

/// What was measured at one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRule {
    /// In the place of the manifest's own; null leaves that.
    pub calibration: Option<SiteCalibration>,
    /// In the place of the first of all; null leaves that.
    pub operating_point: Option<OperatingPoint>,
}

/// A site's calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SiteCalibration {
    /// probability = sigmoid((slope · logit + intercept) / temperature) with the manifest's own slope and intercept.
    Temperature {
        /// Over 0.
        temperature: f64,
        /// On which images.
        fitted_on: String,
    },
    /// As [`Calibration::Platt`], instead of it.
    Platt {
        /// Over 0.
        slope: f64,
        /// Any finite number.
        intercept: f64,
        /// On which images.
        fitted_on: String,
    },
}

/// Where the training images lie; what the numbers in the file mean is told in [`super::distribution`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistributionFile {
    /// Name within the bundle.
    pub file: String,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// Length of the embedding.
    pub dimensions: u32,
    /// Principal components kept.
    pub components: u32,
    /// Mean square of a direction outside them, over 0.
    pub residual: f64,
    /// Farther than this is read with a caveat.
    pub caution: f64,
    /// Farther than this is not read; not under `caution`.
    pub abstain: f64,
    /// On which images.
    pub fitted_on: String,
}

/// Histograms of the held-out films.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Calibrated probability, 0 to 1.
    pub probability: Histogram,
    /// Mean grey of the model's input, 0 to 1.
    pub mean_grey: Histogram,
    /// Standard deviation of the grey of the model's input, 0 to 0.5.
    pub contrast: Histogram,
    /// Which films.
    pub measured_on: String,
}

/// Counts in equal bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Lower edge of the first bin.
    pub low: f64,
    /// Upper edge of the last bin, over `low`.
    pub high: f64,
    /// Films in each; a value on an edge belongs to the bin over it.
    pub counts: Vec<u64>,
}

/// A threshold and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// Its name.
    pub name: String,
    /// On the calibrated probability, 0 to 1; at or over it is positive.
    pub threshold: f64,
    /// Share of pneumonias found, 0 to 1.
    pub sensitivity: f64,
    /// Share of films without pneumonia called negative, 0 to 1.
    pub specificity: f64,
    /// On which images.
    pub measured_on: String,
}

/// Whom and what the model was made for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntendedUse {
    /// In words.
    pub population: String,
    /// Least and greatest age, years, both included.
    pub age_years: [f32; 2],
    /// View Positions.
    pub views: Vec<String>,
    /// Values of Body Part Examined.
    pub body_parts: Vec<String>,
    /// In words.
    pub not_for: Vec<String>,
}

/// A radiograph with its known logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenCase {
    /// 8-bit grey PNG of the input's size, within the bundle.
    pub file: String,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// On one CPU in f32.
    pub logit: f64,
    /// Allowed difference, over 0.
    pub tolerance: f64,
}

/// As measured on the test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// Area under the ROC curve.
    pub auc: f64,
    /// 95 % confidence interval.
    pub auc_ci95: [f64; 2],
    /// Expected calibration error.
    pub ece: f64,
    /// How many.
    pub test_images: u32,
}
