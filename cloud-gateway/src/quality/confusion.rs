//! What the operating point called, against what the reviewers said.

use serde::Serialize;

use super::Case;
use super::interval::Share;

/// The four cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Confusion {
    /// Called positive, and positive.
    pub true_positives: u64,
    /// Called positive, and not.
    pub false_positives: u64,
    /// Called negative, and not positive.
    pub true_negatives: u64,
    /// Called negative, but positive.
    pub false_negatives: u64,
}

/// What the cells say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Rates {
    /// Of the positives, those called so.
    pub sensitivity: Share,
    /// Of the negatives, those called so.
    pub specificity: Share,
    /// Of those called positive, the positives.
    pub positive_predictive_value: Share,
    /// Of those called negative, the negatives.
    pub negative_predictive_value: Share,
}

impl Confusion {
    /// Counts.
    #[must_use]
    pub fn of(cases: &[Case]) -> Self {
        let mut cells = Self::default();
        cases.iter().for_each(|case| cells.add(case.called, case.truth, 1));
        cells
    }

    /// Adds `n` cases to their cell.
    pub fn add(&mut self, called: bool, truth: bool, n: u64) {
        *match (called, truth) {
            (true, true) => &mut self.true_positives,
            (true, false) => &mut self.false_positives,
            (false, false) => &mut self.true_negatives,
            (false, true) => &mut self.false_negatives,
        } += n;
    }

    /// The four shares, each with its own number of cases.
    #[must_use]
    pub fn rates(&self) -> Rates {
        let share = |hits, misses| Share::of(hits, hits + misses);
        Rates {
            sensitivity: share(self.true_positives, self.false_negatives),
            specificity: share(self.true_negatives, self.false_positives),
            positive_predictive_value: share(self.true_positives, self.false_positives),
            negative_predictive_value: share(self.true_negatives, self.false_negatives),
        }
    }

    /// The cases that are positive.
    #[must_use]
    pub fn positives(&self) -> u64 {
        self.true_positives + self.false_negatives
    }
}
