//! Logit → calibrated probability → finding. Pure arithmetic on the numbers of the model's manifest; no model here.

use serde::{Deserialize, Serialize};

use crate::model::Rule;

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
    /// Calibrates `logit` by Platt scaling (Platt 1999) and compares it with the operating point, both as they are at the site.
    ///
    /// ```
    /// use reader::finding::Finding;
    /// use reader::model::Rule;
    /// use reader::model::manifest::OperatingPoint;
    /// let point = OperatingPoint {
    ///     name: "default".into(), threshold: 0.5, sensitivity: 0.9, specificity: 0.9, measured_on: String::new(),
    /// };
    /// let finding = Finding::new(0.0, &Rule { slope: 1.0, intercept: 0.0, point });
    /// assert_eq!(finding.probability, 0.5);
    /// assert!(finding.positive, "at the threshold is positive");
    /// ```
    #[must_use]
    pub fn new(logit: f32, rule: &Rule) -> Self {
        let (logit, threshold) = (f64::from(logit), rule.point.threshold);
        let probability = sigmoid(rule.slope * logit + rule.intercept);
        Self { logit, probability, threshold, positive: probability >= threshold }
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
    use crate::model::manifest::OperatingPoint;

    fn rule(slope: f64, intercept: f64, threshold: f64) -> Rule {
        let point = OperatingPoint {
            name: "default".into(),
            threshold,
            sensitivity: 0.9,
            specificity: 0.9,
            measured_on: "nothing".into(),
        };
        Rule { slope, intercept, point }
    }

    #[test]
    fn platt_scaling_uses_slope_and_intercept() {
        let finding = Finding::new(4.0, &rule(0.5, -1.0, 0.8));
        assert!((finding.probability - 1.0 / (1.0 + (-1.0f64).exp())).abs() < 1e-12);
        assert!(!finding.positive);
    }

    proptest! {
        #[test]
        fn a_higher_logit_never_gives_a_lower_probability(a in -200f32..200.0, b in -200f32..200.0, slope in 0.01f64..10.0) {
            let (low, high) = (a.min(b), a.max(b));
            let rule = rule(slope, 0.3, 0.5);
            let (p, q) = (Finding::new(low, &rule), Finding::new(high, &rule));
            prop_assert!(p.probability <= q.probability);
            prop_assert!((0.0..=1.0).contains(&p.probability));
            prop_assert!(!p.positive || q.positive);
        }
    }
}
