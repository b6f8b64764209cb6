//! An interval for a number that has no formula for one: what it would have been over cases drawn again from those that
//! there are.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::interval::Interval;

/// The 95 % percentile interval of `statistic` over `replicates` samples as large as `cases`, drawn with replacement by the
/// generator that `seed` starts: the same seed gives the same interval on every machine. Nothing where the statistic has no
/// value for most of the samples.
pub fn interval<T: Copy>(
    cases: &[T],
    replicates: usize,
    seed: u64,
    statistic: impl Fn(&[T]) -> Option<f64>,
) -> Option<Interval> {
    let first = *cases.first()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut sample = vec![first; cases.len()];
    let mut values = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        sample.iter_mut().for_each(|place| *place = cases[random.random_range(0..cases.len())]);
        values.extend(statistic(&sample));
    }
    if 2 * values.len() <= replicates {
        return None;
    }
    values.sort_by(f64::total_cmp);
    // 2.5 % of the values at either end.
    let tail = values.len() / 40;
    Some(Interval { low: *values.get(tail)?, high: *values.get(values.len() - 1 - tail)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::interval::float;

    fn mean(values: &[f64]) -> Option<f64> {
        Some(values.iter().sum::<f64>() / float(values.len() as u64))
    }

    proptest::proptest! {
        #[test]
        fn the_interval_lies_within_the_cases_and_a_seed_repeats_it(
            cases in proptest::collection::vec(-5.0..5.0f64, 1..60), seed: u64,
        ) {
            let one = interval(&cases, 100, seed, mean).unwrap();
            assert_eq!(interval(&cases, 100, seed, mean), Some(one));
            let least = cases.iter().copied().fold(f64::INFINITY, f64::min);
            let most = cases.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!(least - 1e-12 <= one.low && one.low <= one.high && one.high <= most + 1e-12);
        }
    }

    #[test]
    fn of_none_and_of_what_has_no_value_nothing_is_said() {
        assert_eq!(interval(&[], 10, 1, mean), None);
        assert_eq!(interval(&[1.0], 10, 1, |_| None), None);
    }
}
