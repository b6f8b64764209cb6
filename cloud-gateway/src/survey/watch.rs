//! The numbers that somebody should be called for, on `/metrics`: drift, gaps between groups of patients, unreadable images.

use std::collections::BTreeSet;
use std::time::Duration;

use metrics::{describe_gauge, gauge};
use tokio_util::sync::CancellationToken;

use super::{Scope, drift, fairness, flow};
use crate::auth::sites::Sites;
use crate::domain::when::{self, UnixMs};
use crate::store::{Store, StoreError};

/// How often they are computed anew: a shift of a day's scores is seen soon enough, and the queries cost next to nothing.
const EVERY: Duration = Duration::from_secs(300);

/// How far back drift and unreadable images are looked at: a whole week, as in the reference's whole weeks.
const RECENT_MS: UnixMs = 7 * 86_400_000;

/// How far back groups are compared: verdicts are few, and gaps of a year are gaps.
const LONG_MS: UnixMs = 365 * 86_400_000;

/// One gauge: its name and labels.
type Series = (&'static str, Vec<(&'static str, String)>);

/// What `/metrics` says of them.
pub fn describe_metrics() {
    describe_gauge!(
        "model_drift_score",
        "Population stability index of a device's scores in the last 7 days against its first 28 with the model; NaN for too few"
    );
    describe_gauge!(
        "bias_detection_score",
        "False negative rate of a group of patients less that of all others, last 365 days; NaN for too few"
    );
    describe_gauge!(
        "data_quality_score",
        "Share of a device's images in the last 7 days that the model could read, 0 to 1"
    );
}

/// Computes them until the gateway stops.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    let mut told = BTreeSet::new();
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match stop.run_until_cancelled(values(&store, when::now())).await {
            Some(Ok(values)) => tell(values, &mut told),
            Some(Err(error)) => {
                tracing::warn!(error = vitals::exit::chain(&error), "the numbers about quality are those of before");
            }
            None => break,
        }
    }
}

fn tell(values: Vec<(Series, f64)>, told: &mut BTreeSet<Series>) {
    let mut gone = std::mem::take(told);
    for (series, value) in values {
        set(&series, value);
        gone.remove(&series);
        told.insert(series);
    }
    // What is no more would otherwise stand there with its last value for ever.
    gone.iter().for_each(|series| set(series, f64::NAN));
}

fn set((name, labels): &Series, value: f64) {
    let labels: Vec<(String, String)> = labels.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    gauge!(*name, &labels).set(value);
}

/// Every gauge's value at this moment.
async fn values(store: &Store, now: UnixMs) -> Result<Vec<(Series, f64)>, StoreError> {
    let scope = |back: UnixMs| Scope {
        sites: Sites::All,
        from: now - back,
        // What is received in this very millisecond is in it.
        to: now + 1,
        device: None,
        model: None,
        site: None,
    };
    let (recent, long) = (scope(RECENT_MS), scope(LONG_MS));
    let mut values = Vec::new();
    for item in drift::survey(store, &recent).await?.items {
        let labels = vec![("device", item.device), ("model", item.model)];
        values.push((("model_drift_score", labels), item.psi.map_or(f64::NAN, |psi| psi.value)));
    }
    for dimension in fairness::survey(store, &long).await?.dimensions {
        for group in dimension.groups {
            let labels = vec![("demographic_group", format!("{}: {}", dimension.name, group.name))];
            values.push((("bias_detection_score", labels), group.said.gap.map_or(f64::NAN, |gap| gap.value)));
        }
    }
    for device in flow::data_quality(store, &recent, &recent.which()).await? {
        let labels = vec![("device", device.device)];
        values.push((("data_quality_score", labels), device.readable.value.unwrap_or(f64::NAN)));
    }
    Ok(values)
}
