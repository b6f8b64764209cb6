//! Counts and moments of paired readings, added to one by one (Welford 1962, Chan et al. 1983 for the covariance). Pure.

use reader::finding::Finding;
use reader::model::ModelInfo;
use wire::v1::ShadowV1;
use wire::v1::shadow::{DIFFERENCE_BINS, ShadowModelV1};

/// One window.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    active: ShadowModelV1,
    candidate: ShadowModelV1,
    from_ms: i64,
    to_ms: i64,
    /// both positive, both negative, active alone, candidate alone.
    cells: [u64; 4],
    differences: [u64; DIFFERENCE_BINS],
    means: [f64; 2],
    /// Sums of squares and of products about the means.
    squares: [f64; 2],
    products: f64,
    /// The same for the difference, which is not taken from the others: nearly equal numbers would cancel.
    mean: f64,
    square: f64,
}

impl Tally {
    pub(super) fn new(active: &ModelInfo, candidate: &ModelInfo) -> Self {
        let name = |model: &ModelInfo| ShadowModelV1 {
            id: model.manifest.id.clone(),
            version: model.manifest.version.clone(),
            digest: model.digest().to_owned(),
        };
        Self::of(name(active), name(candidate))
    }

    fn of(active: ShadowModelV1, candidate: ShadowModelV1) -> Self {
        Self {
            active,
            candidate,
            from_ms: 0,
            to_ms: 0,
            cells: [0; 4],
            differences: [0; DIFFERENCE_BINS],
            means: [0.0; 2],
            squares: [0.0; 2],
            products: 0.0,
            mean: 0.0,
            square: 0.0,
        }
    }

    /// Whether it counts these two models.
    pub(super) fn is_of(&self, active: &ModelInfo, candidate: &ModelInfo) -> bool {
        let same = |known: &ShadowModelV1, model: &ModelInfo| {
            known.digest == model.digest() && known.version == model.manifest.version && known.id == model.manifest.id
        };
        same(&self.active, active) && same(&self.candidate, candidate)
    }

    pub(super) fn pairs(&self) -> u64 {
        self.cells.iter().sum()
    }

    pub(super) fn since_ms(&self) -> i64 {
        self.from_ms
    }

    /// Adds one image, read by both at `at_ms`.
    pub(super) fn add(&mut self, at_ms: i64, active: &Finding, candidate: &Finding) {
        if self.pairs() == 0 {
            (self.from_ms, self.to_ms) = (at_ms, at_ms);
        }
        // A clock that was set back must not make a window that ends before it begins.
        (self.from_ms, self.to_ms) = (self.from_ms.min(at_ms), self.to_ms.max(at_ms));
        let cell = match (active.positive, candidate.positive) {
            (true, true) => 0,
            (false, false) => 1,
            (true, false) => 2,
            (false, true) => 3,
        };
        self.cells[cell] += 1;
        let n = self.pairs() as f64;
        let values = [active.probability, candidate.probability];
        let before = [values[0] - self.means[0], values[1] - self.means[1]];
        for (mean, step) in self.means.iter_mut().zip(before) {
            *mean += step / n;
        }
        let after = [values[0] - self.means[0], values[1] - self.means[1]];
        self.squares[0] += before[0] * after[0];
        self.squares[1] += before[1] * after[1];
        self.products += before[0] * after[1];
        let difference = values[1] - values[0];
        let step = difference - self.mean;
        self.mean += step / n;
        self.square += step * (difference - self.mean);
        // -1 to 1 on so many bins; 1 itself belongs to the last.
        let bin = ((difference + 1.0) / 2.0 * DIFFERENCE_BINS as f64) as usize;
        self.differences[bin.min(DIFFERENCE_BINS - 1)] += 1;
    }

    /// What leaves the device; nothing where there was no pair.
    pub(super) fn window(&self, missed: u64) -> Option<ShadowV1> {
        let pairs = self.pairs();
        let variance = if pairs > 1 { self.square.max(0.0) / (pairs - 1) as f64 } else { 0.0 };
        let spread = (self.squares[0] * self.squares[1]).sqrt();
        (pairs > 0).then(|| ShadowV1 {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            active: self.active.clone(),
            candidate: self.candidate.clone(),
            pairs,
            missed,
            both_positive: self.cells[0],
            both_negative: self.cells[1],
            active_only: self.cells[2],
            candidate_only: self.cells[3],
            mean_difference: self.mean.clamp(-1.0, 1.0),
            sd_difference: variance.sqrt(),
            // Under a billionth nothing has varied but the last bits.
            correlation: (spread > 1e-9).then(|| (self.products / spread).clamp(-1.0, 1.0)),
            differences: self.differences.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finding(probability: f64) -> Finding {
        Finding { logit: 0.0, probability, threshold: 0.5, positive: probability >= 0.5 }
    }

    fn tally(pairs: &[(f64, f64)]) -> Option<ShadowV1> {
        let model = || ShadowModelV1 { id: "a".into(), version: "1".into(), digest: String::new() };
        let mut tally = Tally::of(model(), model());
        for (at, (active, candidate)) in pairs.iter().enumerate() {
            tally.add(at as i64, &finding(*active), &finding(*candidate));
        }
        tally.window(3)
    }

    #[test]
    fn three_pairs_by_hand() {
        assert_eq!(tally(&[]), None);
        let window = tally(&[(0.2, 0.1), (0.8, 0.9), (0.4, 0.6)]).unwrap();
        assert_eq!((window.from_ms, window.to_ms, window.pairs, window.missed), (0, 2, 3, 3));
        let cells = [window.both_positive, window.both_negative, window.active_only, window.candidate_only];
        assert_eq!(cells, [1, 1, 0, 1]);
        // -0.1, 0.1, 0.2: mean 0.0667, sd 0.1528; correlation of (0.2, 0.8, 0.4) and (0.1, 0.9, 0.6): 0.9449.
        assert!((window.mean_difference - 0.066_667).abs() < 1e-5);
        assert!((window.sd_difference - 0.152_753).abs() < 1e-5);
        assert!((window.correlation.unwrap() - 0.944_911).abs() < 1e-5, "{:?}", window.correlation);
    }

    #[test]
    fn one_pair_has_no_spread_and_no_correlation() {
        let window = tally(&[(0.0, 1.0)]).unwrap();
        assert_eq!((window.sd_difference, window.correlation, window.differences[19]), (0.0, None, 1));
    }

    proptest! {
        #[test]
        fn moments_are_those_of_two_passes(pairs in proptest::collection::vec((0.0f64..=1.0, 0.0f64..=1.0), 2..200)) {
            let window = tally(&pairs).unwrap();
            let n = pairs.len() as f64;
            let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
            let d = mean(&|p| p.1 - p.0);
            let sd = (pairs.iter().map(|p| (p.1 - p.0 - d).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            prop_assert!((window.mean_difference - d).abs() < 1e-9 && (window.sd_difference - sd).abs() < 1e-9);
            let (a, b) = (mean(&|p| p.0), mean(&|p| p.1));
            let s = |x: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(x).sum::<f64>();
            let spread = (s(&|p| (p.0 - a).powi(2)) * s(&|p| (p.1 - b).powi(2))).sqrt();
            if let Some(found) = window.correlation {
                prop_assert!((found - s(&|p| (p.0 - a) * (p.1 - b)) / spread).abs() < 1e-6);
            }
            prop_assert_eq!(window.differences.iter().sum::<u64>(), window.pairs);
        }
    }
}
