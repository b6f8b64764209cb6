//! Whether positives get higher probabilities than negatives: the ROC curve and the area under it.

use serde::Serialize;

use super::Case;
use super::interval::{Interval, Z95, float, wilson};

/// The area under the ROC curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Auc {
    /// How often a positive has a higher probability than a negative, ties counted half, 0 to 1.
    pub value: f64,
    /// 95 % by DeLong's variance (Biometrics 1988;44:837) on the logit, so that it stays within 0 and 1. Where not one pair
    /// is the wrong way round that variance is 0; then Wilson's interval of as many disjoint pairs. Null for fewer than two
    /// positives or negatives.
    pub interval: Option<Interval>,
    /// Positive cases.
    pub positives: u64,
    /// Negative cases.
    pub negatives: u64,
}

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Point {
    /// Called positive at or over this probability; null at the beginning, where nothing is.
    pub threshold: Option<f64>,
    /// Share of the negatives that are called positive.
    pub false_positive_rate: f64,
    /// Share of the positives that are called positive.
    pub true_positive_rate: f64,
}

/// The curve from (0, 0) to (1, 1), a point for each different probability; empty without positives or without negatives.
#[must_use]
pub fn curve(cases: &[Case]) -> Vec<Point> {
    let positives = cases.iter().filter(|case| case.truth).count();
    let negatives = cases.len() - positives;
    if positives == 0 || negatives == 0 {
        return Vec::new();
    }
    let mut sorted = cases.to_vec();
    sorted.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let (mut hits, mut alarms) = (0u64, 0u64);
    let mut points = vec![Point { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 }];
    for (place, case) in sorted.iter().enumerate() {
        if case.truth {
            hits += 1;
        } else {
            alarms += 1;
        }
        let last_of_its_value = sorted.get(place + 1).is_none_or(|next| next.probability < case.probability);
        if last_of_its_value {
            points.push(Point {
                threshold: Some(case.probability),
                false_positive_rate: float(alarms) / float(negatives as u64),
                true_positive_rate: float(hits) / float(positives as u64),
            });
        }
    }
    points
}

/// The area; nothing without positives or without negatives.
#[must_use]
pub fn area(cases: &[Case]) -> Option<Auc> {
    let of = |truth| cases.iter().filter(|case| case.truth == truth).map(|case| case.probability).collect::<Vec<_>>();
    let (positives, negatives) = (of(true), of(false));
    let (m, n) = (positives.len() as u64, negatives.len() as u64);
    if m == 0 || n == 0 {
        return None;
    }
    let all = ranks(&[positives.clone(), negatives.clone()].concat());
    let (among_all_positives, among_all_negatives) = all.split_at(positives.len());
    // For each case the share of the other kind that it is on the right side of.
    let won = |all: &[f64], own: &[f64], others: u64| -> Vec<f64> {
        all.iter().zip(own).map(|(all, own)| (all - own) / float(others)).collect()
    };
    let over = won(among_all_positives, &ranks(&positives), n);
    let under: Vec<f64> = won(among_all_negatives, &ranks(&negatives), m).iter().map(|share| 1.0 - share).collect();
    let value = over.iter().sum::<f64>() / float(m);
    let interval =
        (m > 1 && n > 1).then(|| interval(value, variance(&over) / float(m) + variance(&under) / float(n), m.min(n)));
    Some(Auc { value, interval, positives: m, negatives: n })
}

fn interval(value: f64, variance: f64, pairs: u64) -> Interval {
    if variance <= 0.0 || value <= 0.0 || value >= 1.0 {
        let whole = Interval { low: 0.0, high: 1.0 };
        return match value {
            1.0.. => wilson(pairs, pairs).unwrap_or(whole),
            ..=0.0 => wilson(0, pairs).unwrap_or(whole),
            // Every pair is a tie: nothing is known.
            _ => whole,
        };
    }
    let logit = (value / (1.0 - value)).ln();
    let half = Z95 * variance.sqrt() / (value * (1.0 - value));
    let back = |x: f64| 1.0 / (1.0 + (-x).exp());
    Interval { low: back(logit - half), high: back(logit + half) }
}

/// Ranks from 1, ties at the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for run in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let rank = float(first) + (float(run.len() as u64) + 1.0) / 2.0;
        run.iter().for_each(|place| ranks[*place] = rank);
        first += run.len() as u64;
    }
    ranks
}

/// Of a sample, with n - 1.
fn variance(values: &[f64]) -> f64 {
    let n = float(values.len() as u64);
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::calibration::tests::cases;
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_area_is_the_curves_and_turns_round_with_the_truth(cases in cases()) {
            let Some(auc) = area(&cases) else { return Ok(()) };
            let points = curve(&cases);
            let by_trapezia: f64 = points
                .windows(2)
                .map(|pair| {
                    let width = pair[1].false_positive_rate - pair[0].false_positive_rate;
                    width * (pair[0].true_positive_rate + pair[1].true_positive_rate) / 2.0
                })
                .sum();
            assert!((auc.value - by_trapezia).abs() < 1e-9);
            let turned: Vec<Case> = cases.iter().map(|case| Case { truth: !case.truth, ..*case }).collect();
            assert!((area(&turned).unwrap().value - (1.0 - auc.value)).abs() < 1e-9);
            if let Some(interval) = auc.interval {
                assert!(0.0 <= interval.low && interval.low <= auc.value && auc.value <= interval.high && interval.high <= 1.0);
                assert!(interval.low < interval.high, "{auc:?}");
            }
        }

        #[test]
        fn the_curve_only_rises(cases in cases()) {
            for pair in curve(&cases).windows(2) {
                assert!(pair[0].false_positive_rate <= pair[1].false_positive_rate);
                assert!(pair[0].true_positive_rate <= pair[1].true_positive_rate);
            }
        }
    }

    #[test]
    fn nothing_is_said_of_one_kind_alone_and_no_certainty_of_few() {
        let case = |probability, truth| Case { probability, called: truth, truth };
        assert_eq!((area(&[case(0.5, true)]), curve(&[case(0.5, true)])), (None, vec![]));
        let one_each = area(&[case(0.9, true), case(0.1, false)]).unwrap();
        assert_eq!((one_each.value, one_each.interval), (1.0, None));
        let perfect = area(&[case(0.9, true), case(0.8, true), case(0.1, false), case(0.2, false)]).unwrap();
        assert!(perfect.interval.unwrap().low < 0.4, "two pairs prove little: {perfect:?}");
    }
}
