//! Whether what is seen now is distributed as it was in a reference window: the population stability index and the
//! Kolmogorov-Smirnov distance, each beside what chance alone would make of equal distributions.

use serde::Serialize;

use super::interval::float;

/// What is added to each bin before shares are taken, so that one empty bin does not make the index infinite: half a case,
/// as in Jeffreys' prior.
const HALF: f64 = 0.5;

/// The 95th percentile of the standard normal distribution.
const Z95_ONE_SIDED: f64 = 1.644_853_626_951_472;

/// Terms of the Kolmogorov series; it alternates and falls like exp(-2 k² x²), so that 100 suffice from x = 0.1 on.
const TERMS: i32 = 100;

/// A population stability index.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Psi {
    /// 0 for equal distributions; without an upper limit.
    pub value: f64,
    /// What equal distributions stay under in 95 of 100 windows of these sizes.
    pub chance: f64,
}

/// A two-sample Kolmogorov-Smirnov test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Ks {
    /// Largest distance of the two distribution functions, 0 to 1.
    pub distance: f64,
    /// How often equal distributions are at least so far apart (asymptotically; with ties rather less often).
    pub p: f64,
}

/// The index of two histograms over the same bins; nothing where one of them is empty.
#[must_use]
pub fn psi(reference: &[u64], current: &[u64]) -> Option<Psi> {
    let (n, m) = (total(reference), total(current));
    // Bins that hold nobody in either window tell nothing, and would only dilute the others.
    let bins: Vec<(u64, u64)> =
        reference.iter().copied().zip(current.iter().copied()).filter(|(a, b)| a + b > 0).collect();
    if n == 0 || m == 0 {
        return None;
    }
    let added = HALF * float(bins.len() as u64);
    let share = |count: u64, all: u64| (float(count) + HALF) / (float(all) + added);
    let value = bins.iter().map(|(a, b)| {
        let (was, is) = (share(*a, n), share(*b, m));
        (is - was) * (is / was).ln()
    });
    Some(Psi { value: value.sum(), chance: by_chance(bins.len(), n, m) })
}

/// Under equal distributions the index is distributed as (1/n + 1/m) χ² with one degree of freedom less than there are bins;
/// χ² by Wilson and Hilferty's cube, which is within 3 % of it.
fn by_chance(bins: usize, n: u64, m: u64) -> f64 {
    if bins < 2 {
        return 0.0;
    }
    let freedom = float(bins as u64 - 1);
    let ninth = 2.0 / (9.0 * freedom);
    let chi_square = freedom * (1.0 - ninth + Z95_ONE_SIDED * ninth.sqrt()).powi(3);
    (1.0 / float(n) + 1.0 / float(m)) * chi_square
}

/// The test on two histograms over the same ordered bins; nothing where one of them is empty.
#[must_use]
pub fn ks(reference: &[u64], current: &[u64]) -> Option<Ks> {
    let (n, m) = (total(reference), total(current));
    if n == 0 || m == 0 {
        return None;
    }
    let (mut was, mut is, mut distance) = (0u64, 0u64, 0.0f64);
    for (a, b) in reference.iter().zip(current) {
        was += a;
        is += b;
        distance = distance.max((float(was) / float(n) - float(is) / float(m)).abs());
    }
    let (n, m) = (float(n), float(m));
    Some(Ks { distance, p: kolmogorov((n * m / (n + m)).sqrt() * distance) })
}

/// The Kolmogorov distribution's upper tail, 2 Σ (-1)^(k-1) exp(-2 k² x²).
fn kolmogorov(x: f64) -> f64 {
    if x < 0.1 {
        // The tail is 1 to more digits than a double has.
        return 1.0;
    }
    let sum: f64 = (1..=TERMS)
        .map(|k| {
            let term = (-2.0 * f64::from(k * k) * x * x).exp();
            if k % 2 == 1 { term } else { -term }
        })
        .sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

/// Bins of about a tenth of the reference each, as the first fine bin of every one; fewer where single values hold more than a
/// tenth. An index over such bins looks where the scores are.
#[must_use]
pub fn tenths(reference: &[u64]) -> Vec<usize> {
    let all = total(reference);
    let (mut starts, mut seen, mut begun) = (vec![0], 0, 0);
    for (place, count) in reference.iter().enumerate() {
        seen += count;
        // A bin ends where it holds a tenth, so that the last one holds the rest.
        if 10 * (seen - begun) >= all && place + 1 < reference.len() && seen < all {
            starts.push(place + 1);
            begun = seen;
        }
    }
    starts
}

/// A fine histogram over the coarser bins that begin at `starts`.
#[must_use]
pub fn coarser(counts: &[u64], starts: &[usize]) -> Vec<u64> {
    let ends = starts.iter().skip(1).copied().chain([counts.len()]);
    starts.iter().zip(ends).map(|(start, end)| counts.get(*start..end).map_or(0, total)).collect()
}

fn total(counts: &[u64]) -> u64 {
    counts.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    proptest::proptest! {
        #[test]
        fn both_measures_are_symmetric_and_none_at_equal_windows(a in vec(0u64..50, 12), b in vec(0u64..50, 12)) {
            if let (Some(there), Some(back)) = (psi(&a, &b), psi(&b, &a)) {
                assert!(there.value >= 0.0 && (there.value - back.value).abs() < 1e-12);
                assert!(psi(&a, &a).unwrap().value.abs() < 1e-12);
                let (far, near) = (ks(&a, &b).unwrap(), ks(&a, &a).unwrap());
                assert!((0.0..=1.0).contains(&far.distance) && (0.0..=1.0).contains(&far.p));
                assert_eq!((near.distance, near.p), (0.0, 1.0));
                assert!((far.distance - ks(&b, &a).unwrap().distance).abs() < 1e-12);
            }
        }

        #[test]
        fn coarser_bins_lose_nobody(counts in vec(0u64..9, 1..200)) {
            let starts = tenths(&counts);
            assert!(starts.windows(2).all(|pair| pair[0] < pair[1]) && starts.len() <= 10);
            assert_eq!(coarser(&counts, &starts).iter().sum::<u64>(), counts.iter().sum::<u64>());
        }
    }

    #[test]
    fn an_empty_window_is_no_drift_and_no_steadiness() {
        assert_eq!((psi(&[0, 0], &[1, 2]), ks(&[1], &[0])), (None, None));
    }

    /// 1,000 pairs of windows of one and the same distribution: about 50 of them should be over what chance allows.
    #[test]
    fn chance_is_what_it_says() {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut window = |size: u32| {
            let mut counts = [0u64; 10];
            (0..size).for_each(|_| counts[random.random_range(0..10usize)] += 1);
            counts
        };
        let over = (0..1_000)
            .filter(|_| {
                let psi = psi(&window(400), &window(150)).unwrap();
                psi.value > psi.chance
            })
            .count();
        assert!((30..=70).contains(&over), "{over} of 1,000");
    }

    #[test]
    fn a_bin_holds_a_tenth_of_an_even_reference() {
        assert_eq!(tenths(&[1; 100]), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
        assert_eq!(tenths(&[100, 0, 0, 1]), [0, 1], "one value holds nearly all");
    }
}
