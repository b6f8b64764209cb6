//! Times as their median and their 90th percentile: a mean would be told by the one study that was forgotten for a week.

use serde::Serialize;

use super::interval::{Interval, Z95, float};

/// A quantile of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Quantile {
    /// The value that this share of the sample does not exceed.
    pub value: f64,
    /// 95 %, from one value of the sample to another whatever the distribution (Conover, Practical nonparametric statistics,
    /// 3.2); null where the sample is too small to hold such values.
    pub interval: Option<Interval>,
    /// Size of the sample.
    pub n: u64,
}

/// The `share` quantile (over 0, under 1) of a sorted sample; nothing of none.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<Quantile> {
    let n = float(sorted.len() as u64);
    let middle = n * share;
    let half = Z95 * (middle * (1.0 - share)).sqrt();
    let at = |rank: f64| place(rank).and_then(|place| sorted.get(place)).copied();
    let interval =
        at((middle - half).floor()).zip(at((middle + half).ceil() + 1.0)).map(|(low, high)| Interval { low, high });
    Some(Quantile { value: at(middle.ceil().max(1.0))?, interval, n: sorted.len() as u64 })
}

/// The index of a rank that counts from 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 or more, and no sample is that large")]
fn place(rank: f64) -> Option<usize> {
    (rank >= 1.0).then(|| rank as usize - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_quantile_splits_its_sample_and_lies_in_its_interval(
            mut sample in proptest::collection::vec(0.0..1e6f64, 1..300), share in 0.05..0.95f64,
        ) {
            sample.sort_by(f64::total_cmp);
            let found = quantile(&sample, share).unwrap();
            let not_over = sample.iter().filter(|value| **value <= found.value).count();
            assert!(float(not_over as u64) + 1e-9 >= share * float(sample.len() as u64));
            if let Some(interval) = found.interval {
                assert!(interval.low <= found.value && found.value <= interval.high);
            }
        }
    }

    #[test]
    fn a_small_sample_has_a_median_and_no_interval() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0, 2.0, 9.0], 0.5), Some(Quantile { value: 2.0, interval: None, n: 3 }));
    }
}
