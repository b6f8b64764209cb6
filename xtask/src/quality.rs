//! How good a set of answers is: telling two classes apart, calling them at a threshold, meaning what a probability says.
//! Pure; the same definitions as `models/pneumonia-cxr/training/metrics.py`.

/// Equal-width bins of the expected calibration error, as in most papers and in the training script.
const BINS: usize = 15;

/// One answer and the truth of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Answer {
    /// What was said, 0 to 1.
    pub probability: f64,
    /// What was called.
    pub called: bool,
    /// What is so.
    pub truth: bool,
}

/// A set of answers in four numbers, each 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quality {
    /// See [`auc`].
    pub auc: f64,
    /// Share of the positives that were called.
    pub sensitivity: f64,
    /// Share of the negatives that were not.
    pub specificity: f64,
    /// Mean gap between what was said and what was so, over equal-width bins weighted by their answers.
    pub ece: f64,
}

impl Quality {
    /// `None` where one class is empty.
    #[must_use]
    pub(crate) fn of(answers: &[Answer]) -> Option<Self> {
        let scores: Vec<(f64, bool)> = answers.iter().map(|answer| (answer.probability, answer.truth)).collect();
        let share = |truth: bool| {
            let of_class = || answers.iter().filter(|answer| answer.truth == truth);
            of_class().filter(|answer| answer.called == truth).count() as f64 / of_class().count() as f64
        };
        Some(Self { auc: auc(&scores)?, sensitivity: share(true), specificity: share(false), ece: ece(&scores) })
    }

    /// Each number with its name.
    #[must_use]
    pub(crate) fn named(&self) -> [(&'static str, f64); 4] {
        [("AUC", self.auc), ("sensitivity", self.sensitivity), ("specificity", self.specificity), ("ECE", self.ece)]
    }
}

fn ece(scores: &[(f64, bool)]) -> f64 {
    let mut gaps = [0.0; BINS];
    for (probability, truth) in scores {
        // A probability of 1 belongs to the last bin.
        let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
        gaps[bin] += f64::from(u8::from(*truth)) - probability;
    }
    gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / scores.len() as f64
}

/// Area under the receiver operating characteristic: the share of (positive, negative) pairs in which the positive has
/// the higher score, ties counting half (Mann–Whitney). `None` where one class is empty.
#[must_use]
pub(crate) fn auc(scores: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|(_, positive)| *positive).count();
    let negatives = sorted.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    // Negatives seen so far, in halves so that ties stay whole numbers.
    let (mut below, mut pairs) = (0, 0);
    for group in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let up = group.iter().filter(|(_, positive)| *positive).count();
        let down = group.len() - up;
        pairs += up * (2 * below + down);
        below += down;
    }
    // Counts of images, far below 2^52.
    Some(pairs as f64 / (2 * positives * negatives) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_numbers_of_a_set_worked_out_by_hand() {
        let answer = |probability, called, truth| Answer { probability, called, truth };
        let set =
            [answer(0.9, true, true), answer(0.3, false, true), answer(0.4, true, false), answer(0.1, false, false)];
        let quality = Quality::of(&set).unwrap();
        assert_eq!((quality.auc, quality.sensitivity, quality.specificity), (0.75, 0.5, 0.5));
        // Four bins of one answer each: gaps 0.1, 0.7, 0.4, 0.1.
        assert!((quality.ece - 1.3 / 4.0).abs() < 1e-12, "{}", quality.ece);
        assert_eq!(Quality::of(&set[..2]), None);
    }

    #[test]
    fn probabilities_that_come_true_are_calibrated_together_not_one_by_one() {
        let fair: Vec<(f64, bool)> = (0..10).map(|n| (0.5, n % 2 == 0)).collect();
        assert_eq!(ece(&fair), 0.0);
        assert_eq!(ece(&[(1.0, false)]), 1.0);
    }

    #[test]
    fn it_counts_pairs_and_halves_ties() {
        assert_eq!(auc(&[(0.1, false), (0.9, true)]), Some(1.0));
        assert_eq!(auc(&[(0.9, false), (0.1, true)]), Some(0.0));
        assert_eq!(auc(&[(0.5, false), (0.5, true)]), Some(0.5));
        // Pairs: .4>.1, .4<.6, .6=.6 half, .6>.1, so 2.5 of 4.
        assert_eq!(auc(&[(0.1, false), (0.6, false), (0.4, true), (0.6, true)]), Some(0.625));
        assert_eq!(auc(&[(0.1, true)]), None);
    }
}
