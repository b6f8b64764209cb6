//! The devices, to be read.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;

use super::guard::Person;
use super::problem::Problem;
use super::shadow::{self, Window};
use super::{Api, view};
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
    /// Its candidate model beside the one in use, in the newest window; null where it never had one.
    shadow: Option<Window>,
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
    let rows = api.store.devices(&person.sites).await?;
    Ok(Json(Devices { items: rows.into_iter().map(device).collect::<Result<_, _>>()? }))
}

fn device(row: DeviceRow) -> Result<Device, StoreError> {
    let newest = row.shadow_stored_at.zip(row.shadow).map(|(at, payload)| ShadowRow::new(at, payload));
    Ok(Device {
        id: row.id,
        site: row.site,
        enrolled_at: view::instant(row.enrolled_at)?,
        last_seen_at: row.last_seen_at.map(view::instant).transpose()?,
        results: row.results,
        queue_depth: row.queue_depth,
        shadow: newest.map(|row| shadow::window(&row)).transpose()?,
    })
}
