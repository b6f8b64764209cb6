//! `serve`: the only room that knows every other. It opens them in an order in which nothing is promised before it can be
//! kept, and closes them in the reverse.

mod shared;
mod state;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reader::inference::EngineConfig;
use reader::pixels::Limits;
use reader::pixels::sandbox::SandboxConfig;
use reader::{Reader, ReaderConfig};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vitals::health::Part;
use vitals::logging::LogLevel;
use vitals::{listen, notify, shutdown};

use self::shared::Shared;
use self::state::State;
use self::watch::Watch;
use crate::config::Config;
use crate::dicom::tls::Connector;
use crate::dicom::{self, commitment};
use crate::folder::{self, FolderConfig};
use crate::health::{self, Status};
use crate::intake::Intake;
use crate::model::Models;
use crate::model::layout::Layout;
use crate::output::{self, Dispatch};
use crate::pipeline::{PLAIN_MIB, Pipeline};
use crate::privacy::{Privacy, PseudonymKey};
use crate::reload::{self, Live};
use crate::retention;
use crate::spans::{self, Spans};
use crate::stow;
use crate::world::World;

/// Decoding processes at most: each may take 2 GB of address space, and the model wants cores, too.
const MOST_DECODERS: usize = 4;

/// Time for what was begun when the service is asked to stop: twice what a reading gets, after which the journal is told that
/// it was cut short. systemd's `TimeoutStopSec` in the unit is longer.
const GRACE: Duration = Duration::from_secs(20);

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
    let world = World::real();
    let state = State::open(&config.device.state_dir, config.disk, &at_rest, world)?;
    let (spans, exporter) = Spans::open(&config.telemetry, &config.device.id, world);
    let shared = Shared::new(&config, world, spans);
    let status = status(&config, &state, dicom.port(), &shared);
    let watch = Watch::start(http, status, metrics, &state, &shared);
    watch.export(exporter);
    watch.reload(origin, hangups, |log| live(log, &config, &dicom, stow.as_ref(), &shared), &shared);
    watch.forget(&state, &config.device.state_dir, &shared);
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
    let condemned = state.journal.condemned().clone();
    work(pipeline, ways, output, intake, &shared.dicom, &until(&stop, condemned.clone())).await;
    watch.end().await;
    if condemned.is_cancelled() {
        bail!(
            "the device database is damaged; start the service again: it puts the file aside and goes on with a new one"
        );
    }
    Ok(())
}

/// Cancelled with either: a start is the one moment at which nobody uses the files of a database.
fn until(stop: &CancellationToken, condemned: CancellationToken) -> CancellationToken {
    let either = stop.child_token();
    let told = either.clone();
    tokio::spawn(async move {
        if told.run_until_cancelled(condemned.cancelled()).await.is_some() {
            tracing::error!("the device database is damaged; stopping, so that the next start puts it aside");
            told.cancel();
        }
    });
    either
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
        put_aside: state.put_aside.as_slice().into(),
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
