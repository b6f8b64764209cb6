//! What the objects say in sentences, alike in each of them: what was found, by which rule, how that rule was measured, what
//! the number is, and what none of it is. Pure, in plain English, and never about the patient.

use wire::v1::result::{ReadV1, ReasonV1};

/// What is said wherever nothing was detected.
pub const NOT_EXCLUDED: &str = "Below the operating point. This does not exclude pneumonia.";
/// What every object says about itself.
pub const DISCLAIMER: &str =
    "Hilum is not a cleared medical device. This result is for review by a clinician and not for diagnosis.";

/// The finding with its probability.
pub(super) fn finding(read: &ReadV1) -> String {
    let found = if read.positive { "suspected" } else { "not detected" };
    format!("Pneumonia {found} by an algorithm, probability {}.", probability(read))
}

/// From where on a film is called positive, and how that was measured.
pub(super) fn operating_point(read: &ReadV1) -> String {
    let point = &read.model.operating_point;
    format!(
        "Operating point {}: positive from {} %. Measured there: sensitivity {:.1} %, specificity {:.1} % ({}).",
        point.name,
        hundredths(point.threshold),
        point.sensitivity * 100.0,
        point.specificity * 100.0,
        point.measured_on
    )
}

/// How the probability follows from the model's own number, and what it is not.
pub(super) fn calibration(read: &ReadV1) -> String {
    let model = &read.model;
    format!(
        "The probability is the model's own number {:.4} through a calibration that was fitted on films, sigmoid({} x {:.4} + \
         {}). It is not the risk of this patient.",
        read.logit, model.slope, read.logit, model.intercept
    )
}

/// Why there is no finding.
pub(super) fn not_read(reason: &ReasonV1) -> String {
    format!("The image was not read. {}", reason.words)
}

/// The probability in percent, never on the other side of the operating point than the finding: that close to it, it has
/// more places. Nothing is called certain.
fn probability(read: &ReadV1) -> String {
    let (percent, threshold) = (read.probability * 100.0, read.model.operating_point.threshold * 100.0);
    let agrees = |told: f64| (told >= threshold) == read.positive;
    match percent {
        ..0.05 if agrees(0.0) => "under 0.1 %".to_owned(),
        99.95.. if agrees(100.0) => "over 99.9 %".to_owned(),
        _ => {
            let told = (1..=6).map(|places| format!("{percent:.places$}"));
            let told = told.into_iter().find(|text| text.parse().is_ok_and(agrees));
            format!("{} %", told.unwrap_or_else(|| percent.to_string()))
        }
    }
}

/// A share in percent, to two places where it has them.
fn hundredths(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}

#[cfg(test)]
mod tests {
    use wire::v1::result::OutcomeV1;

    use super::super::record::tests::record;
    use super::*;

    fn read(probability: f64, threshold: f64) -> ReadV1 {
        let OutcomeV1::Read(mut read) = record().outcome else { panic!("a reading") };
        read.model.operating_point.threshold = threshold;
        ReadV1 { probability, positive: probability >= threshold, ..read }
    }

    #[test]
    fn a_probability_never_contradicts_its_finding_and_is_never_certain() {
        for (number, threshold, told) in [
            (0.873_6, 0.412, "suspected by an algorithm, probability 87.4 %"),
            (0.375_69, 0.375_7, "not detected by an algorithm, probability 37.569 %"),
            (0.375_7, 0.375_7, "suspected by an algorithm, probability 37.6 %"),
            (0.375_72, 0.375_7, "suspected by an algorithm, probability 37.6 %"),
            (0.000_01, 0.4, "not detected by an algorithm, probability under 0.1 %"),
            (0.999_99, 0.4, "suspected by an algorithm, probability over 99.9 %"),
            (0.000_1, 0.000_05, "suspected by an algorithm, probability 0.01 %"),
        ] {
            let words = finding(&read(number, threshold));
            assert!(words.contains(told), "{number} at {threshold}: {words}");
        }
    }

    #[test]
    fn the_rule_is_told_with_how_it_was_measured() {
        assert_eq!(
            operating_point(&read(0.9, 0.375_7)),
            "Operating point default: positive from 37.57 %. Measured there: sensitivity 95.0 %, specificity 90.0 % (test \
             films)."
        );
        let words = calibration(&read(0.9, 0.4));
        assert!(words.contains("3.2500") && words.contains("sigmoid(0.75 x 3.2500 + -0.5)"), "{words}");
    }
}
