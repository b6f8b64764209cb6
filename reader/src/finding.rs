//! Logit → calibrated probability → finding. Pure arithmetic on the numbers of the model's manifest; no model here.

use serde::{Deserialize, Serialize};

use crate::model::manifest::{Calibration, OperatingPoint};

/// What the model says of one image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The model's output before calibration, any finite number.
    pub logit: f64,
    /// Calibrated probability of pneumonia, 0 to 1.
    pub probability: f64,
    /// The operating point's threshold on that probability.
    pub threshold: f64,
    /// `probability >= threshold`.
    pub positive: bool,
}

impl Finding {
    /// Calibrates `logit` by Platt scaling (Platt 1999) and compares it with the operating point.
    ///
    /// ```
    /// use reader::finding::Finding;
    /// use reader::model::manifest::{Calibration, OperatingPoint};
    /// let platt = Calibration::Platt { slope: 1.0, intercept: 0.0, fitted_on: String::new() };
    /// let point = OperatingPoint {
    ///     name: "default".into(), threshold: 0.5, sensitivity: 0.9, specificity: 0.9, measured_on: String::new(),
    /// };
    /// let finding = Finding::new(0.0, &platt, &point);
    /// assert_eq!(finding.probability, 0.5);
    /// assert!(finding.positive, "at the threshold is positive");
    /// ```
    #[must_use]
    pub fn new(logit: f32, calibration: &Calibration, point: &OperatingPoint) -> Self {
        let logit = f64::from(logit);
        let Calibration::Platt { slope, intercept, .. } = calibration;
        let probability = sigmoid(slope * logit + intercept);
        Self { logit, probability, threshold: point.threshold, positive: probability >= point.threshold }
    }
}

/// 1 / (1 + e^−x), without overflow at either end.
fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(threshold: f64) -> OperatingPoint {
        OperatingPoint {
            name: "default".into(),
            threshold,
            sensitivity: 0.9,
            specificity: 0.9,
            measured_on: "nothing".into(),
        }
    }

    #[test]
    fn platt_scaling_uses_slope_and_intercept() {
        let platt = Calibration::Platt { slope: 0.5, intercept: -1.0, fitted_on: "nothing".into() };
        let finding = Finding::new(4.0, &platt, &point(0.8));
        assert!((finding.probability - 1.0 / (1.0 + (-1.0f64).exp())).abs() < 1e-12);
        assert!(!finding.positive);
    }

    proptest! {
        #[test]
        fn a_higher_logit_never_gives_a_lower_probability(a in -200f32..200.0, b in -200f32..200.0, slope in 0.01f64..10.0) {
            let platt = Calibration::Platt { slope, intercept: 0.3, fitted_on: String::new() };
            let (low, high) = (a.min(b), a.max(b));
            let (p, q) = (Finding::new(low, &platt, &point(0.5)), Finding::new(high, &platt, &point(0.5)));
            prop_assert!(p.probability <= q.probability);
            prop_assert!((0.0..=1.0).contains(&p.probability));
            prop_assert!(!p.positive || q.positive);
        }
    }
}
