//! The command line: what may be typed, and the short commands. `serve` lives in [`crate::app`].

mod check;
mod database;
mod delivery;
mod diag;
mod erase;
mod key;
mod lookup;
mod model;
mod quarantine;
mod send;
mod synth;
mod wrap;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use vitals::config::Reading;
use vitals::logging::{LogConfig, LogFormat};

use crate::app;
use crate::config::Config;

/// Hilum's appliance: receives chest radiographs over DICOM, reads them for pneumonia, and queues every result for review.
/// It is not a cleared medical device.
#[derive(Debug, Parser)]
#[command(name = "hilum-appliance", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, read and queue until stopped.
    Serve {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Look for mistakes in a configuration and in what it names, and change nothing.
    CheckConfig {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Find the study that a pseudonym of the dashboard stands for; on this device only, and each look is noted.
    Lookup(lookup::Arguments),
    /// Write an archive for whoever helps from afar; it holds nothing of a patient.
    Diag(diag::Arguments),
    /// Look at, install, compare and change the model that reads.
    #[command(subcommand)]
    Model(model::Command),
    /// Show what did not reach the hospital's own systems, and have it sent again.
    #[command(subcommand)]
    Delivery(delivery::Command),
    /// Make the key that the sync-agent needs of the device's own.
    #[command(subcommand)]
    Key(key::Command),
    /// Destroy this device's keys, and with them whatever it holds of patients, before it leaves the house.
    Erase(erase::Arguments),
    /// Draw radiographs of nobody as DICOM files.
    Synth(synth::Arguments),
    /// Send DICOM files by C-STORE; one JSON line for each.
    Send(send::Arguments),
    /// Make DICOM files of PNG or JPEG files.
    Wrap(wrap::Arguments),
    /// Look into what could not be read.
    #[command(subcommand)]
    Quarantine(quarantine::Arguments),
    /// Decode images for a running service; started by it.
    #[command(hide = true)]
    DecodeWorker,
    /// Compute the model for a running service; started by it.
    #[command(hide = true)]
    InferenceWorker {
        /// How a log line looks: auto, json or text.
        #[arg(long)]
        log_format: String,
        /// Least severe level shown.
        #[arg(long)]
        log_level: String,
    },
}

impl Arguments {
    /// Does what was asked.
    ///
    /// # Errors
    /// One sentence, with its causes.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::DecodeWorker => Ok(reader::pixels::sandbox::child_main()),
            Command::InferenceWorker { log_format, log_level } => {
                let format = match log_format.as_str() {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => LogFormat::Auto,
                };
                vitals::logging::init(&LogConfig { format, level: log_level })?;
                Ok(reader::inference::worker::child_main())
            }
            Command::CheckConfig { config } => check::run(&config),
            Command::Lookup(arguments) => lookup::run(&arguments),
            Command::Diag(arguments) => diag::run(&arguments),
            Command::Model(command) => model::run(command),
            Command::Delivery(command) => delivery::run(command),
            Command::Key(command) => key::run(command),
            Command::Erase(arguments) => erase::run(&arguments),
            Command::Synth(arguments) => synth::run(&arguments),
            Command::Quarantine(arguments) => quarantine::run(arguments),
            Command::Wrap(arguments) => wrap::run(&arguments),
            Command::Send(arguments) => runtime()?.block_on(send::run(arguments)),
            Command::Serve { config: file } => {
                let reading = Reading::<Config>::of_file(&file)?;
                let text = reading.text().to_owned();
                let (config, warnings) = reading.finish()?;
                let log = vitals::logging::init(&config.log)?;
                for warning in warnings.as_slice() {
                    tracing::warn!(file = warning.file, line = warning.line, key = warning.key, "{}", warning.words);
                }
                let program = std::env::current_exe().context("cannot tell where this program lies")?;
                let runtime = runtime()?;
                let served = runtime.block_on(app::serve(config, app::Origin { file, text, log }, program));
                // A decoder that hangs is no reason to stay; what it held is read at the next start.
                runtime.shutdown_timeout(std::time::Duration::from_secs(1));
                served.map(|()| ExitCode::SUCCESS)
            }
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start; the machine may be out of threads or memory")
}
