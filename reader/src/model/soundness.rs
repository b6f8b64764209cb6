//! Whether a manifest can be honoured: shapes that this program has, numbers that can be, names that stay in the bundle.
//! Pure; it opens nothing.

use std::collections::HashSet;
use std::path::Path;

use super::bundle::{is_inside, is_reserved};
use super::manifest::{Calibration, DistributionFile, Histogram, Manifest, OperatingPoint, SCHEMA, SiteCalibration};
use crate::pixels::INPUT_SIDE;

/// The first thing in `manifest` that this program cannot honour: its key, and what is wrong with it.
pub(super) fn problem(manifest: &Manifest) -> Option<(&'static str, String)> {
    let side = INPUT_SIDE as u32;
    let input = (manifest.input.height, manifest.input.width);
    let Calibration::Platt { slope, intercept, .. } = manifest.calibration;
    let points = &manifest.operating_points;
    let golden = |g: &super::manifest::GoldenCase| g.logit.is_finite() && g.tolerance.is_finite() && g.tolerance > 0.0;
    let checks = [
        (manifest.schema != SCHEMA, "schema", format!("is {}, not {SCHEMA}", manifest.schema)),
        (input != (side, side), "input", format!("is {}×{}, not {side}×{side}", input.0, input.1)),
        (!is_platt(slope, intercept), "calibration", "needs a finite intercept and a slope over 0".into()),
        (points.is_empty(), "operating_points", "is empty".into()),
        (!points.iter().all(is_point), "operating_points", "has a threshold outside 0 to 1".into()),
        (
            !sites(manifest),
            "sites",
            "has a temperature or slope that is not over 0, or a threshold outside 0 to 1".into(),
        ),
        (manifest.golden.is_empty(), "golden", "is empty, so nothing proves the model on this machine".into()),
        (
            !manifest.golden.iter().all(golden),
            "golden",
            "needs a finite logit and a tolerance over 0 in each case".into(),
        ),
        (!distribution(manifest), "distribution", "needs sizes of 1 to 4096 and numbers over 0 in order".into()),
        (!reference(manifest), "reference", "has a histogram without bins or films".into()),
        (!names(manifest), "file", "names a file twice, a file of the bundle itself, or one outside of it".into()),
        (
            !versioned(manifest),
            "version",
            "or id is empty, over 64 characters, or has one that is none of a-z 0-9 . - +".into(),
        ),
    ];
    checks.into_iter().find(|(wrong, ..)| *wrong).map(|(_, key, problem)| (key, problem))
}

fn is_platt(slope: f64, intercept: f64) -> bool {
    slope.is_finite() && slope > 0.0 && intercept.is_finite()
}

fn is_point(point: &OperatingPoint) -> bool {
    [point.threshold, point.sensitivity, point.specificity].iter().all(|share| (0.0..=1.0).contains(share))
}

/// What is in force at a site must be a calibration, too: a temperature near 0 makes none of a good one.
fn sites(manifest: &Manifest) -> bool {
    let Calibration::Platt { slope, intercept, .. } = manifest.calibration;
    manifest.sites.values().all(|site| {
        site.operating_point.as_ref().is_none_or(is_point)
            && site.calibration.as_ref().is_none_or(|calibration| match calibration {
                SiteCalibration::Temperature { temperature: t, .. } => *t > 0.0 && is_platt(slope / t, intercept / t),
                SiteCalibration::Platt { slope, intercept, .. } => is_platt(*slope, *intercept),
            })
    })
}

fn distribution(manifest: &Manifest) -> bool {
    manifest.distribution.as_ref().is_none_or(|rule: &DistributionFile| {
        let size = |n| (1..=4096).contains(&n);
        let numbers = [rule.residual, rule.caution, rule.abstain];
        size(rule.dimensions)
            && size(rule.components)
            && rule.components <= rule.dimensions
            && numbers.iter().all(|n| n.is_finite() && *n > 0.0)
            && rule.caution <= rule.abstain
    })
}

fn reference(manifest: &Manifest) -> bool {
    let sound = |h: &Histogram| h.low < h.high && h.counts.len() > 1 && h.counts.iter().any(|count| *count > 0);
    manifest.reference.as_ref().is_none_or(|r| sound(&r.probability) && sound(&r.mean_grey) && sound(&r.contrast))
}

/// Every name once, inside the bundle, and none that this program writes itself.
fn names(manifest: &Manifest) -> bool {
    let own = [manifest.model.file.as_str(), manifest.model_card.file.as_str()];
    let golden = manifest.golden.iter().map(|case| case.file.as_str());
    let distribution = manifest.distribution.as_ref().map(|rule| rule.file.as_str());
    let mut seen = HashSet::new();
    own.into_iter()
        .chain(golden)
        .chain(distribution)
        .all(|name| is_inside(name) && !is_reserved(name) && seen.insert(Path::new(name).to_owned()))
}

/// They stand in metrics, logs and on results.
fn versioned(manifest: &Manifest) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+');
    [&manifest.id, &manifest.version].iter().all(|text| (1..=64).contains(&text.len()) && text.bytes().all(plain))
}
