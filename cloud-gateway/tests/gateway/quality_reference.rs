//! The gateway's statistics against SciPy's and scikit-learn's, as tests/vectors/make_quality.py recorded them.

use std::sync::LazyLock;

use gateway::quality::confusion::Confusion;
use gateway::quality::{Case, bootstrap, calibration, drift, interval, quantile, roc};
use serde_json::Value;

static RECORDED: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/quality.json")).unwrap());

fn table(name: &str) -> &'static [Value] {
    let rows = RECORDED[name].as_array().unwrap();
    assert!(!rows.is_empty(), "nothing was recorded of {name}");
    rows
}

fn numbers(row: &Value, name: &str) -> Vec<f64> {
    row[name].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn counts(row: &Value, name: &str) -> Vec<u64> {
    row[name].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect()
}

#[track_caller]
fn near(ours: f64, row: &Value, name: impl serde_json::value::Index, tolerance: f64) {
    let theirs = row[name].as_f64().unwrap();
    assert!((ours - theirs).abs() <= tolerance, "{ours}, not {theirs}");
}

fn cases(row: &Value) -> Vec<Case> {
    let truth = row["truth"].as_array().unwrap().iter().map(|truth| truth.as_bool().unwrap());
    let case = |(probability, truth)| Case { probability, called: probability >= 0.5, truth };
    numbers(row, "probability").into_iter().zip(truth).map(case).collect()
}

#[test]
fn wilson_is_scipys() {
    for row in table("wilson") {
        let ours = interval::wilson(row["hits"].as_u64().unwrap(), row["n"].as_u64().unwrap()).unwrap();
        near(ours.low, row, "low", 1e-12);
        near(ours.high, row, "high", 1e-12);
    }
}

#[test]
fn drift_is_scipys() {
    for row in table("drift") {
        let (reference, current) = (counts(row, "reference"), counts(row, "current"));
        let (psi, ks) = (drift::psi(&reference, &current).unwrap(), drift::ks(&reference, &current).unwrap());
        near(psi.value, row, "psi", 1e-12);
        near(psi.chance, row, "chance", 0.03 * psi.chance);
        near(ks.distance, row, "distance", 1e-12);
        near(ks.p, row, "p", 1e-9);
    }
}

#[test]
fn the_curve_and_its_area_are_sklearns_and_delongs() {
    for row in table("cases") {
        let cases = cases(row);
        let auc = roc::area(&cases).unwrap();
        let limits = auc.interval.unwrap();
        near(auc.value, row, "area", 1e-12);
        near(limits.low, row, "low", 1e-12);
        near(limits.high, row, "high", 1e-12);
        let curve = roc::curve(&cases);
        for (name, ours) in [
            ("false_positive_rate", curve.iter().map(|point| point.false_positive_rate).collect::<Vec<_>>()),
            ("true_positive_rate", curve.iter().map(|point| point.true_positive_rate).collect()),
        ] {
            let theirs = numbers(row, name);
            assert_eq!(ours.len(), theirs.len(), "{name}");
            assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-12), "{name}: {ours:?}, not {theirs:?}");
        }
        let cells = Confusion::of(&cases);
        let ours = [cells.true_positives, cells.false_positives, cells.true_negatives, cells.false_negatives];
        assert_eq!(ours.to_vec(), counts(row, "confusion"));
    }
}

#[test]
fn calibration_is_sklearns() {
    for row in table("cases") {
        let cases = cases(row);
        let bins: Vec<_> = calibration::diagram(&cases).into_iter().filter(|bin| bin.observed.n > 0).collect();
        assert_eq!(bins.iter().map(|bin| bin.observed.n).collect::<Vec<_>>(), counts(row, "bins"));
        for (place, bin) in bins.iter().enumerate() {
            near(bin.mean_probability.unwrap(), &row["mean"], place, 1e-9);
            near(bin.observed.value.unwrap(), &row["observed"], place, 1e-12);
        }
        near(calibration::expected_error(&cases).unwrap(), row, "expected_error", 1e-9);
        near(calibration::brier(&cases).unwrap(), row, "brier", 1e-12);
    }
}

/// Other random numbers, so that only the spread can be the same: within a tenth of the interval's width.
#[test]
fn the_bootstraps_interval_is_as_wide_as_scipys() {
    for row in table("cases") {
        let ours = bootstrap::interval(&cases(row), 2_000, 7, calibration::brier).unwrap();
        let width = row["brier_high"].as_f64().unwrap() - row["brier_low"].as_f64().unwrap();
        near(ours.low, row, "brier_low", 0.1 * width);
        near(ours.high, row, "brier_high", 0.1 * width);
    }
}

/// SciPy's limits are exact binomial ones, ours by the normal distribution: one value of the sample may lie between.
#[test]
fn quantiles_are_scipys() {
    for row in table("quantiles") {
        let sample = numbers(row, "sample");
        let ours = quantile::quantile(&sample, row["share"].as_f64().unwrap()).unwrap();
        near(ours.value, row, "value", 1e-12);
        let rank = |value: f64| sample.iter().position(|one| (one - value).abs() < 1e-12).unwrap();
        let limits = ours.interval.unwrap();
        for (ours, name) in [(limits.low, "low"), (limits.high, "high")] {
            assert!(rank(ours).abs_diff(rank(row[name].as_f64().unwrap())) <= 1, "{name} of {row}");
        }
    }
}
