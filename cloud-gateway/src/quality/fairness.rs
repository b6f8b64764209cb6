//! Whether the model misses more pneumonias in one group of patients than in all others, or calls more of them positive.
//!
//! A group of which too little is known is named, and nothing is said of it: a rate of three cases would be read as one.

use serde::Serialize;

use super::confusion::Confusion;
use super::interval::{Share, float};
use super::verification::{Called, Corrected, false_negative_rate};

/// Judged positives under which no rate of a group is told: with 20 Wilson's interval is still 40 percentage points wide.
pub const FEWEST_POSITIVES: u64 = 20;

/// Readings under which no positive rate is told, for the same reason.
pub const FEWEST_READINGS: u64 = 20;

/// What is counted of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Its readings, judged or not.
    pub called: Called,
    /// Those that were judged.
    pub judged: Confusion,
}

/// What is said of one group.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Said {
    /// Readings in all, judged or not, by what they were called.
    pub called: Called,
    /// Those judged.
    pub judged: Confusion,
    /// Share of its readings called positive; null where there are too few.
    pub positive_rate: Option<Share>,
    /// Of its judged positives, those called so; null where there are too few.
    pub sensitivity: Option<Share>,
    /// Of its judged positives, those called negative; null where there are too few.
    pub false_negative_rate: Option<Share>,
    /// The same over all its readings, judged or not; null where there are too few.
    pub corrected_false_negative_rate: Option<Corrected>,
    /// The false negative rate less that of all others, corrected where both can be; null where one of them has too few.
    pub gap: Option<f64>,
    /// The gap in its own standard errors, by which a gap of 2 is seen by chance in one comparison of 20; null where the gap is,
    /// or where nobody was missed.
    pub standardised_gap: Option<f64>,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (a, b) = (self.judged, other.judged);
        Self {
            called: Called {
                positive: self.called.positive + other.called.positive,
                negative: self.called.negative + other.called.negative,
            },
            judged: Confusion {
                true_positives: a.true_positives + b.true_positives,
                false_positives: a.false_positives + b.false_positives,
                true_negatives: a.true_negatives + b.true_negatives,
                false_negatives: a.false_negatives + b.false_negatives,
            },
        }
    }

    fn missed(&self) -> Option<Share> {
        let positives = self.judged.positives();
        (positives >= FEWEST_POSITIVES).then(|| Share::of(self.judged.false_negatives, positives))
    }
}

/// Says of each group what its numbers carry. Together the groups are everybody: what is not one group's is all others'.
#[must_use]
pub fn compare(groups: &[Counts]) -> Vec<Said> {
    let others = |place: usize| {
        let rest = groups.iter().enumerate().filter(|(other, _)| *other != place);
        rest.fold(Counts::default(), |sum, (_, counts)| sum.and(*counts))
    };
    groups.iter().enumerate().map(|(place, counts)| say(counts, &others(place))).collect()
}

fn say(group: &Counts, others: &Counts) -> Said {
    let readings = group.called.positive + group.called.negative;
    let (missed, missed_elsewhere) = (group.missed(), others.missed());
    let corrected = |counts: &Counts| counts.missed().and_then(|_| false_negative_rate(counts.called, &counts.judged));
    let plain = missed.zip(missed_elsewhere);
    let gap = corrected(group)
        .zip(corrected(others))
        .map(|(here, there)| here.value - there.value)
        .or_else(|| plain.and_then(|(here, there)| Some(here.value? - there.value?)));
    Said {
        called: group.called,
        judged: group.judged,
        positive_rate: (readings >= FEWEST_READINGS).then(|| Share::of(group.called.positive, readings)),
        sensitivity: missed.map(|share| Share::of(share.n - share.hits, share.n)),
        false_negative_rate: missed,
        corrected_false_negative_rate: corrected(group),
        gap,
        standardised_gap: plain.and_then(|(here, there)| standardised(here, there)),
    }
}

/// The difference of two shares in standard errors, pooled as under no difference.
fn standardised(here: Share, there: Share) -> Option<f64> {
    let pooled = float(here.hits + there.hits) / float(here.n + there.n);
    let error = (pooled * (1.0 - pooled) * (1.0 / float(here.n) + 1.0 / float(there.n))).sqrt();
    (error > 0.0).then(|| here.value.zip(there.value).map(|(here, there)| (here - there) / error)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(tp: u64, fp: u64, tn: u64, fn_: u64) -> Counts {
        let judged = Confusion { true_positives: tp, false_positives: fp, true_negatives: tn, false_negatives: fn_ };
        Counts { called: Called { positive: tp + fp, negative: tn + fn_ }, judged }
    }

    #[test]
    fn a_group_that_is_missed_more_often_has_a_gap_and_the_others_its_mirror() {
        let said = compare(&[counts(90, 10, 90, 10), counts(70, 10, 90, 30)]);
        assert!((said[0].gap.unwrap() + 0.2).abs() < 1e-12 && (said[1].gap.unwrap() - 0.2).abs() < 1e-12);
        // Everything was judged, so that there is nothing to correct.
        let corrected = said[1].corrected_false_negative_rate.unwrap();
        assert!((corrected.value - 0.3).abs() < 1e-12, "{corrected:?}");
        assert!(corrected.interval.low < 0.3 && 0.3 < corrected.interval.high);
        assert!((said[1].standardised_gap.unwrap() - 3.535_533_905_932_737).abs() < 1e-9);
    }

    #[test]
    fn of_too_few_nothing_is_said() {
        let said = compare(&[counts(19, 0, 0, 0), counts(90, 10, 90, 10)]);
        assert_eq!((said[0].sensitivity, said[0].gap, said[0].positive_rate), (None, None, None));
        assert!(said[1].sensitivity.is_some() && said[1].gap.is_none(), "there is nothing to compare it with");
    }

    /// All positives were judged, of the negatives one in ten: among the judged the model misses 10 in 100, of all it misses
    /// more than half.
    #[test]
    fn what_nobody_looked_at_is_not_taken_for_well() {
        let group = Counts { called: Called { positive: 100, negative: 1_000 }, ..counts(90, 10, 90, 10) };
        let said = &compare(&[group])[0];
        assert_eq!(said.false_negative_rate.unwrap().value, Some(0.1));
        let corrected = said.corrected_false_negative_rate.unwrap();
        assert!((corrected.value - 100.0 / 190.0).abs() < 1e-12, "{corrected:?}");
        assert!(corrected.interval.low > 0.3 && corrected.interval.high < 0.7, "{corrected:?}");
    }
}
