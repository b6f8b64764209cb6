//! How the appliance is: gauges, conditions and the status page. It shows counts and words, never anything about a patient.

pub mod levels;
mod page;
pub mod standing;
pub mod thermal;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use reader::model::ModelInfo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::health::Health;

use crate::dicom::AeTitle;
use crate::journal::{DeliveryLevels, Levels};
use crate::refusals::Refusals;
use crate::world::World;

/// What the status page shows. Clones share it.
#[derive(Clone)]
pub struct Status {
    /// Conditions of all parts.
    pub health: Health,
    /// Our AE title.
    pub ae_title: AeTitle,
    /// Port of the DICOM listener.
    pub dicom_port: u16,
    /// Device and site as configured.
    pub name: String,
    /// The last refusals.
    pub refusals: Refusals,
    /// Queue depths, as measured last.
    pub levels: watch::Receiver<Levels>,
    /// How the deliveries to the hospital's own systems stand.
    pub deliveries: watch::Receiver<DeliveryLevels>,
    /// The model, once it is loaded.
    pub model: watch::Receiver<Option<Arc<ModelInfo>>>,
    /// Clock.
    pub world: World,
    /// Start of the service.
    pub began: Instant,
}

/// Serves the status page, `/health/*` and `/metrics` until `stop`.
///
/// # Errors
/// Where the socket fails, which a bound one does not.
pub async fn serve(
    socket: TcpListener,
    status: Status,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let pages = Router::new().route("/", get(index)).with_state(status.clone());
    let router =
        pages.merge(status.health.router(metrics)).layer(axum::middleware::from_fn(vitals::metrics::record_http));
    axum::serve(socket, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn index(State(status): State<Status>) -> Response {
    // No script, nothing from elsewhere, never kept: it is looked at while something is wrong.
    let headers = [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(page::render(&status))).into_response()
}
