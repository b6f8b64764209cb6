//! `hilum-sync-agent`: drains the outbox to the cloud and deletes a row only on the gateway's receipt.

use std::process::ExitCode;

use clap::Parser;
use sync_agent::app::{self, Command};

/// Brings a Hilum device's results to the cloud.
#[derive(Parser)]
#[command(name = "hilum-sync-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match app::run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => vitals::exit::failed("hilum-sync-agent", error.as_ref()),
    }
}
