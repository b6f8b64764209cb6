//! `erase`: the end of a device's life, or of its stay at this hospital. The keys go first, so that whatever else the disk still
//! holds is ciphertext that nobody can open; then the files. It needs no key, goes on where it was interrupted, and never runs
//! beside a service.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use outbox::encryption;
use toml::Value;

use super::database;
use crate::config::{Config, DeviceConfig};
use crate::lock::StateLock;

/// What stays in the state folder: the lock that is held meanwhile, and models, which hold nothing of patients.
const STAYS: [&str; 2] = ["appliance.lock", "models"];

/// Where systemd shows credentials: copies in memory, which go with their service.
const CREDENTIALS: &str = "/run/credentials";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Configuration file of the service.
    #[arg(long)]
    config: PathBuf,
    /// Configuration file of the sync-agent, for its copy of the database's key.
    #[arg(long, default_value = "/etc/hilum/sync-agent.toml")]
    agent_config: PathBuf,
    /// Say that you mean it: nothing on this device can be read afterwards, and what the cloud has not received is lost.
    #[arg(long, required = true)]
    yes_destroy_all_patient_data: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config: Config = vitals::config::load(&arguments.config)?;
    let device = &config.device;
    let _lock = StateLock::take(&device.state_dir)?;
    refuse_beside_agent(device)?;
    for key in keys(device, &arguments.agent_config) {
        if destroy(&key)
            .with_context(|| format!("cannot destroy the key {}; nothing else was touched", key.display()))?
        {
            println!("destroyed the key {}", key.display());
        }
    }
    for path in contents(&device.state_dir).context("cannot list state_dir; its keys are destroyed")? {
        remove(&path).with_context(|| format!("cannot remove {}; order this again", path.display()))?;
        println!("removed {}", path.display());
    }
    sync(&device.state_dir)?;
    println!("{BY_HAND}");
    Ok(ExitCode::SUCCESS)
}

const BY_HAND: &str = "\nWhat remains to be done by hand:
- remove the keys' credentials, where systemd gave them: rm /etc/hilum/at-rest.cred /etc/hilum/database.cred /etc/hilum/pseudonym.key
- destroy the printed copy of the at-rest key, and each copy of the files above in a backup
- have the cloud's operator revoke this device: cloud-gateway device revoke; then remove the sync-agent's identity_dir
- a solid-state disk may keep old blocks of a key that lay in a file: erase such a disk with its maker's tool";

/// Each file that is a key, as far as it lies on a disk.
fn keys(device: &DeviceConfig, agent_config: &Path) -> Vec<PathBuf> {
    let agent = fs::read_to_string(agent_config).ok().and_then(|text| text.parse::<toml::Table>().ok());
    let agent = agent.as_ref().and_then(|table| table.get("device")?.get("database_key").and_then(Value::as_str));
    let named = device.at_rest_key.clone().into_iter().chain(agent.map(PathBuf::from));
    let all = named.chain(std::iter::once(device.pseudonym_key.clone()));
    all.filter(|key| !key.starts_with(CREDENTIALS)).collect()
}

/// The agent would go on writing into the file that was removed.
fn refuse_beside_agent(device: &DeviceConfig) -> anyhow::Result<()> {
    let Ok(key) = database::key(device).and_then(|key| Ok(key.database_key()?)) else { return Ok(()) };
    if encryption::is_in_use(&device.state_dir.join("outbox.sqlite"), &key) {
        bail!("hilum-sync-agent uses the device database; stop it, and order this again");
    }
    Ok(())
}

/// Overwrites, then unlinks; false where it is gone already.
fn destroy(key: &Path) -> io::Result<bool> {
    let mut file = match OpenOptions::new().write(true).open(key) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(key)?;
    key.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(Ok(()), sync)?;
    Ok(true)
}

fn contents(state_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(state_dir)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries
        .iter()
        .filter(|entry| !STAYS.iter().any(|name| entry.file_name() == *name))
        .map(fs::DirEntry::path)
        .collect())
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
