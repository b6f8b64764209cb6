//! How long results take, and how many images become one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Behind, MOST_JUDGED, Period, Scope, count};
use crate::quality::interval::{Share, float};
use crate::quality::quantile::{Quantile, quantile};
use crate::store::readings::Which;
use crate::store::{Store, StoreError};

/// Most devices in one answer.
const MOST_DEVICES: usize = 200;

/// All of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Flow {
    /// When.
    pub period: Period,
    /// From the scanner's success status to the result's storing here, of the judged; null of none.
    pub delivery_seconds: Option<Times>,
    /// From the scanner's success status to the first verdict; null of none.
    pub first_verdict_seconds: Option<Times>,
    /// The studies that both are computed of: 20,000 at most, the newest.
    pub judged_studies: String,
    /// What became of the images, the most frequent first.
    pub outcomes: Vec<Outcome>,
    /// How many of each device's images could be read.
    pub data_quality: Vec<DataQuality>,
}

/// A median and a 90th percentile, in seconds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Times {
    /// Half take no longer.
    pub median: Quantile,
    /// Nine of ten take no longer.
    pub p90: Quantile,
}

/// What became of some images.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Outcome {
    /// `read`, `abstained` or `unreadable`.
    pub outcome: String,
    /// Why it was not read: the reason's code.
    pub reason: Option<String>,
    /// Of all.
    pub share: Share,
    /// The studies.
    pub studies: String,
}

/// One device's images.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DataQuality {
    /// The device.
    pub device: String,
    /// Where it stands.
    pub site: String,
    /// Those that the model read, of all.
    pub readable: Share,
    /// Those that it did not read.
    pub studies: String,
}

/// Asks and computes.
///
/// # Errors
/// [`StoreError`].
pub async fn survey(store: &Store, scope: &Scope) -> Result<Flow, StoreError> {
    let which = scope.which();
    let rows = store.turnarounds(&scope.sites, &which, MOST_JUDGED).await?;
    let delivery = rows.iter().map(|row| row.stored_at - row.received_at).collect();
    let review = rows.iter().filter_map(|row| Some(row.first_verdict_at? - row.received_at)).collect();
    Ok(Flow {
        period: scope.period(),
        delivery_seconds: times(delivery),
        first_verdict_seconds: times(review),
        judged_studies: Behind { judged: Some(true), ..scope.behind() }.link(),
        outcomes: outcomes(store, scope, &which).await?,
        data_quality: data_quality(store, scope, &which).await?,
    })
}

fn times(milliseconds: Vec<i64>) -> Option<Times> {
    // A device's clock may be ahead of ours; nothing takes less than no time.
    let mut seconds: Vec<f64> = milliseconds.into_iter().map(|ms| float(count(ms)) / 1_000.0).collect();
    seconds.sort_by(f64::total_cmp);
    Some(Times { median: quantile(&seconds, 0.5)?, p90: quantile(&seconds, 0.9)? })
}

async fn outcomes(store: &Store, scope: &Scope, which: &Which) -> Result<Vec<Outcome>, StoreError> {
    let mut counts: BTreeMap<(String, Option<String>), u64> = BTreeMap::new();
    for row in store.inputs(&scope.sites, which).await? {
        *counts.entry((row.outcome, row.reason)).or_default() += count(row.n);
    }
    let all = counts.values().sum();
    let outcome = |((outcome, reason), n): ((String, Option<String>), u64)| {
        let behind = Behind { outcome: Some(outcome.clone()), reason: reason.clone(), ..scope.behind() };
        Outcome { outcome, reason, share: Share::of(n, all), studies: behind.link() }
    };
    let mut outcomes: Vec<Outcome> = counts.into_iter().map(outcome).collect();
    outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.share.hits));
    Ok(outcomes)
}

/// How many of each device's images could be read.
///
/// # Errors
/// [`StoreError`].
pub async fn data_quality(store: &Store, scope: &Scope, which: &Which) -> Result<Vec<DataQuality>, StoreError> {
    let mut counts: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for row in store.outcomes(&scope.sites, which).await? {
        let (read, all) = counts.entry((row.device, row.site)).or_default();
        *all += count(row.n);
        *read += if row.outcome == "read" { count(row.n) } else { 0 };
    }
    let of = |((device, site), (read, all)): ((String, String), (u64, u64))| {
        let behind = Behind { device: Some(device.clone()), read: Some(false), ..scope.behind() };
        DataQuality { device, site, readable: Share::of(read, all), studies: behind.link() }
    };
    Ok(counts.into_iter().take(MOST_DEVICES).map(of).collect())
}
