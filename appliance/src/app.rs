//! `serve`: the only room that knows every other. It opens them in an order in which nothing is promised before it can be
//! kept, and closes them in the reverse.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use fail_points::Point;
use metrics_exporter_prometheus::PrometheusHandle;
use outbox::Outbox;
use reader::inference::{BatchPolicy, EngineConfig};
use reader::model::ModelInfo;
use reader::pixels::Limits;
use reader::pixels::sandbox::SandboxConfig;
use reader::{Reader, ReaderConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vitals::health::{Health, Part};
use vitals::logging::LogLevel;
use vitals::{listen, notify, shutdown};

use crate::at_rest::AtRest;
use crate::config::Config;
use crate::control::{self, Hands};
use crate::dicom::tls::Connector;
use crate::dicom::{self, commitment};
use crate::folder::{self, FolderConfig};
use crate::health::certificates::{Certificate, Lookout};
use crate::health::machine::{self, Machine};
use crate::health::thermal::{self, Sensed};
use crate::health::{self, Status, levels, standing};
use crate::intake::Intake;
use crate::journal::{DeliveryLevels, Journal, Levels};
use crate::ledger::LookupConfig;
use crate::lock::StateLock;
use crate::model::layout::Layout;
use crate::model::shadow::Watcher;
use crate::model::{Models, Switch, fallback};
use crate::output::{self, Dispatch, OutputConfig};
use crate::pipeline::{PLAIN_MIB, Pipeline};
use crate::privacy::{Privacy, PseudonymKey};
use crate::quarantine::Quarantine;
use crate::refusals::Refusals;
use crate::reload::{self, Live, Reload, Reloaded};
use crate::retention;
use crate::spans::{self, Exporter, Spans};
use crate::spool::{Spool, recovery};
use crate::stow;
use crate::world::World;

/// Decoding processes at most: each may take 2 GB of address space, and the model wants cores, too.
const MOST_DECODERS: usize = 4;

/// Time for what was begun when the service is asked to stop: twice what a reading gets, after which the journal is told that
/// it was cut short. systemd's `TimeoutStopSec` in the unit is longer.
const GRACE: Duration = Duration::from_secs(20);

/// A measurement older than this means that the service hangs: ten periods of it.
const ALIVE_WITHIN: Duration = Duration::from_secs(20);

/// The folders and the database, opened and brought to agree.
struct State {
    journal: Journal,
    spool: Spool,
    quarantine: Quarantine,
    _lock: StateLock,
}

/// What the rooms have in common.
struct Shared {
    health: Health,
    reader: Part,
    dicom: Part,
    refusals: Refusals,
    arrived: Arc<Notify>,
    levels: watch::Sender<Levels>,
    deliveries: watch::Sender<DeliveryLevels>,
    model: watch::Sender<Option<Arc<ModelInfo>>>,
    machine: watch::Sender<Machine>,
    certificates: watch::Sender<Vec<Certificate>>,
    reloaded: watch::Sender<Reloaded>,
    output: watch::Sender<Arc<OutputConfig>>,
    lookup: watch::Sender<LookupConfig>,
    batch: watch::Sender<BatchPolicy>,
    sensed: watch::Sender<Sensed>,
    spans: Spans,
    world: World,
}

impl Shared {
    fn new(config: &Config, world: World, spans: Spans) -> Self {
        let health = Health::default();
        Self {
            reader: health.part("reader", "the inference process is being started"),
            dicom: health.part("dicom", "not listening yet"),
            health,
            refusals: Refusals::default(),
            arrived: Arc::new(Notify::new()),
            levels: watch::Sender::default(),
            deliveries: watch::Sender::default(),
            model: watch::Sender::default(),
            machine: watch::Sender::default(),
            certificates: watch::Sender::default(),
            reloaded: watch::Sender::default(),
            output: watch::Sender::new(Arc::new(config.output())),
            lookup: watch::Sender::new(config.lookup.clone()),
            batch: watch::Sender::new(config.model.batch()),
            sensed: watch::Sender::default(),
            spans,
            world,
        }
    }
}

/// Where the configuration came from, to read it again, and the log that it may change.
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// What it said.
    pub text: String,
    /// The log's level.
    pub log: LogLevel,
}

/// Runs the service until it is asked to stop. `program` is this executable, for the decoding and inference
/// processes. Scanners are answered at once; what they send waits in the journal until the model is loaded.
///
/// # Errors
/// One sentence that says what could not be opened and what to do.
pub async fn serve(config: Config, origin: Origin, program: PathBuf) -> anyhow::Result<()> {
    // First of all: until it is caught, this signal ends the process.
    let hangups = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let stop = shutdown::on_signal().context("cannot listen for SIGTERM")?;
    let metrics = vitals::metrics::install().context("cannot start the metrics")?;
    health::describe();
    output::service::describe();
    spans::describe();
    reload::describe();
    let key = PseudonymKey::load(&config.device.pseudonym_key)?;
    let at_rest = config.device.at_rest()?;
    // Bound before anything slow, so that a port in use is told at once.
    let dicom = dicom::Service::open(&config.dicom).await?;
    let stow = stow::Service::open(config.stow.as_ref(), config.dicom.tls.as_ref()).await?;
    let http = listen::bind("[http] listen", config.http.listen).await?;
    let state = open_state(&config.device.state_dir, &at_rest)?;
    let world = World::real();
    let (spans, exporter) = Spans::open(&config.telemetry, &config.device.id, world);
    let shared = Shared::new(&config, world, spans);
    let status = status(&config, &state, dicom.port(), &shared);
    let watch = Watch::start(http, status, metrics, &state, &shared);
    watch.export(exporter);
    watch.reload(origin, hangups, |log| live(log, &config, &dicom, stow.as_ref(), &shared), &shared);
    watch.forget(&state, &shared);
    watch.mind_papers(&config, &shared);
    let models = Models::open(&config)?;
    let reader = open_reader(&config, &models, program)?;
    watch.follow(&reader, &shared);
    let dispatch = Dispatch::new(&config.device, shared.output.subscribe(), at_rest);
    watch.mind(models, &config, &reader, &state, &shared, &dispatch)?;
    let output = output(&config, dispatch.clone(), dicom.connector(), &state, &shared);
    let pipeline = pipeline(&config, reader, Privacy::new(key), dispatch, &state, &shared);
    let intake = Arc::new(intake(&state, &shared));
    let ways = Ways { dicom, stow, folders: config.folder };
    work(pipeline, ways, output, intake, &shared.dicom, &stop).await;
    watch.end().await;
    Ok(())
}

/// The rooms that look on until the very end, so that the status page tells of start and shutdown, too.
struct Watch {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Watch {
    fn start(http: TcpListener, status: Status, metrics: PrometheusHandle, state: &State, shared: &Shared) -> Self {
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
    fn follow(&self, reader: &Reader, shared: &Shared) {
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
    fn reload(&self, origin: Origin, hangups: Signal, live: impl FnOnce(LogLevel) -> Live, shared: &Shared) {
        let health = shared.health.part("configuration", "not read yet");
        health.up();
        let (told, world) = (shared.reloaded.clone(), shared.world);
        let Origin { file, text, log } = origin;
        let reload = Reload { file, started: text.clone(), taken: text, live: live(log), health, told, world };
        self.tasks.spawn(reload.run(hangups, self.stop.clone()));
    }

    /// Brings spans to the collector; it ends after everything that makes them.
    fn export(&self, exporter: Option<Exporter>) {
        if let Some(exporter) = exporter {
            self.tasks.spawn(exporter.run(self.stop.clone()));
        }
    }

    /// Forgets identities that were kept long enough.
    fn forget(&self, state: &State, shared: &Shared) {
        let (journal, lookup) = (state.journal.clone(), shared.lookup.subscribe());
        self.tasks.spawn(retention::forget(journal, lookup, shared.world, self.stop.clone()));
    }

    /// Looks how long certificates last.
    fn mind_papers(&self, config: &Config, shared: &Shared) {
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
    fn mind(
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

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        // A browser that keeps its connection open is no reason to stay.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.tasks.wait()).await;
    }
}

/// How images come in.
struct Ways {
    dicom: dicom::Service,
    stow: Option<stow::Service>,
    folders: Vec<FolderConfig>,
}

/// Receives and reads until `stop`, then finishes what was begun within [`GRACE`].
async fn work(
    pipeline: Pipeline,
    ways: Ways,
    output: output::Service,
    intake: Arc<Intake>,
    health: &Part,
    stop: &CancellationToken,
) {
    let port = ways.dicom.port();
    let (notices, noticed) = commitment::notices();
    let tasks = TaskTracker::new();
    tasks.spawn(retention::run(pipeline.journal.clone(), pipeline.spool.clone(), stop.clone()));
    tasks.spawn(pipeline.run(stop.clone()));
    for watched in ways.folders {
        tasks.spawn(folder::run(watched, Arc::clone(&intake), stop.clone()));
    }
    if let Some(stow) = ways.stow {
        tasks.spawn(stow.serve(Arc::clone(&intake), stop.clone()));
    }
    tasks.spawn(ways.dicom.serve(intake, notices, stop.clone()));
    tasks.spawn(output.run(noticed, stop.clone()));
    tasks.close();
    health.up();
    notify::ready();
    tracing::info!(port, "ready for scanners");
    stop.cancelled().await;
    notify::stopping(GRACE);
    notify::status("Stopping: finishing the images in hand.");
    health.down("the service is stopping");
    if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!(grace_s = GRACE.as_secs(), "left with work unfinished; it is done at the next start");
    }
}

fn status(config: &Config, state: &State, dicom_port: u16, shared: &Shared) -> Status {
    Status {
        health: shared.health.clone(),
        ae_title: config.dicom.ae_title.clone(),
        dicom_port,
        name: format!("{}, {}", config.device.id, config.device.site),
        refusals: shared.refusals.clone(),
        levels: shared.levels.subscribe(),
        deliveries: shared.deliveries.subscribe(),
        model: shared.model.subscribe(),
        machine: shared.machine.subscribe(),
        certificates: shared.certificates.subscribe(),
        reloaded: shared.reloaded.subscribe(),
        sensed: shared.sensed.subscribe(),
        journal: state.journal.clone(),
        names: config.http.names.clone(),
        world: shared.world,
        began: Instant::now(),
    }
}

/// What may change while the service runs.
fn live(log: LogLevel, config: &Config, dicom: &dicom::Service, stow: Option<&stow::Service>, shared: &Shared) -> Live {
    Live {
        log,
        rules: dicom.rules(),
        output: shared.output.clone(),
        clients: stow.map(stow::Service::clients),
        lookup: shared.lookup.clone(),
        batch: shared.batch.clone(),
        largest_batch: config.model.layout().max_batch,
        has_papers: config.dicom.tls.is_some(),
    }
}

fn output(
    config: &Config,
    dispatch: Dispatch,
    tls: Option<Connector>,
    state: &State,
    shared: &Shared,
) -> output::Service {
    output::Service {
        dispatch,
        journal: state.journal.clone(),
        world: shared.world,
        title: config.dicom.ae_title.clone(),
        tls,
        levels: shared.deliveries.clone(),
    }
}

fn pipeline(
    config: &Config,
    reader: Reader,
    privacy: Privacy,
    dispatch: Dispatch,
    state: &State,
    shared: &Shared,
) -> Pipeline {
    Pipeline {
        reader,
        dispatch,
        journal: state.journal.clone(),
        spool: state.spool.clone(),
        quarantine: state.quarantine.clone(),
        privacy,
        spans: shared.spans.clone(),
        site: config.device.site.clone(),
        world: shared.world,
        arrived: Arc::clone(&shared.arrived),
        in_hand: in_hand(config.model.layout()),
        memory: Semaphore::new(PLAIN_MIB as usize),
        health: shared.reader.clone(),
    }
}

fn intake(state: &State, shared: &Shared) -> Intake {
    Intake {
        spool: state.spool.clone(),
        journal: state.journal.clone(),
        arrived: Arc::clone(&shared.arrived),
        refusals: shared.refusals.clone(),
        spans: shared.spans.clone(),
        world: shared.world,
        // What the reader would refuse is not taken in the first place.
        longest_object: Limits::default().file_bytes,
        output: shared.output.subscribe(),
    }
}

fn open_state(state_dir: &Path, at_rest: &AtRest) -> anyhow::Result<State> {
    let lock = StateLock::take(state_dir)?;
    at_rest.claim(state_dir)?;
    let outbox = open_database(&state_dir.join("outbox.sqlite"), at_rest)?;
    fail_points::reach(Point::StartOpened);
    let spool = Spool::open(&state_dir.join("spool"), at_rest)?;
    let quarantine = Quarantine::open(&state_dir.join("quarantine"))?;
    let found =
        recovery::recover(&spool, &outbox).context("the spool and the journal could not be brought to agree")?;
    fail_points::reach(Point::StartAgreed);
    tracing::info!(unread = found.unread, unacknowledged_removed = found.unacknowledged, "spool and journal agree");
    if found.missing > 0 {
        tracing::error!(
            missing = found.missing,
            "files of acknowledged images are gone; each is reported as unreadable: look at the disk and at who tidies up there"
        );
    }
    Ok(State { journal: Journal::start(outbox)?, spool, quarantine, _lock: lock })
}

/// One from before the encryption is encrypted first: the folder is ours alone, and the sync-agent opens no plain file.
fn open_database(file: &Path, at_rest: &AtRest) -> anyhow::Result<Outbox> {
    let key = at_rest.database_key()?;
    if outbox::encryption::encrypt(file, &key)? {
        tracing::info!("the device database was plain and is encrypted now");
    }
    Ok(Outbox::open(file, &key)?)
}

fn open_reader(config: &Config, models: &Models, program: PathBuf) -> anyhow::Result<Reader> {
    let bundle = models.first(&config.model.bundle);
    let engine =
        config.model.engine(bundle, models.trust.clone(), program.clone(), &config.device.state_dir, &config.log);
    let reader = ReaderConfig {
        engine: EngineConfig { site: config.device.site.clone(), ..engine },
        sandbox: SandboxConfig {
            program,
            args: vec!["decode-worker".to_owned()],
            workers: decoders(),
            limits: Limits::default(),
        },
    };
    Ok(Reader::open(reader)?.outside_age(config.model.outside_age))
}

/// Enough to give each inference process a full batch while others decode and one is concluded.
fn in_hand(layout: Layout) -> u32 {
    u32::try_from(decoders() + layout.workers * layout.max_batch + 1).unwrap_or(u32::MAX)
}

fn decoders() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, MOST_DECODERS)
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
