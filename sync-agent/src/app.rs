//! The only place that knows every room: what each command does, and how the service starts, runs and ends.

use std::io::{BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Subcommand;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::health::{Health, Part};
use wire::backoff::BROKER;
use wire::ids::DeviceId;

use crate::config::Config;
use crate::drain::pump::{Ended, Pump};
use crate::drain::queue::Queue;
use crate::est::trust::Trust;
use crate::identity::{Identity, IdentityFolder};
use crate::mqtt::{credentials, session};
use crate::{carry, enrolment, est, paper, renewal, status};

/// How long a started connection attempt may still run once the service was asked to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where the packages keep a device's identity.
const IDENTITY_DIR: &str = "/var/lib/hilum-identity";

/// Longest line that can be a token.
const MAX_TOKEN: u64 = 200;

/// How soon another certificate in the identity folder is noticed: a small file is read.
const PICK_UP: Duration = Duration::from_secs(5);

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
    /// Without a network: write the messages that wait, sealed, into a folder that somebody carries to the gateway.
    Export {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Where to make the folder, such as a mounted stick.
        #[arg(long)]
        to: PathBuf,
    },
    /// Without a network: take the receipts in that `cloud-gateway import` wrote into a carried folder.
    ImportReceipts {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The folder that `export` made.
        folder: PathBuf,
    },
    /// Join the cloud over the network, with the token that the operator made for this device.
    Enrol {
        /// The gateway's address for devices, https://HOST:PORT.
        #[arg(long)]
        url: String,
        /// The token; `-` reads it from standard input, where no list of processes shows it.
        #[arg(long)]
        token: String,
        /// The folder that keeps the keys.
        #[arg(long, default_value = IDENTITY_DIR)]
        identity_dir: PathBuf,
        /// Whom to believe that it is the gateway.
        #[command(flatten)]
        trust: TrustArguments,
    },
    /// Ask for the next certificate now. The service does that by itself after two thirds of the present one's life.
    Renew {
        /// The folder that keeps the keys.
        #[arg(long, default_value = IDENTITY_DIR)]
        identity_dir: PathBuf,
    },
    /// Without a network: make the request that somebody carries to the gateway.
    EnrolRequest {
        /// The device's name: lower-case letters, digits and '-'.
        #[arg(long)]
        device: DeviceId,
        /// The folder that keeps the keys.
        #[arg(long, default_value = IDENTITY_DIR)]
        identity_dir: PathBuf,
        /// Where to write the request, PKCS#10; it holds no secret.
        #[arg(long)]
        out: PathBuf,
    },
    /// Without a network: take the gateway's answer in.
    EnrolAccept {
        /// The folder that keeps the keys.
        #[arg(long, default_value = IDENTITY_DIR)]
        identity_dir: PathBuf,
        /// The answer that `cloud-gateway enrol sign` wrote.
        paper: PathBuf,
    },
}

/// How the gateway is known: one of the two.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct TrustArguments {
    /// The authority of the gateway's certificate, PEM.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// SHA-256 of the gateway's certificate, as `cloud-gateway enrol token` shows it.
    #[arg(long, value_parser = Trust::pin)]
    pin: Option<Trust>,
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
            on_runtime(serve(config))
        }
        Command::Enrol { url, token, identity_dir, trust } => {
            let (folder, trust, token) = (IdentityFolder(identity_dir), trust.read()?, read_token(token)?);
            let accepted = on_runtime(async { Ok(est::enrol(&folder, &url, &trust, &token, now_ms()).await?) })?;
            println!("this device is now {} at {}", accepted.device, accepted.site);
            Ok(())
        }
        Command::Renew { identity_dir } => {
            let folder = IdentityFolder(identity_dir);
            let device = on_runtime(async { Ok(est::renew(&folder, now_ms()).await?.device) })?;
            println!("{device} has a new certificate; a running service takes it up within {} s", PICK_UP.as_secs());
            Ok(())
        }
        Command::RetryRejected { config } => {
            let config: Config = vitals::config::load(&config)?;
            let back = open_outbox(&config)?.retry_rejected()?;
            println!("{back} rejected messages wait to be sent again");
            Ok(())
        }
        Command::Export { config, to } => export(&vitals::config::load(&config)?, &to),
        Command::ImportReceipts { config, folder } => import_receipts(&vitals::config::load(&config)?, &folder),
        Command::EnrolRequest { device, identity_dir, out } => {
            enrolment::request(&device, &IdentityFolder(identity_dir), &out)?;
            println!("{} is ready: carry it to the gateway and run `cloud-gateway enrol sign` there", out.display());
            Ok(())
        }
        Command::EnrolAccept { identity_dir, paper } => {
            let accepted = enrolment::accept(&IdentityFolder(identity_dir), &paper)?;
            println!("this device is now {} at {}", accepted.device, accepted.site);
            Ok(())
        }
    }
}

fn open_outbox(config: &Config) -> anyhow::Result<outbox::Outbox> {
    let (file, key) = config.device.database()?;
    Ok(outbox::Outbox::open(&file, &key)?)
}

fn export(config: &Config, to: &Path) -> anyhow::Result<()> {
    let (identity, outbox) = (IdentityFolder(config.device.identity_dir.clone()).load()?, open_outbox(config)?);
    match carry::export(&outbox, &identity, to, now_ms(), &mut rand::rng())? {
        Some(done) => {
            println!("{} messages, {} bytes, are in {}", done.messages, done.bytes, done.folder.display());
            println!(
                "eject the stick, carry it to the gateway and run `cloud-gateway import` there; nothing was removed here"
            );
        }
        None => println!("no message waits: the cloud has everything, and there is nothing to carry"),
    }
    Ok(())
}

fn import_receipts(config: &Config, folder: &Path) -> anyhow::Result<()> {
    let kept = IdentityFolder(config.device.identity_dir.clone());
    let (identity, mut outbox) = (kept.load()?, open_outbox(config)?);
    let done = carry::import_receipts(&mut outbox, &identity, folder)?;
    if let Some(key) = &done.gateway_key {
        kept.take_up(&identity.gateway, key)?;
        println!("the gateway has a new key; what is exported from now on is sealed to it");
    }
    println!("{} messages are in the cloud, {} had their receipt before", done.stored, done.known);
    if done.rejected > 0 {
        println!("{} messages were rejected and are kept; the status page says why", done.rejected);
    }
    Ok(())
}

fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the async runtime")?.block_on(work)
}

impl TrustArguments {
    fn read(self) -> anyhow::Result<Trust> {
        match (self.ca, self.pin) {
            (Some(file), _) => {
                let text = std::fs::read_to_string(&file);
                Ok(Trust::Authorities(text.with_context(|| format!("{} (--ca) cannot be read", file.display()))?))
            }
            (None, Some(pin)) => Ok(pin),
            (None, None) => anyhow::bail!("give --pin or --ca, so that this device knows its gateway"),
        }
    }
}

fn read_token(given: String) -> anyhow::Result<String> {
    if given != "-" {
        return Ok(given);
    }
    if std::io::stdin().is_terminal() {
        eprintln!("The token, then Enter:");
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().take(MAX_TOKEN).read_line(&mut line);
    read.context("the token cannot be read from standard input")?;
    Ok(line.trim().to_owned())
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = vitals::shutdown::on_signal().context("cannot listen for signals")?;
    let metrics = vitals::metrics::install().context("cannot start the metrics")?;
    let health = Health::default();
    let (outbox, broker) = (health.part("outbox", "not opened yet"), health.part("broker", "not connected yet"));
    let certificate = health.part("certificate", "not looked at yet");
    let folder = IdentityFolder(config.device.identity_dir.clone());
    let identity = Arc::new(folder.load()?);
    tell_end(&config, &identity);
    let (database, key) = config.device.database()?;
    let queue = Queue::open(database, key).await?;
    outbox.up();
    let listener = vitals::listen::bind("[http] listen", config.http.listen).await?;
    let router = health.router(metrics).layer(axum::middleware::from_fn(vitals::metrics::record_http));
    let http = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let http = tokio::spawn(http.into_future());
    let watch = tokio::spawn(status::watch(queue.clone(), outbox, now_ms, stop.clone()));
    let alive = tokio::spawn(vitals::notify::feed_watchdog(|| true, stop.clone()));
    vitals::notify::ready();
    tracing::info!(device = %identity.enrolment.device, http = %config.http.listen, "ready");
    let (told, identities) = watch::channel(identity);
    let renewed = tokio::spawn(renewal::keep(folder.clone(), now_ms, certificate, stop.clone()));
    let picked_up = tokio::spawn(pick_up(folder, config.clone(), told, stop.clone()));
    let drained = drain(&config, identities, &queue, &broker, &stop).await;
    vitals::notify::stopping(FAREWELL);
    stop.cancel();
    let _ = tokio::time::timeout(FAREWELL, async { tokio::join!(http, watch, alive, renewed, picked_up) }).await;
    drained
}

/// Notices another certificate or another key of the gateway in the identity folder, whoever put it there: a renewal, a receipt, or a
/// technician.
async fn pick_up(folder: IdentityFolder, config: Config, told: watch::Sender<Arc<Identity>>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(PICK_UP);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        // What is not whole just now is not ours to judge: the one that is known serves on.
        let Ok(found) = folder.load() else { continue };
        let is_same = {
            let known = told.borrow();
            found.enrolment == known.enrolment && found.gateway == known.gateway
        };
        if !is_same {
            tell_end(&config, &found);
            told.send_replace(Arc::new(found));
        }
    }
}

fn tell_end(config: &Config, identity: &Identity) {
    if let Err(error) = paper::tell(&config.device.state_dir, &identity.enrolment.certificate) {
        tracing::warn!(error = vitals::exit::chain(&error), "how long the certificate lasts is not told");
    }
}

/// Connects, pumps, and connects again, until `stop`; with another identity as soon as there is one.
async fn drain(
    config: &Config,
    mut identities: watch::Receiver<Arc<Identity>>,
    queue: &Queue,
    broker: &Part,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut failures = 0;
    while !stop.is_cancelled() {
        let identity = identities.borrow_and_update().clone();
        match queue.end_leases().await {
            Ok(_) => {
                let leave = stop.child_token();
                let ended = pump(config, &identity, queue, broker, &leave);
                tokio::pin!(ended);
                let ended = tokio::select! {
                    ended = &mut ended => ended?,
                    _ = identities.changed() => {
                        tracing::info!("there is another certificate or key of the gateway; connecting again with it");
                        leave.cancel();
                        ended.await?
                    }
                };
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

/// One connection.
async fn pump(
    config: &Config,
    identity: &Identity,
    queue: &Queue,
    part: &Part,
    leave: &CancellationToken,
) -> anyhow::Result<Ended> {
    let window = config.drain.window;
    let tls = credentials::client(identity)?;
    let session = session::open(&config.broker, &identity.enrolment.device, tls, window).await?;
    let folder = IdentityFolder(config.device.identity_dir.clone());
    Ok(Pump { queue, identity, folder: &folder, window, clock: now_ms, part }.run(session, leave).await)
}

/// Milliseconds since the Unix epoch; 0 for a clock before it.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
