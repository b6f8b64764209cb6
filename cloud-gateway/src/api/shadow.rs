//! How a device's candidate model compares with the one in use, to be read.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Serialize;
use wire::v1::ShadowV1;
use wire::v1::shadow::ShadowModelV1;

use super::guard::Person;
use super::problem::Problem;
use super::{Api, view};
use crate::store::StoreError;
use crate::store::shadow::ShadowRow;

/// Windows in one answer: at ten minutes each, more than a week of an ordinary room.
const MOST_WINDOWS: u32 = 1_000;

/// One window of paired readings.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Window {
    /// The first pair; RFC 3339, milliseconds, UTC.
    from: String,
    /// The last pair.
    to: String,
    /// When this gateway stored it.
    stored_at: String,
    /// The model in use.
    active: ShadowModel,
    /// The one that watches.
    candidate: ShadowModel,
    /// Images that both read.
    pairs: u64,
    /// Images that the candidate did not see.
    missed: u64,
    /// Positive for both.
    both_positive: u64,
    /// Negative for both.
    both_negative: u64,
    /// Positive for the model in use alone.
    active_only: u64,
    /// Positive for the candidate alone.
    candidate_only: u64,
    /// Share of pairs with the same finding, 0 to 1.
    agreement: f64,
    /// Mean of the candidate's probability less the other's.
    mean_difference: f64,
    /// Its standard deviation.
    sd_difference: f64,
    /// Of the probabilities; null where one of them never varied.
    correlation: Option<f64>,
    /// Equal bins of the difference from -1 to 1.
    differences: Vec<u64>,
}

/// One of the two models.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ShadowModel {
    /// Bundle id.
    id: String,
    /// Bundle version.
    version: String,
    /// SHA-256 of the model file.
    digest: String,
}

/// A device's windows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Windows {
    /// Newest first.
    items: Vec<Window>,
}

/// Compare a device's candidate model with the one in use.
#[utoipa::path(
    get, path = "/api/v1/devices/{id}/shadow", tag = "devices",
    params(("id" = String, Path, description = "The device's name")),
    responses(
        (status = 200, description = "Its windows of paired readings; none where it never had a candidate", body = Windows),
        (status = 404, description = "No such device", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(device): Path<String>,
) -> Result<Json<Windows>, Problem> {
    if device.contains('\0') || !api.store.has_device(&person.sites, &device).await? {
        return Err(Problem::not_found("There is no device of this name at the sites that you may see."));
    }
    let rows = api.store.shadow_windows(&person.sites, &device, MOST_WINDOWS).await?;
    Ok(Json(Windows { items: rows.iter().map(window).collect::<Result<_, _>>()? }))
}

/// A window as shown.
///
/// # Errors
/// [`StoreError::Content`] for a row that this program did not write.
pub fn window(row: &ShadowRow) -> Result<Window, StoreError> {
    let said: ShadowV1 = row.decoded()?;
    Ok(Window {
        from: view::instant(said.from_ms)?,
        to: view::instant(said.to_ms)?,
        stored_at: view::instant(row.stored_at)?,
        agreement: (said.both_positive + said.both_negative) as f64 / said.pairs.max(1) as f64,
        active: model(said.active),
        candidate: model(said.candidate),
        pairs: said.pairs,
        missed: said.missed,
        both_positive: said.both_positive,
        both_negative: said.both_negative,
        active_only: said.active_only,
        candidate_only: said.candidate_only,
        mean_difference: said.mean_difference,
        sd_difference: said.sd_difference,
        correlation: said.correlation,
        differences: said.differences,
    })
}

fn model(model: ShadowModelV1) -> ShadowModel {
    ShadowModel { id: model.id, version: model.version, digest: model.digest }
}
