//! `key`: the key of the device's database, derived from the at-rest key, for the sync-agent, which gets this one and no other;
//! and another at-rest key in the old one's place. It makes no key of its own and stores none but where it is told to.

mod place;
mod rotate;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgGroup, Args, Subcommand};
use zeroize::Zeroizing;

use super::database;
use crate::at_rest::{AtRest, RootKey};
use crate::config::Config;
use place::write;

/// More than any key's characters; what is longer is none.
const LONGEST: u64 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the key that the sync-agent opens the database with: 64 hexadecimal characters, derived from the at-rest key.
    Database(Database),
    /// Put everything on this device under another at-rest key, while both services are stopped. Cut off, it goes on when it is
    /// ordered again, or when the service starts.
    Rotate(rotate::Rotate),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("from").required(true).args(["config", "stdin"]))]
pub(super) struct Database {
    /// Configuration file of the service, which names the at-rest key.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Read the at-rest key from standard input instead, as `systemd-creds decrypt` writes it.
    #[arg(long)]
    stdin: bool,
    /// File to write, for its owner alone; without it, standard output.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Database(arguments) => derive(&arguments),
        Command::Rotate(arguments) => rotate::run(&arguments),
    }
}

fn derive(arguments: &Database) -> anyhow::Result<ExitCode> {
    let key = match &arguments.config {
        Some(file) => database::key(&vitals::config::load::<Config>(file)?.device)?,
        None => given()?,
    };
    let text = key.database_key()?.text();
    match &arguments.out {
        Some(file) => write(file, &text).with_context(|| format!("cannot write {}", file.display()))?,
        None => println!("{}", text.as_str()),
    }
    Ok(ExitCode::SUCCESS)
}

fn given() -> anyhow::Result<AtRest> {
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
    read.context("the at-rest key cannot be read from standard input")?;
    let key = RootKey::parse(&text).context("standard input holds no key: 64 hexadecimal characters are one")?;
    Ok(key.at_rest(rand::random))
}
