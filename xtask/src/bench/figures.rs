//! What was measured, and the middle of it. Pure.

use std::collections::BTreeMap;

use super::contestants::{Contestant, Size};

/// A median with the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let above = *sorted.get(middle)?;
        let median = if sorted.len() % 2 == 1 { above } else { f64::midpoint(sorted[middle - 1], above) };
        Some(Self { median, least: sorted[0], greatest: sorted[sorted.len() - 1] })
    }

    /// In another unit.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { median: self.median * factor, least: self.least * factor, greatest: self.greatest * factor }
    }
}

/// One trial of one contestant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    pub(super) images_per_second: f64,
    /// Processor time of the contestant alone, senders not counted, milliseconds; `None` for a ceiling.
    pub(super) spent_ms: Option<f64>,
}

/// Every contestant in every round; a failed trial is absent.
#[derive(Debug, Default)]
pub(super) struct Figures {
    paces: Vec<BTreeMap<(Size, Contestant), Pace>>,
    /// What went wrong, in words.
    pub(super) failures: Vec<String>,
}

impl Figures {
    /// Begins a round.
    pub(super) fn begin_round(&mut self) {
        self.paces.push(BTreeMap::new());
    }

    /// Keeps one trial of the current round.
    pub(super) fn keep(&mut self, trial: (Size, Contestant), pace: Pace) {
        if let Some(round) = self.paces.last_mut() {
            round.insert(trial, pace);
        }
    }

    /// Rounds measured.
    pub(super) fn rounds(&self) -> usize {
        self.paces.len()
    }

    /// Images per second.
    pub(super) fn rate(&self, trial: (Size, Contestant)) -> Option<Spread> {
        self.spread(trial, |pace| Some(pace.images_per_second))
    }

    /// Processor milliseconds for each image.
    pub(super) fn spent_ms(&self, trial: (Size, Contestant)) -> Option<Spread> {
        self.spread(trial, |pace| pace.spent_ms)
    }

    fn spread(&self, trial: (Size, Contestant), what: impl Fn(&Pace) -> Option<f64>) -> Option<Spread> {
        let values: Vec<f64> = self.paces.iter().filter_map(|round| what(round.get(&trial)?)).collect();
        Spread::of(&values)
    }

    /// How often faster `ours` is than the slowest of `theirs`, round by round: neighbours in time share the machine's mood.
    pub(super) fn ratio(&self, size: Size, ours: Contestant, theirs: &[Contestant]) -> Option<Spread> {
        let of_round = |round: &BTreeMap<(Size, Contestant), Pace>| {
            let rate = |one: Contestant| Some(round.get(&(size, one))?.images_per_second);
            let theirs: Option<Vec<f64>> = theirs.iter().map(|one| rate(*one)).collect();
            let lowest = theirs?.into_iter().min_by(f64::total_cmp)?;
            Some(rate(ours)? / lowest)
        };
        Spread::of(&self.paces.iter().filter_map(of_round).collect::<Vec<f64>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Contestant::{Pipeline, Runtime, Whole, WriteAndSync};

    #[test]
    fn the_middle_of_odd_even_and_none() {
        let median = |values: &[f64]| Spread::of(values).map(|spread| spread.median);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        let spread = Spread::of(&[5.0, 1.0, 9.0]);
        assert_eq!(spread, Some(Spread { median: 5.0, least: 1.0, greatest: 9.0 }));
    }

    #[test]
    fn a_ratio_is_taken_within_its_round_and_against_the_lower_ceiling() {
        let mut figures = Figures::default();
        for (ours, write, runtime) in [(10.0, 20.0, 40.0), (30.0, 60.0, 30.0)] {
            figures.begin_round();
            for (one, images_per_second) in [(Whole, ours), (WriteAndSync, write), (Runtime, runtime)] {
                figures.keep((Size::Full, one), Pace { images_per_second, spent_ms: None });
            }
        }
        let ratio = figures.ratio(Size::Full, Whole, &[WriteAndSync, Runtime]).unwrap();
        assert_eq!((ratio.least, ratio.median, ratio.greatest), (0.5, 0.75, 1.0));
        assert!(figures.ratio(Size::Full, Whole, &[Pipeline]).is_none());
    }
}
