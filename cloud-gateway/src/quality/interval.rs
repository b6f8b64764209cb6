//! A share of cases and how far it may be from the truth.

use serde::Serialize;

/// The standard normal distribution's 97.5th percentile: what makes an interval a 95 % interval.
pub const Z95: f64 = 1.959_963_984_540_054;

/// A 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Interval {
    /// Its lower limit.
    pub low: f64,
    /// Its upper limit.
    pub high: f64,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Share {
    /// How many have it.
    pub hits: u64,
    /// Of how many.
    pub n: u64,
    /// `hits / n`, 0 to 1; null of none.
    pub value: Option<f64>,
    /// Wilson's 95 % interval; null of none.
    pub interval: Option<Interval>,
}

impl Share {
    /// `hits` of `n`.
    #[must_use]
    pub fn of(hits: u64, n: u64) -> Self {
        Self { hits, n, value: ratio(hits, n), interval: wilson(hits, n) }
    }
}

/// `hits / n`; nothing of none.
#[must_use]
pub fn ratio(hits: u64, n: u64) -> Option<f64> {
    (n > 0).then(|| float(hits) / float(n))
}

/// A count in arithmetic; exact under 2⁵³, which no count of radiographs reaches.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// Wilson's score interval (J Am Stat Assoc 1927;22:209), which keeps its promise for few cases and at 0 and 1, where the
/// interval that most textbooks have does not.
#[must_use]
pub fn wilson(hits: u64, n: u64) -> Option<Interval> {
    let share = ratio(hits, n)?;
    let (count, square) = (float(n), Z95 * Z95);
    let middle = (share + square / (2.0 * count)) / (1.0 + square / count);
    let spread = (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    let half = Z95 * spread / (1.0 + square / count);
    // At 0 and 1 the limits are these exactly; rounding must not say otherwise.
    let low = if hits == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if hits >= n { 1.0 } else { (middle + half).min(1.0) };
    Some(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_interval_holds_the_share_and_narrows_with_more_cases(n in 1u64..5_000, part in 0.0..=1.0f64) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small count")]
            let hits = (part * float(n)).floor() as u64;
            let share = Share::of(hits, n);
            let (value, one) = (share.value.unwrap(), share.interval.unwrap());
            assert!(0.0 <= one.low && one.low <= value && value <= one.high && one.high <= 1.0, "{share:?}");
            assert!(one.low < one.high, "no finite number of cases is certain: {share:?}");
            let ten = wilson(10 * hits, 10 * n).unwrap();
            assert!(ten.high - ten.low < one.high - one.low);
            // What is said of the hits is said of the misses, turned round.
            let misses = wilson(n - hits, n).unwrap();
            assert!((misses.low - (1.0 - one.high)).abs() < 1e-12 && (misses.high - (1.0 - one.low)).abs() < 1e-12);
        }
    }

    #[test]
    fn of_none_nothing_is_said() {
        assert_eq!(Share::of(0, 0), Share { hits: 0, n: 0, value: None, interval: None });
    }
}
