//! `cloud-gateway identity …`: the keys that devices seal to, from the first one to the next.
//!
//! ```text
//! rotate: a newer key stands beside the older ones; devices that are heard of learn it, under the one that they know
//! retire: the older key says to each device which comes next, and is destroyed
//! ```

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use vitals::config::load;
use wire::seal::{self, KeyId, PrivateKey, PublicKey};
use wire::v1::ReceiptV1;
use wire::{codec, ids::DeviceId};

use super::ConfigFile;
use crate::app;
use crate::auth::kept_secret;
use crate::config::Config;
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::identity::{self, SealingKeys};
use crate::store::{Store, audit, commit, sealing_keys, second_factors};

/// The sealing keys.
#[derive(Subcommand)]
pub enum IdentityCommand {
    /// Make the first key, readable by its owner only
    Init {
        /// The new file
        #[arg(long)]
        out: PathBuf,
    },
    /// Make a newer key beside the older ones; running services and their devices take it up by themselves
    Rotate(ConfigFile),
    /// Every key, oldest first, and how many devices sealed to it when they were last heard of
    List(ConfigFile),
    /// Destroy an older key: what is sealed to it from now on is refused, and its device told the newest
    Retire {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// The key's id, as listed
        key: String,
    },
}

/// Does it.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(command: IdentityCommand) -> anyhow::Result<()> {
    match command {
        IdentityCommand::Init { out } => {
            let key = identity::init(&out)?.public().key_id().0;
            println!("made {}, key {key}; keep a copy where only you can read it", out.display());
            Ok(())
        }
        IdentityCommand::Rotate(config) => rotate(&load(&config.file)?).await,
        IdentityCommand::List(config) => list(&load(&config.file)?).await,
        IdentityCommand::Retire { config, key } => retire(&load(&config.file)?, &KeyId(key)).await,
    }
}

async fn rotate(config: &Config) -> anyhow::Result<()> {
    let file = &config.identity.hpke_key;
    let store = app::open_store(config).await?;
    let key = identity::rotate(file)?.public().key_id();
    store.audit(&said(Action::KeyRotated, &key, "older ones still open what is sealed to them")).await?;
    store.close().await;
    println!("key {} is the newest in {}; keep a copy where only you can read it", key.0, file.display());
    println!("every replica needs the file as it is now; running ones read it by themselves");
    println!("`cloud-gateway identity list` tells when all devices seal to it; then retire the one before it");
    Ok(())
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let keys = identity::load(&config.identity.hpke_key)?;
    let store = app::open_store(config).await?;
    let uses = store.key_uses().await?;
    store.close().await;
    let newest = keys.public().key_id();
    for key in keys.ids() {
        let devices = uses.iter().filter(|used| used.gateway_key.as_deref() == Some(&key.0)).count();
        let state = if key == newest { "newest" } else { "older" };
        println!("{}\t{state}\t{devices} devices", key.0);
    }
    keys.retired().iter().for_each(|key| println!("{}\tretired", key.0));
    let unknown = uses.iter().filter(|used| used.gateway_key.is_none()).count();
    if unknown > 0 {
        println!("{unknown} devices were not heard of yet");
    }
    Ok(())
}

async fn retire(config: &Config, id: &KeyId) -> anyhow::Result<()> {
    let file = &config.identity.hpke_key;
    let keys = identity::load(file)?;
    let store = app::open_store(config).await?;
    if *id == keys.public().key_id() {
        bail!("{} is the newest key; make a newer one first: cloud-gateway identity rotate", id.0);
    }
    // What was cut off in the middle is done again: until the file changes, the key still opens.
    match keys.find(id) {
        Some(key) => {
            seal_anew(&store, &keys, key).await?;
            announce(&store, &keys, key).await?;
        }
        None if keys.is_retired(id) => {}
        None => bail!("there is no key {}; see `cloud-gateway identity list`", id.0),
    }
    identity::retire(file, id)?;
    store.close().await;
    println!("key {} is destroyed in {}; destroy the copies of it, too", id.0, file.display());
    println!("a device that still seals to it is refused, told the newest key, and sends again by itself");
    Ok(())
}

/// Puts the second factors that lie under `key` under the newest one; what is destroyed opens nothing.
async fn seal_anew(store: &Store, keys: &SealingKeys, key: &PrivateKey) -> anyhow::Result<()> {
    let rows = store.second_factors().await?;
    let mut work = store.begin().await?;
    for row in rows.iter().filter(|row| kept_secret::is_under(&row.secret, key)) {
        let secret = kept_secret::open(&row.secret, &row.username, keys).with_context(|| {
            format!(
                "{0}'s second factor cannot be opened; `cloud-gateway user reset-second-factor --username {0}`",
                row.username
            )
        })?;
        let sealed = kept_secret::seal(&secret, &row.username, keys, &mut rand::rng())?;
        second_factors::reseal(&mut work, row, &sealed).await?;
    }
    Ok(commit(work).await?)
}

/// Has `key` say to every device which key comes next, for those that are away now.
async fn announce(store: &Store, keys: &SealingKeys, key: &PrivateKey) -> anyhow::Result<()> {
    let (public, id) = (key.public(), key.public().key_id());
    let announcement = ReceiptV1 { receipts: Vec::new(), gateway_key: Some(keys.public().to_hex()) };
    let plain = codec::encode(&announcement).context("the announcement cannot be written")?;
    let uses = store.key_uses().await?;
    let mut work = store.begin().await?;
    for used in uses {
        let device: DeviceId = used.device.parse().context("the database holds a device without a name")?;
        // One with a bad key has to be enrolled again in any case, and gets the newest key then.
        let Ok(recipient) = PublicKey::from_hex(&used.sealing_key) else { continue };
        let binding = seal::receipt_binding(&device);
        let Ok(sealed) = seal::seal(&plain, &binding, &recipient, (key, &public), &mut rand::rng()) else { continue };
        sealing_keys::announce(&mut work, &id, &used.device, &sealed.to_bytes()?).await?;
    }
    audit::append(&mut work, &said(Action::KeyRetired, &id, "what is sealed to it is refused")).await?;
    Ok(commit(work).await?)
}

fn said(action: Action, key: &KeyId, detail: &str) -> Statement {
    let (actor, subject) = ("operator".to_owned(), key.0.clone());
    Statement { at: when::now(), actor, action, subject, detail: detail.to_owned() }
}
