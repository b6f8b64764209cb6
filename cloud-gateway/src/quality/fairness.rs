//! Whether the model misses more pneumonias in one group of patients than in all others, or calls more of them positive.
//!
//! A group of which too little is known is named, and nothing is said of it: a rate of three cases would be read as one.

use serde::Serialize;

use super::confusion::Confusion;
use super::interval::{Interval, Share};
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
    /// How much more it is missed than all others; null where one of both has too few.
    pub gap: Option<Gap>,
}

/// One group's false negative rate less that of all others, corrected where both can be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Gap {
    /// -1 to 1; over 0 the group is missed more often.
    pub value: f64,
    /// 95 %, out of both rates' own limits (Newcombe, Stat Med 1998;17:873, method 10).
    pub interval: Interval,
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
    let plain = |share: Option<Share>| share.and_then(|share| Some((share.value?, share.interval?)));
    let whole = |corrected: Option<Corrected>| corrected.map(|rate| (rate.value, rate.interval));
    let gap = whole(corrected(group))
        .zip(whole(corrected(others)))
        .or_else(|| plain(missed).zip(plain(missed_elsewhere)))
        .map(|(here, there)| difference(here, there));
    Said {
        called: group.called,
        judged: group.judged,
        positive_rate: (readings >= FEWEST_READINGS).then(|| Share::of(group.called.positive, readings)),
        sensitivity: missed.map(|share| Share::of(share.n - share.hits, share.n)),
        false_negative_rate: missed,
        corrected_false_negative_rate: corrected(group),
        gap,
    }
}

fn difference((here, own): (f64, Interval), (there, others): (f64, Interval)) -> Gap {
    let value = here - there;
    let below = (here - own.low).hypot(others.high - there);
    let above = (own.high - here).hypot(there - others.low);
    Gap { value, interval: Interval { low: value - below, high: value + above } }
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
        let (fewer, more) = (said[0].gap.unwrap(), said[1].gap.unwrap());
        assert!((fewer.value + 0.2).abs() < 1e-12 && (more.value - 0.2).abs() < 1e-12);
        assert!((fewer.interval.low + more.interval.high).abs() < 1e-12 && more.interval.low > 0.05, "{more:?}");
        // Everything was judged, so that there is nothing to correct.
        let corrected = said[1].corrected_false_negative_rate.unwrap();
        assert!((corrected.value - 0.3).abs() < 1e-12, "{corrected:?}");
        assert!(corrected.interval.low < 0.3 && 0.3 < corrected.interval.high);
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

    /// Newcombe's own example: 56 of 70 less 48 of 80 is 0.2, from 0.0524 to 0.3339.
    #[test]
    fn the_difference_is_newcombes() {
        let of = |hits, n| {
            let share = Share::of(hits, n);
            (share.value.unwrap(), share.interval.unwrap())
        };
        let gap = difference(of(56, 70), of(48, 80));
        assert!((gap.interval.low - 0.0524).abs() < 5e-5 && (gap.interval.high - 0.3339).abs() < 5e-5, "{gap:?}");
    }
}
