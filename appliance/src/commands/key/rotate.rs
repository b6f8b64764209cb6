//! `key rotate`: everything on this device under another at-rest key. The services' keys are put in their places first, so that
//! whenever it is cut off the appliance starts with the key that it is given, and finishes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use fail_points::Point;
use outbox::encryption;

use super::place::Place;
use crate::at_rest::{CREDENTIAL, RootKey};
use crate::config::{Config, DeviceConfig};
use crate::lock::StateLock;
use crate::rotation::{self, Done};

/// What must stay free beside the copies: as much as the journal's log may grow meanwhile, and some.
const SPARE: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(in super::super) struct Rotate {
    /// Configuration file of the service.
    #[arg(long)]
    config: PathBuf,
    /// File with the new key, 64 hexadecimal characters: `openssl rand -hex 32`. Print it first: without it the images are lost.
    #[arg(long)]
    new_key: Option<PathBuf>,
    /// File with the old key, where the new one is in the service's place already.
    #[arg(long)]
    old_key: Option<PathBuf>,
    /// Configuration file of the sync-agent, for its key of the database.
    #[arg(long, default_value = "/etc/hilum/sync-agent.toml")]
    agent_config: PathBuf,
    /// The appliance's credential, where the configuration names no at_rest_key.
    #[arg(long, default_value = "/etc/hilum/at-rest.cred")]
    credential: PathBuf,
    /// The sync-agent's credential, where its configuration names no database_key.
    #[arg(long, default_value = "/etc/hilum/database.cred")]
    agent_credential: PathBuf,
}

/// The keys, and where the services get theirs.
struct Order {
    /// None where the new one has taken its place, as far as the folder knows.
    old: Option<RootKey>,
    new: RootKey,
    own: Place,
    agent: Option<Place>,
}

pub(super) fn run(arguments: &Rotate) -> anyhow::Result<ExitCode> {
    let config: Config = vitals::config::load(&arguments.config)?;
    let device = &config.device;
    if !device.state_dir.is_dir() {
        bail!("there is no {}; a device that never ran is simply given its key", device.state_dir.display());
    }
    let _lock = StateLock::take(&device.state_dir).context("the key changes while the services are stopped")?;
    let order = Order::of(arguments, device)?;
    let new = order.new.at_rest(rand::random);
    refuse_beside_agent(device, order.old.iter().chain([&order.new]))?;
    if let Some(old) = &order.old {
        refuse_without_room(&device.state_dir)?;
        rotation::note(&device.state_dir, old, &new)?;
    }
    order.own.replace(&order.new.text())?;
    fail_points::reach(Point::RotationHanded);
    println!("{} holds the new key", order.own.file().display());
    if let Some(agent) = &order.agent {
        agent.replace(&new.database_key()?.text())?;
        println!("{} holds the sync-agent's new key of the database", agent.file().display());
    }
    fail_points::reach(Point::RotationShared);
    match rotation::resume(&device.state_dir, &new, &mut || {})? {
        Some(done) => tell(&done),
        None => println!("all was under that key before; a new one is named with --new-key"),
    }
    println!("{}", if order.agent.is_some() { NEXT } else { NEXT_BY_HAND });
    Ok(ExitCode::SUCCESS)
}

impl Order {
    /// What is meant, by what is given and what an order before this one left; nothing is changed.
    fn of(arguments: &Rotate, device: &DeviceConfig) -> anyhow::Result<Self> {
        let own = Place::of(device.at_rest_key.as_deref(), CREDENTIAL, &arguments.credential);
        let own = own.with_context(|| {
            format!(
                "there is no place for the new key: neither [device] at_rest_key nor {}",
                arguments.credential.display()
            )
        })?;
        let in_place = RootKey::parse(&own.read()?)
            .with_context(|| format!("{} holds no key of 64 hexadecimal characters", own.file().display()))?;
        let given = |file: &Option<PathBuf>| file.as_deref().map(RootKey::read).transpose();
        let (old, new) = (given(&arguments.old_key)?, given(&arguments.new_key)?);
        let state_dir = &device.state_dir;
        let new = new.unwrap_or_else(|| in_place.clone());
        let is_begun = new.at_rest(rand::random).replaced(state_dir)?.is_some();
        // What was begun has its note, which is not written again. Where the new key is the folder's own already, only the places
        // of the services' keys are seen to.
        let old = old.or(Some(in_place)).filter(|old| !is_begun && *old != new);
        let own_key = old.as_ref().unwrap_or(&new).at_rest(rand::random);
        if !own_key.is_key_of(state_dir)? {
            bail!("nothing in {} is encrypted yet; give the service the new key and start it", state_dir.display());
        }
        let agent =
            Place::of(agent_key(&arguments.agent_config).as_deref(), outbox::CREDENTIAL, &arguments.agent_credential);
        Ok(Self { old, new, own, agent })
    }
}

/// The file that the agent's configuration names.
fn agent_key(config: &Path) -> Option<PathBuf> {
    let table = fs::read_to_string(config).ok()?.parse::<toml::Table>().ok()?;
    Some(PathBuf::from(table.get("device")?.get("database_key")?.as_str()?))
}

fn refuse_beside_agent<'a>(device: &DeviceConfig, keys: impl Iterator<Item = &'a RootKey>) -> anyhow::Result<()> {
    for key in keys {
        let key = key.at_rest(rand::random).database_key()?;
        if encryption::is_in_use(&device.state_dir.join("outbox.sqlite"), &key) {
            bail!("hilum-sync-agent uses the device database; stop it, and order this again");
        }
    }
    Ok(())
}

/// Before anything is changed: the database is copied whole, the files one after another.
fn refuse_without_room(state_dir: &Path) -> anyhow::Result<()> {
    let size = |name: &str| fs::metadata(state_dir.join(name)).map_or(0, |file| file.len());
    let database = size("outbox.sqlite") + size("outbox.sqlite-wal");
    let sizes = |folder: &str| {
        let entries = fs::read_dir(state_dir.join(folder)).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).max()
    };
    let largest = sizes("spool").max(sizes("quarantine")).unwrap_or_default();
    let told = rustix::fs::statvfs(state_dir).context("the free space cannot be measured")?;
    let (free, needed) = (told.f_bavail.saturating_mul(told.f_frsize), database.max(largest) + SPARE);
    if free < needed {
        bail!("{} MB must be free beside {}, and {} are", needed >> 20, state_dir.display(), free >> 20);
    }
    Ok(())
}

const NEXT: &str =
    "Keep the print of the new key in the safe, destroy the old print and the file that --new-key named, and start
hilum-appliance, then hilum-sync-agent.";

const NEXT_BY_HAND: &str = "Give the sync-agent its new key of the database, which `hilum-appliance key database` writes (packaging/README.md).
Keep the print of the new key in the safe, destroy the old print and the file that --new-key named, and start
hilum-appliance, then hilum-sync-agent.";

fn tell(done: &Done) {
    println!("the database and {} files are under the new key; the old one opens nothing here any more", done.files);
    for file in &done.damaged {
        println!("{} was damaged before and is left as it was", file.display());
    }
    if done.damaged_values > 0 {
        println!("{} values of the database were damaged before and are left as they were", done.damaged_values);
    }
    for file in &done.set_aside {
        println!(
            "{} was set aside before and still opens with the old key; remove it if nobody needs it",
            file.display()
        );
    }
}
