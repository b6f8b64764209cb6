//! `key database`: the key of the device's database, derived from the at-rest key, for the sync-agent, which gets this one and no
//! other. It makes no key of its own and stores none but where it is told to.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgGroup, Args, Subcommand};
use zeroize::Zeroizing;

use super::database;
use crate::at_rest::AtRest;
use crate::config::Config;

/// More than any key's characters; what is longer is none.
const LONGEST: u64 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the key that the sync-agent opens the database with: 64 hexadecimal characters, derived from the at-rest key.
    Database(Database),
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
    let Command::Database(arguments) = command;
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
    let mut key = Zeroizing::new([0; 32]);
    let decoded = hex::decode_to_slice(text.trim(), key.as_mut_slice());
    decoded.ok().context("standard input holds no key: 64 hexadecimal characters are one")?;
    Ok(AtRest::new(&key, rand::random))
}

/// Whole or not at all, and never readable by others, not for a moment.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let new = file.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&new, file)?;
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
