//! The only place that knows every room: what each command does, and how the service starts, runs and ends.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Subcommand;
use tokio_util::sync::CancellationToken;
use vitals::health::{Health, Part};
use wire::backoff::BROKER;
use wire::ids::DeviceId;

use crate::config::Config;
use crate::drain::pump::Pump;
use crate::drain::queue::Queue;
use crate::identity::{Identity, IdentityFolder};
use crate::mqtt::{credentials, session};
use crate::{enrolment, paper, status};

/// How long a started connection attempt may still run once the service was asked to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the program can do.
#[derive(Subcommand)]
pub enum Command {
    /// Drain the outbox to the cloud until told to stop.
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Put the messages that the gateway rejected back in the queue, for after it was mended or upgraded.
    RetryRejected {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Make this device's keys and the request that the gateway enrols it with.
    EnrolRequest {
        /// The device's name: lower-case letters, digits and '-'.
        #[arg(long)]
        device: DeviceId,
        /// The folder that keeps the keys.
        #[arg(long)]
        identity_dir: PathBuf,
        /// Where to write the request; it holds no secret.
        #[arg(long)]
        out: PathBuf,
    },
    /// Take the gateway's answer in.
    EnrolAccept {
        /// The folder that keeps the keys.
        #[arg(long)]
        identity_dir: PathBuf,
        /// The answer that `cloud-gateway enrol` wrote.
        paper: PathBuf,
    },
}

/// Does what was asked.
///
/// # Errors
/// Whatever kept it from being done, in words for the user.
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run { config } => {
            let config: Config = vitals::config::load(&config)?;
            vitals::logging::init(&config.log)?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            runtime.context("cannot start the async runtime")?.block_on(serve(config))
        }
        Command::RetryRejected { config } => {
            let config: Config = vitals::config::load(&config)?;
            let outbox = config.device.state_dir.join("outbox.sqlite");
            let back = outbox::Outbox::open(&outbox)?.retry_rejected()?;
            println!("{back} rejected messages wait to be sent again");
            Ok(())
        }
        Command::EnrolRequest { device, identity_dir, out } => {
            enrolment::request(&device, &IdentityFolder(identity_dir), &out)?;
            println!("{} is ready: carry it to the gateway and run `cloud-gateway enrol` there", out.display());
            Ok(())
        }
        Command::EnrolAccept { identity_dir, paper } => {
            let accepted = enrolment::accept(&IdentityFolder(identity_dir), &paper)?;
            println!("this device is now {} at {}", accepted.device, accepted.site);
            Ok(())
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = vitals::shutdown::on_signal().context("cannot listen for signals")?;
    let metrics = vitals::metrics::install().context("cannot start the metrics")?;
    let health = Health::default();
    let (outbox, broker) = (health.part("outbox", "not opened yet"), health.part("broker", "not connected yet"));
    let identity = IdentityFolder(config.device.identity_dir.clone()).load()?;
    if let Err(error) = paper::tell(&config.device.state_dir, &identity.enrolment.certificate) {
        tracing::warn!(error = vitals::exit::chain(&error), "how long the certificate lasts is not told");
    }
    let queue = Queue::open(config.device.state_dir.join("outbox.sqlite")).await?;
    outbox.up();
    let listener = vitals::listen::bind("[http] listen", config.http.listen).await?;
    let router = health.router(metrics).layer(axum::middleware::from_fn(vitals::metrics::record_http));
    let http = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let http = tokio::spawn(http.into_future());
    let watch = tokio::spawn(status::watch(queue.clone(), outbox, now_ms, stop.clone()));
    let alive = tokio::spawn(vitals::notify::feed_watchdog(|| true, stop.clone()));
    vitals::notify::ready();
    tracing::info!(device = %identity.enrolment.device, http = %config.http.listen, "ready");
    let drained = drain(&config, &identity, &queue, &broker, &stop).await;
    vitals::notify::stopping(FAREWELL);
    stop.cancel();
    let _ = tokio::time::timeout(FAREWELL, async { tokio::join!(http, watch, alive) }).await;
    drained
}

/// Connects, pumps, and connects again, until `stop`.
async fn drain(
    config: &Config,
    identity: &Identity,
    queue: &Queue,
    broker: &Part,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let tls = credentials::client(identity)?;
    let window = config.drain.window;
    let pump = Pump { queue, identity, window, clock: now_ms, part: broker };
    let mut failures = 0;
    while !stop.is_cancelled() {
        match queue.end_leases().await {
            Ok(_) => {
                let device = &identity.enrolment.device;
                let session = session::open(&config.broker, device, tls.clone(), window).await?;
                let ended = pump.run(session, stop).await;
                failures = if ended.was_listening { 0 } else { failures + 1 };
                if let Some(error) = ended.error {
                    broker.down(&vitals::exit::chain(&error));
                }
            }
            // A disk that is full or busy now may not be so later, and a process that left would be no help.
            Err(error) => broker.down(&vitals::exit::chain(&error)),
        }
        let wait = BROKER.delay(failures, rand::random());
        stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
    Ok(())
}

/// Milliseconds since the Unix epoch; 0 for a clock before it.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
