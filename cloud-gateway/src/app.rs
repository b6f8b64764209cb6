//! Puts the rooms together and takes them apart again: the only one that knows them all.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use fail_points::Point;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vitals::health::{Health, Part};
use wire::enrolment::Renewal;

use crate::api::{self, Api, Settings};
use crate::authority::Authority;
use crate::config::{CaConfig, Config, EstConfig};
use crate::enrolment::invitation::Door;
use crate::enrolment::{Registrar, Terms};
use crate::identity::LiveKeys;
use crate::ingest::desk::Desk;
use crate::live::Live;
use crate::objects::Objects;
use crate::replicas::Replicas;
use crate::store::{Store, sqlite_folder};
use crate::{broker_log, est, ingest, objects, replicas, revocation, survey};

/// How often the database is asked whether it is there: readiness follows within one probe of Kubernetes' default 10 s.
const DATABASE_PROBE: Duration = Duration::from_secs(5);

/// How long answers that were begun may take once the service stops.
const HTTP_GRACE: Duration = Duration::from_secs(10);

/// A gateway at work.
pub struct Running {
    /// Where it listens; the port that was given where the configuration says 0.
    pub address: SocketAddr,
    /// Where devices enrol, if they can.
    pub est_address: Option<SocketAddr>,
    /// How it is.
    pub health: Health,
    /// What it tells of changes.
    pub live: Arc<Live>,
    store: Store,
    rooms: Vec<JoinHandle<()>>,
    /// Ends the rooms, once nobody is being answered any more.
    rest: CancellationToken,
    http: JoinHandle<std::io::Result<()>>,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting, or ended its HTTP server.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    vitals::logging::init(&config.log)?;
    let stop = vitals::shutdown::on_signal().context("signals cannot be handled")?;
    let metrics = vitals::metrics::install().context("metrics cannot be recorded")?;
    ingest::describe_metrics();
    est::describe_metrics();
    broker_log::describe_metrics();
    api::limit::describe_metrics();
    replicas::redis::describe_metrics();
    survey::watch::describe_metrics();
    let health = Health::default();
    let running = start(config, health.clone(), health.router(metrics), stop.clone()).await?;
    tracing::info!(address = %running.address, "serving");
    vitals::notify::ready();
    tokio::spawn(vitals::notify::feed_watchdog(|| true, stop.clone()));
    stop.cancelled().await;
    vitals::notify::stopping(HTTP_GRACE + ingest::DRAIN);
    running.finish().await
}

/// Starts every role; it stops when `stop` is cancelled.
///
/// # Errors
/// What is wrong with the configuration or with what it points to.
pub async fn start(
    config: Config,
    health: Health,
    signs_of_life: Router,
    stop: CancellationToken,
) -> anyhow::Result<Running> {
    let keys = Arc::new(LiveKeys::open(&config.identity.hpke_key)?);
    let tls = ingest::tls::client(&config.mqtt)?;
    let objects = Objects::open(&config.objects.dir)?;
    let replicas = Replicas::new(&config)?;
    let listener = vitals::listen::bind("[http] listen", config.http.listen).await?;
    let address = listener.local_addr().context("the address that was bound is not known")?;
    let store = open_store(&config).await?;
    fail_points::reach(Point::GatewayMigrated);
    if !config.http.dashboard_dir.join("index.html").is_file() {
        tracing::warn!(
            folder = %config.http.dashboard_dir.display(),
            "[http] dashboard_dir holds no dashboard; build it with `npm ci && npm run build` in cloud-gateway/dashboard"
        );
    }
    let (database, broker) = (health.part("database", "not asked yet"), health.part("broker", "not connected yet"));
    let rest = CancellationToken::new();
    let (live, keeper) = replicas.keeper(&health, rest.clone());
    let desk = Arc::new(Desk::new(store.clone(), objects.clone(), keys.clone(), live.clone()));
    let (log, lines) = mpsc::channel(broker_log::WAITING);
    let mut rooms = vec![
        tokio::spawn(watch_database(store.clone(), database, rest.clone())),
        tokio::spawn(ingest::run(config.mqtt.clone(), tls, desk, log, broker, rest.clone())),
        // It ends with the ingest, whose lines it reads.
        tokio::spawn(broker_log::keep(lines, store.clone())),
        tokio::spawn(survey::watch::run(store.clone(), stop.clone())),
    ];
    rooms.extend(keeper.map(tokio::spawn));
    let mut est_address = None;
    if config.est.is_some() {
        let part = health.part("revocation list", "not looked at yet");
        let (address, more) = take_devices_in(&config, store.clone(), part, &stop).await?;
        est_address = Some(address);
        rooms.extend(more);
    }
    let door = config.est.as_ref().map(Door::open).transpose()?;
    let settings = Settings { http: config.http, auth: config.auth, review: config.review, door };
    let api = Api::new(store.clone(), objects, replicas, live.clone(), keys, settings);
    let router = signs_of_life.merge(api::router(&api)).into_make_service_with_connect_info::<SocketAddr>();
    let stopping = no_more(stop, health.part("service", "starting"), live.clone());
    let http = tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopping).await });
    Ok(Running { address, est_address, health, live, store, rooms, rest, http })
}

/// The beginning of the end: whoever sends people here is told to send no more, and streams, which have no end of their own,
/// end before the server waits for what was begun.
async fn no_more(stop: CancellationToken, service: Part, live: Arc<Live>) {
    service.up();
    stop.cancelled().await;
    service.down("stopping");
    live.close();
    tracing::info!("stopping: no more requests are taken, and streams have ended");
}

/// Starts the EST port and what keeps the revocation list fresh.
async fn take_devices_in(
    config: &Config,
    store: Store,
    part: Part,
    stop: &CancellationToken,
) -> anyhow::Result<(SocketAddr, [JoinHandle<()>; 2])> {
    let settings = config.est.as_ref().context("the configuration has no [est]")?;
    let registrar = Arc::new(registrar(config, store)?);
    let tls = est::tls::acceptor(settings, registrar.authority.certificates())?;
    let listener = vitals::listen::bind("[est] listen", settings.listen).await?;
    let address = listener.local_addr().context("the address that was bound is not known")?;
    let fresh = revocation::keep_fresh(registrar.clone(), ca(config)?.crl.clone(), part, stop.clone());
    Ok((address, [est::start(listener, tls, registrar, stop.clone()), tokio::spawn(fresh)]))
}

/// `[ca]`, which only those who sign have.
///
/// # Errors
/// Where it is not there.
pub fn ca(config: &Config) -> anyhow::Result<&CaConfig> {
    config.ca.as_ref().context("the configuration has no [ca] certificate and key to sign with; add them")
}

/// The desk that takes devices in, as the configuration has it.
///
/// # Errors
/// What is wrong with the papers that it works with.
pub fn registrar(config: &Config, store: Store) -> anyhow::Result<Registrar> {
    let ca = ca(config)?;
    let read = |key: &str, file: &Path| {
        std::fs::read_to_string(file).with_context(|| format!("{} ({key}) cannot be read", file.display()))
    };
    let renewal = |est: &EstConfig| {
        let authorities = est.authorities.as_ref().unwrap_or(&ca.certificate);
        read("[est] authorities", authorities).map(|authorities| Renewal { url: est.public_url.clone(), authorities })
    };
    let terms = Terms {
        authorities: read("[mqtt] ca", &config.mqtt.ca)?,
        gateway: Arc::new(LiveKeys::open(&config.identity.hpke_key)?),
        renewal: config.est.as_ref().map(renewal).transpose()?,
    };
    Ok(Registrar { store, authority: Authority::load(ca)?, terms })
}

/// Opens the database and brings its tables to this version.
///
/// # Errors
/// Why it can't be used.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    let url = &config.database.url;
    if let Some(folder) = sqlite_folder(url).filter(|folder| !folder.as_os_str().is_empty()) {
        objects::private_folder(folder)
            .with_context(|| format!("the folder {} of [database] url cannot be made", folder.display()))?;
    }
    let store = Store::open(url).await?;
    store.migrate().await?;
    Ok(store)
}

impl Running {
    /// Waits for what was begun, in the order in which one needs the other: answers are sent; then messages are committed and
    /// receipted, and the broker and Redis are left; the database closes last.
    ///
    /// # Errors
    /// Where the HTTP server failed.
    pub async fn finish(self) -> anyhow::Result<()> {
        let ended = tokio::time::timeout(HTTP_GRACE, self.http).await;
        tracing::info!("stopping: what was asked is answered");
        self.rest.cancel();
        for room in self.rooms {
            let _ = room.await;
        }
        tracing::info!("stopping: the broker is left");
        self.store.close().await;
        tracing::info!("stopped");
        match ended {
            Ok(Ok(served)) => served.context("the HTTP server failed"),
            Ok(Err(_)) => anyhow::bail!("the HTTP server ended unexpectedly; its log line above says why"),
            Err(_) => {
                tracing::warn!(grace_ms = HTTP_GRACE.as_millis(), "left while answers were still being sent");
                Ok(())
            }
        }
    }
}

async fn watch_database(store: Store, part: Part, stop: CancellationToken) {
    let mut tick = tokio::time::interval(DATABASE_PROBE);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match store.ping().await {
            Ok(()) => part.up(),
            Err(error) => part.down(&vitals::exit::chain(&error)),
        }
    }
}
