//! The rooms that look on from the very start until the very end, so that the status page tells of start and shutdown, too.
//! It starts and ends them; what they look at is theirs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use reader::Reader;
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vitals::logging::LogLevel;
use vitals::notify;

use super::Origin;
use super::shared::Shared;
use super::state::State;
use crate::config::Config;
use crate::control::{self, Hands};
use crate::health::certificates::Lookout;
use crate::health::{self, Status, levels, machine, standing, thermal};
use crate::journal::Levels;
use crate::model::shadow::Watcher;
use crate::model::{Models, Switch, fallback};
use crate::output::Dispatch;
use crate::reload::{Live, Reload};
use crate::retention;
use crate::spans::Exporter;

/// A measurement older than this means that the service hangs: ten periods of it.
const ALIVE_WITHIN: Duration = Duration::from_secs(20);

/// The rooms that look on until the very end, so that the status page tells of start and shutdown, too.
pub(super) struct Watch {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Watch {
    pub(super) fn start(
        http: TcpListener,
        status: Status,
        metrics: PrometheusHandle,
        state: &State,
        shared: &Shared,
    ) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let gauge = levels::Gauge {
            journal: state.journal.clone(),
            spool: state.spool.clone(),
            journal_health: shared.health.part("journal", "not measured yet"),
            disk_health: shared.health.part("disk", "not measured yet"),
            world: shared.world,
        };
        tasks.spawn(gauge.run(shared.levels.clone(), stop.clone()));
        tasks.spawn(machine::run(state.spool.path(""), shared.machine.clone(), stop.clone()));
        tasks.spawn(health::serve(http, status, metrics, stop.clone()));
        tasks.spawn(notify::feed_watchdog(alive(shared.levels.subscribe()), stop.clone()));
        Self { tasks, stop }
    }

    /// Looks at the model and its heat, too.
    pub(super) fn follow(&self, reader: &Reader, shared: &Shared) {
        let heat = shared.health.part("temperature", "not measured yet");
        let (engine, batch, sensed) = (reader.engine().clone(), shared.batch.subscribe(), shared.sensed.clone());
        self.tasks.spawn(thermal::watch(engine, batch, heat, sensed, self.stop.clone()));
        let (engine, mut batch, stop) = (reader.engine().clone(), shared.batch.subscribe(), self.stop.clone());
        self.tasks.spawn(async move {
            while let Some(Ok(())) = stop.run_until_cancelled(batch.changed()).await {
                engine.follow(*batch.borrow_and_update());
            }
        });
        let (standing, part, model) = (reader.engine().standing(), shared.reader.clone(), shared.model.clone());
        self.tasks.spawn(standing::follow(standing, part, model, self.stop.clone()));
    }

    /// Reads the configuration again when asked to.
    pub(super) fn reload(&self, origin: Origin, hangups: Signal, live: impl FnOnce(LogLevel) -> Live, shared: &Shared) {
        let health = shared.health.part("configuration", "not read yet");
        health.up();
        let (told, world) = (shared.reloaded.clone(), shared.world);
        let Origin { file, text, log } = origin;
        let reload = Reload { file, started: text.clone(), taken: text, live: live(log), health, told, world };
        self.tasks.spawn(reload.run(hangups, self.stop.clone()));
    }

    /// Brings spans to the collector; it ends after everything that makes them.
    pub(super) fn export(&self, exporter: Option<Exporter>) {
        if let Some(exporter) = exporter {
            self.tasks.spawn(exporter.run(self.stop.clone()));
        }
    }

    /// Forgets identities that were kept long enough.
    pub(super) fn forget(&self, state: &State, state_dir: &Path, shared: &Shared) {
        let (journal, lookup) = (state.journal.clone(), shared.lookup.subscribe());
        let note = state_dir.join("clock.json");
        self.tasks.spawn(retention::forget(journal, lookup, note, shared.world, self.stop.clone()));
    }

    /// Looks how long certificates last.
    pub(super) fn mind_papers(&self, config: &Config, shared: &Shared) {
        let lookout = Lookout {
            tls: config.dicom.tls.as_ref().map(|tls| tls.certificate.clone()),
            output: shared.output.subscribe(),
            state_dir: config.device.state_dir.clone(),
            health: shared.health.part("certificates", "not looked at yet"),
            told: shared.certificates.clone(),
            world: shared.world,
        };
        self.tasks.spawn(lookout.run(self.stop.clone()));
    }

    /// Takes orders, goes back to another model where it must, and counts what a candidate says.
    pub(super) fn mind(
        &self,
        models: Models,
        config: &Config,
        reader: &Reader,
        state: &State,
        shared: &Shared,
        dispatch: &Dispatch,
    ) -> anyhow::Result<()> {
        let engine = reader.engine();
        let part = shared.health.part("model", "not chosen yet");
        let switch = Switch::new(models.slots, engine.clone(), part);
        let socket = control::listen(&config.device.state_dir).context("cannot listen for orders in state_dir")?;
        let watcher = Watcher { engine: engine.clone(), journal: state.journal.clone(), world: shared.world };
        let hands = Hands {
            switch: switch.clone(),
            journal: state.journal.clone(),
            couriers: Arc::clone(&dispatch.arrived),
            world: shared.world,
        };
        self.tasks.spawn(control::serve(socket, hands, self.stop.clone()));
        self.tasks.spawn(fallback::watch(switch, engine.standing(), self.stop.clone()));
        self.tasks.spawn(watcher.run(self.stop.clone()));
        Ok(())
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        // A browser that keeps its connection open is no reason to stay.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.tasks.wait()).await;
    }
}

/// True while the levels are measured, which needs the runtime, the journal's thread and the database.
fn alive(levels: watch::Receiver<Levels>) -> impl Fn() -> bool {
    let seen = std::sync::Mutex::new((levels, Instant::now()));
    move || {
        let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.0.has_changed().unwrap_or(false) {
            seen.0.mark_unchanged();
            seen.1 = Instant::now();
        }
        seen.1.elapsed() < ALIVE_WITHIN
    }
}
