//! `delivery …`: what did not reach the hospital's own systems, and having it sent again once the cause is mended. It shows
//! numbers, destinations and reasons, never whose the image is.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{ArgGroup, Args, Subcommand};
use outbox::{DeliveryState, Undelivered};

use super::database;
use crate::config::Config;
use crate::control::{self, Answer, ControlError, Order, Which};
use crate::health::words;

/// Deliveries that are listed: more are a destination's trouble and no longer each one's.
const LISTED: u32 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what was refused, was never confirmed or still waits, and why.
    List {
        /// Configuration file.
        #[arg(long, default_value = "/etc/hilum/appliance.toml")]
        config: PathBuf,
    },
    /// Have the running service send again what was refused, never confirmed or postponed.
    Retry(Retry),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["id", "all", "destination"]))]
pub(super) struct Retry {
    /// Configuration file.
    #[arg(long, default_value = "/etc/hilum/appliance.toml")]
    config: PathBuf,
    /// The number of one delivery, as `list` shows it.
    id: Option<i64>,
    /// Whatever did not arrive, wherever it should go.
    #[arg(long)]
    all: bool,
    /// Whatever did not arrive at this destination.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { config } => list(&vitals::config::load(&config)?),
        Command::Retry(retry) => again(retry),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn list(config: &Config) -> anyhow::Result<()> {
    let undelivered = database::open(&config.device)?.undelivered(LISTED)?;
    for one in &undelivered {
        println!("{}", line(one));
    }
    if undelivered.is_empty() {
        println!("Everything was delivered.");
    } else if undelivered.len() == LISTED as usize {
        println!("These are the {LISTED} oldest; there may be more.");
    }
    Ok(())
}

fn line(one: &Undelivered) -> String {
    let since = words::moment(one.changed_ms);
    let Undelivered { id, destination, object, reason, .. } = one;
    let state = words::delivery(one.state);
    match (reason, one.state) {
        (Some(reason), _) => format!("{}  {destination}  {object}  {state} since {since}: {reason}", id.0),
        (None, DeliveryState::Waiting) => {
            format!("{}  {destination}  {object}  {state} since {since}: not tried yet", id.0)
        }
        (None, _) => format!("{}  {destination}  {object}  {state} since {since}", id.0),
    }
}

fn again(retry: Retry) -> anyhow::Result<()> {
    let config: Config = vitals::config::load(&retry.config)?;
    let which = match (retry.id, retry.destination) {
        (Some(id), _) => Which::One(id),
        (None, Some(name)) => Which::Destination(name),
        (None, None) => Which::All,
    };
    match super::runtime()?.block_on(control::order(&config.device.state_dir, &Order::Retry { which })) {
        Ok(Answer::Done(words)) => println!("{words}."),
        Ok(Answer::Refused(words)) => bail!("{words}"),
        // It is the service that sends, and whose log says who had it done.
        Err(ControlError::NotRunning) => bail!("the service does not run; start it, and order this again"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
