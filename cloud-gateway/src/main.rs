//! Takes sealed results from devices, stores each once, and serves the review dashboard.

use std::process::ExitCode;

use clap::Parser;
use gateway::cli::Command;

/// Takes sealed results from devices, stores each once, and serves the review dashboard.
#[derive(Parser)]
#[command(name = "cloud-gateway", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // One provider for the whole program, before anything speaks TLS; a second installation would be our own mistake.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("cloud-gateway: TLS was set up twice");
        return ExitCode::FAILURE;
    }
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(gateway::cli::run(command)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => vitals::exit::failed("cloud-gateway", error.as_ref()),
    }
}
