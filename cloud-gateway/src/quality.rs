//! How well the model does, as numbers with their uncertainty: drift, calibration, discrimination, fairness, turnaround.
//!
//! Pure arithmetic in its rooms; it reads no clock and no database, and draws no random number but from the seed that it is
//! given. It never judges: a number is told with how many cases it stands on, and is not told on too few.

pub mod bootstrap;
pub mod calibration;
pub mod confusion;
pub mod drift;
pub mod fairness;
pub mod interval;
pub mod quantile;
pub mod roc;
pub mod verification;

/// One reading that a reviewer has judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// The model's calibrated probability of pneumonia, 0 to 1.
    pub probability: f64,
    /// Whether the model called it positive, at the operating point that was in force.
    pub called: bool,
    /// Whether it is positive in the reviewer's judgement.
    pub truth: bool,
}
