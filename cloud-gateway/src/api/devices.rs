//! The devices, to be read.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use wire::v1::ResultV1;
use wire::v1::result::OutcomeV1;

use super::guard::Person;
use super::problem::Problem;
use super::shadow::{self, Window};
use super::view::ModelName;
use super::{Api, view};
use crate::domain::device_trouble::{Signs, Trouble, troubles};
use crate::domain::when::{self, UnixMs};
use crate::store::StoreError;
use crate::store::devices::DeviceRow;
use crate::store::shadow::ShadowRow;

/// One device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Device {
    /// Its name.
    id: String,
    /// Where it stands.
    site: String,
    /// When it was last enrolled; RFC 3339, milliseconds, UTC.
    enrolled_at: String,
    /// When it was last heard of.
    last_seen_at: Option<String>,
    /// How many results of it are stored.
    results: i64,
    /// Rows in its outbox when it last told.
    queue_depth: Option<i64>,
    /// Age of the oldest of them then, milliseconds; 0 where none waited.
    oldest_ms: Option<i64>,
    /// Messages that the gateway had rejected by then, and that lie on it.
    rejected: Option<i64>,
    /// Version of its sync-agent.
    sync_agent_version: Option<String>,
    /// When its certificate ends, where that is known.
    certificate_expires_at: Option<String>,
    /// Since when it is shut out; null where it is not.
    revoked_at: Option<String>,
    /// What read its newest image; null where none was read yet.
    newest: Option<Newest>,
    /// What is wrong with it, the worst first.
    troubles: Vec<Trouble>,
    /// Its candidate model beside the one in use, in the newest window; null where it never had one.
    shadow: Option<Window>,
}

/// What read a device's newest image.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Newest {
    /// When that was received.
    received_at: String,
    /// Version of the appliance.
    appliance_version: String,
    /// Bundle id and version of the model.
    model: ModelName,
    /// What really computed it: `TensorRT`, `CUDA` or `CPU`.
    provider: String,
}

/// The devices.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Devices {
    /// By name.
    items: Vec<Device>,
}

/// List the devices.
#[utoipa::path(
    get, path = "/api/v1/devices", tag = "devices",
    responses((status = 200, description = "All at the sites that you may see", body = Devices))
)]
pub async fn list(State(api): State<Arc<Api>>, Extension(person): Extension<Person>) -> Result<Json<Devices>, Problem> {
    let (rows, now) = (api.store.devices(&person.sites).await?, when::now());
    Ok(Json(Devices { items: rows.into_iter().map(|row| device(row, now)).collect::<Result<_, _>>()? }))
}

fn device(row: DeviceRow, now: UnixMs) -> Result<Device, StoreError> {
    let shadow = row.shadow_stored_at.zip(row.shadow).map(|(at, payload)| ShadowRow::new(at, payload));
    let signs = Signs {
        revoked_reason: row.revoked_reason,
        last_seen_at: row.last_seen_at,
        certificate_expires_at: row.certificate_expires_at,
        rejected: row.rejected.unwrap_or_default(),
        oldest_ms: row.oldest_ms.unwrap_or_default(),
    };
    Ok(Device {
        troubles: troubles(&signs, now),
        id: row.id,
        site: row.site,
        enrolled_at: view::instant(row.enrolled_at)?,
        last_seen_at: row.last_seen_at.map(view::instant).transpose()?,
        results: row.results,
        queue_depth: row.queue_depth,
        oldest_ms: row.oldest_ms,
        rejected: row.rejected,
        sync_agent_version: row.sync_agent_version,
        certificate_expires_at: row.certificate_expires_at.map(view::instant).transpose()?,
        revoked_at: row.revoked_at.map(view::instant).transpose()?,
        newest: row.newest_read.as_deref().map(newest).transpose()?.flatten(),
        shadow: shadow.map(|row| shadow::window(&row)).transpose()?,
    })
}

fn newest(payload: &str) -> Result<Option<Newest>, StoreError> {
    let result: ResultV1 = serde_json::from_str(payload).map_err(|_| StoreError::Content { what: "result" })?;
    let OutcomeV1::Read(read) = result.outcome else { return Ok(None) };
    Ok(Some(Newest {
        received_at: view::instant(result.received_at_ms)?,
        appliance_version: result.appliance_version,
        model: ModelName { id: read.model.id, version: read.model.version },
        provider: read.provider,
    }))
}
