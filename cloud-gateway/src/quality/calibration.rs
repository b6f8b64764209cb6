//! Whether a probability of 30 % means 30 in 100: the reliability diagram, the expected calibration error over it, and the
//! Brier score.

use serde::Serialize;

use super::Case;
use super::interval::{Share, float};

/// Bins of the reliability diagram: equal ones, as in the literature that the error's values are compared with.
pub const BINS: usize = 10;

/// One bin of the reliability diagram.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Bin {
    /// Where it begins.
    pub from: f64,
    /// Where it ends; only the last one holds its end.
    pub to: f64,
    /// Mean of the probabilities in it; null of none.
    pub mean_probability: Option<f64>,
    /// How many of its cases are positive.
    pub observed: Share,
}

/// The diagram: [`BINS`] equal bins from 0 to 1.
#[must_use]
pub fn diagram(cases: &[Case]) -> Vec<Bin> {
    let mut sums = [(0u64, 0u64, 0.0f64); BINS];
    for case in cases {
        let (n, hits, probability) = &mut sums[bin(case.probability)];
        *n += 1;
        *hits += u64::from(case.truth);
        *probability += case.probability;
    }
    let width = 1.0 / float(BINS as u64);
    sums.iter()
        .enumerate()
        .map(|(place, (n, hits, probability))| Bin {
            from: float(place as u64) * width,
            to: float(place as u64 + 1) * width,
            mean_probability: (*n > 0).then(|| probability / float(*n)),
            observed: Share::of(*hits, *n),
        })
        .collect()
}

/// The bin of a probability; 1 is in the last one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1, times a small number")]
fn bin(probability: f64) -> usize {
    ((probability * float(BINS as u64)) as usize).min(BINS - 1)
}

/// The expected calibration error: how far the bins' probabilities are from what was observed, on average over the cases
/// (Naeini et al., AAAI 2015). Nothing without cases.
#[must_use]
pub fn expected_error(cases: &[Case]) -> Option<f64> {
    let bins = diagram(cases);
    let error = |bin: &Bin| Some(float(bin.observed.n) * (bin.mean_probability? - bin.observed.value?).abs());
    (!cases.is_empty()).then(|| bins.iter().filter_map(error).sum::<f64>() / float(cases.len() as u64))
}

/// The Brier score, mean squared distance of probability and truth: 0 is best. Nothing without cases.
#[must_use]
pub fn brier(cases: &[Case]) -> Option<f64> {
    let square = |case: &Case| (case.probability - f64::from(u8::from(case.truth))).powi(2);
    (!cases.is_empty()).then(|| cases.iter().map(square).sum::<f64>() / float(cases.len() as u64))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any};

    pub(in crate::quality) fn cases() -> impl Strategy<Value = Vec<Case>> {
        let case = (0.0..=1.0f64, any::<bool>());
        vec(case.prop_map(|(probability, truth)| Case { probability, called: probability >= 0.5, truth }), 1..200)
    }

    proptest::proptest! {
        #[test]
        fn each_case_is_in_one_bin_and_the_scores_are_in_range(cases in cases()) {
            let bins = diagram(&cases);
            assert_eq!(bins.iter().map(|bin| bin.observed.n).sum::<u64>(), cases.len() as u64);
            for bin in bins.iter().filter(|bin| bin.observed.n > 0) {
                let mean = bin.mean_probability.unwrap();
                assert!(bin.from - 1e-12 <= mean && mean <= bin.to + 1e-12, "{bin:?}");
            }
            let (error, score) = (expected_error(&cases).unwrap(), brier(&cases).unwrap());
            assert!((0.0..=1.0).contains(&error) && (0.0..=1.0).contains(&score));
            // Jensen: no bin can be further off on average than its cases are in the square.
            assert!(error * error <= score + 1e-12);
        }
    }

    #[test]
    fn certainty_is_perfect_or_perfectly_wrong() {
        let case = |probability, truth| Case { probability, called: truth, truth };
        assert_eq!((brier(&[case(1.0, true)]), expected_error(&[case(0.0, false)])), (Some(0.0), Some(0.0)));
        assert_eq!((brier(&[case(1.0, false)]), expected_error(&[case(1.0, false)])), (Some(1.0), Some(1.0)));
        assert_eq!((brier(&[]), expected_error(&[])), (None, None));
    }
}
