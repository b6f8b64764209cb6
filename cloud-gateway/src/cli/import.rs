//! `cloud-gateway import`: takes in what somebody carried here from a device without a network.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;

use crate::config::Config;
use crate::domain::when;
use crate::identity::LiveKeys;
use crate::ingest::desk::Desk;
use crate::live::Live;
use crate::objects::Objects;
use crate::{app, carry};

/// Does it. The service may run meanwhile: the database knows what was stored before.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(config: &Config, folder: &Path) -> anyhow::Result<()> {
    let keys = Arc::new(LiveKeys::open(&config.identity.hpke_key)?);
    let (objects, store) = (Objects::open(&config.objects.dir)?, app::open_store(config).await?);
    // Nobody listens to this command; pages of the service find what it brought when they next ask.
    let live = Arc::new(Live::alone(rand::random()));
    let desk = Arc::new(Desk::new(store.clone(), objects, keys.clone(), live));
    let imported = carry::import(&store, &desk, &keys.current(), folder, when::now()).await;
    store.close().await;
    let imported = imported?;
    println!("{}: {} messages stored, {} were here before", imported.device, imported.stored, imported.replays);
    match &imported.unreceipted {
        None => println!("the receipts lie in the folder, for `hilum-sync-agent import-receipts` on the device"),
        Some(why) => {
            println!(
                "the receipts could not be written into the folder ({why}); the device gets them over the network"
            );
        }
    }
    if imported.refused > 0 {
        bail!("{} messages were refused; the audit trail says why", imported.refused);
    }
    Ok(())
}
