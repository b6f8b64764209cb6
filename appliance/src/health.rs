//! How the appliance is: gauges, conditions and the status page. It shows counts and words, never anything about a patient.

pub mod certificates;
pub mod clock;
mod guard;
mod html;
pub mod levels;
pub mod machine;
mod page;
pub mod standing;
pub mod thermal;
pub mod words;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use outbox::InstanceId;
use reader::model::ModelInfo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::health::Health;

use self::certificates::Certificate;
use self::machine::Machine;
use self::page::Shown;
use self::thermal::Sensed;
use crate::dicom::AeTitle;
use crate::journal::{DeliveryLevels, Journal, JournalError, Levels};
use crate::refusals::Refusals;
use crate::reload::Reloaded;
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
    /// The machine, as measured last.
    pub machine: watch::Receiver<Machine>,
    /// The certificates in use, as seen last.
    pub certificates: watch::Receiver<Vec<Certificate>>,
    /// How the configuration was read again last, and what of it needs a restart.
    pub reloaded: watch::Receiver<Reloaded>,
    /// Heat and power, as the sensors told last.
    pub sensed: watch::Receiver<Sensed>,
    /// Where concluded images are listed.
    pub journal: Journal,
    /// What is told of databases that were found damaged.
    pub put_aside: Arc<[String]>,
    /// Names that browsers may call this machine by.
    pub names: Vec<String>,
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
    let names = guard::names(&status.names);
    let pages = Router::new().route("/", get(index)).with_state(status.clone());
    let router = pages
        .merge(status.health.router(metrics))
        .layer(from_fn_with_state(names, guard::refuse_other_names))
        .layer(from_fn(vitals::metrics::record_http));
    axum::serve(socket, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Says what each metric of this room means.
pub fn describe() {
    levels::describe();
    machine::describe();
    certificates::describe();
    clock::describe();
    thermal::describe();
    gauge!("build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// Images before this one.
    before: Option<i64>,
    /// Whether the page loads itself again.
    live: Option<u8>,
}

async fn index(State(status): State<Status>, Query(asked): Query<Asked>) -> Response {
    // No script, nothing from elsewhere, never kept: it is looked at while something is wrong.
    let headers = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    // Where the database does not answer, its part says so, and the page is shown all the same.
    let shown = shown(&status, &asked).await.unwrap_or_default();
    (headers, Html(page::render(&status, &shown))).into_response()
}

async fn shown(status: &Status, asked: &Asked) -> Result<Shown, JournalError> {
    let more = u32::try_from(page::PAGE + 1).unwrap_or(u32::MAX);
    Ok(Shown {
        entries: status.journal.entries(asked.before.map(InstanceId), more).await?,
        today: status.journal.tally(words::midnight_ms((status.world.now_ms)())).await?,
        is_older: asked.before.is_some(),
        is_live: asked.live == Some(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A status of an appliance where nothing happened yet.
    pub(super) fn status(refusals: Refusals) -> Status {
        // Tests of pages ask the journal nothing, so its database may be gone.
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox::Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        Status {
            health: Health::default(),
            ae_title: "HI<LUM".parse().unwrap(),
            dicom_port: 11112,
            name: "demo-1, St Mary & St John".into(),
            refusals,
            levels: watch::channel(Levels::default()).1,
            deliveries: watch::channel(DeliveryLevels::default()).1,
            model: watch::channel(None).1,
            machine: watch::channel(Machine::default()).1,
            certificates: watch::channel(Vec::new()).1,
            reloaded: watch::channel(Reloaded::default()).1,
            sensed: watch::channel(Sensed::default()).1,
            journal: Journal::start(outbox).unwrap(),
            put_aside: Arc::default(),
            names: Vec::new(),
            world: World::real(),
            began: Instant::now(),
        }
    }
}
