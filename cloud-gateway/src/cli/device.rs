//! `cloud-gateway device …` and `cloud-gateway crl`: what is known of devices, and shutting one out.

use anyhow::Context;
use clap::Subcommand;
use vitals::config::load;
use wire::ids::DeviceId;

use super::ConfigFile;
use crate::app;
use crate::auth::sites::Sites;
use crate::authority::Authority;
use crate::config::Config;
use crate::domain::when::{self, UnixMs};
use crate::revocation::{self, Reason};
use crate::store::certificates::CertificateRow;

/// Devices.
#[derive(Subcommand)]
pub enum DeviceCommand {
    /// Every device, one on a line
    List(ConfigFile),
    /// One device with its certificates
    Show {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// The device's name
        device: DeviceId,
    },
    /// Shut a device out: the gateway refuses what it sends, EST refuses it a certificate, the broker gets a new list
    Revoke {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// The device's name
        device: DeviceId,
    },
}

/// Does it.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(command: DeviceCommand) -> anyhow::Result<()> {
    match command {
        DeviceCommand::List(config) => list(&load(&config.file)?).await,
        DeviceCommand::Show { config, device } => show(&load(&config.file)?, &device).await,
        DeviceCommand::Revoke { config, reason, device } => revoke(&load(&config.file)?, &device, reason).await,
    }
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let store = app::open_store(config).await?;
    for device in store.devices(&Sites::All).await? {
        let id: DeviceId = device.id.parse().context("the database holds a device without a name")?;
        let revoked = store.standing(&id).await?.and_then(|standing| standing.revoked_reason);
        let state = revoked.map_or_else(|| "enrolled".to_owned(), |reason| format!("revoked ({reason})"));
        let heard = device.last_seen_at.map_or_else(|| "never".to_owned(), day);
        println!("{id}\t{}\t{state}\tlast heard of {heard}", device.site);
    }
    store.close().await;
    Ok(())
}

async fn show(config: &Config, device: &DeviceId) -> anyhow::Result<()> {
    let store = app::open_store(config).await?;
    let standing = store.standing(device).await?;
    let standing = standing.with_context(|| format!("there is no device {device}; see `cloud-gateway device list`"))?;
    println!("{device} at {}, enrolled {}", standing.site, day(standing.enrolled_at));
    if let (Some(at), Some(reason)) = (standing.revoked_at, &standing.revoked_reason) {
        println!("revoked {}: {reason}", day(at));
    }
    for certificate in store.certificates(device).await? {
        println!("{}", line(&certificate));
    }
    store.close().await;
    Ok(())
}

fn line(certificate: &CertificateRow) -> String {
    let serial = if certificate.serial.is_empty() { "(serial number not known)" } else { &certificate.serial };
    let end = match certificate.revoked_at {
        Some(at) => format!("revoked {}", day(at)),
        None => format!("good until {}", day(certificate.expires_at)),
    };
    format!("  {serial}  signed {}, {end}", day(certificate.issued_at))
}

fn day(at: UnixMs) -> String {
    when::rfc3339(at).unwrap_or_else(|| "at no usable date".to_owned())
}

async fn revoke(config: &Config, device: &DeviceId, reason: Reason) -> anyhow::Result<()> {
    let store = app::open_store(config).await?;
    let withdrawn = revocation::revoke(&store, device, reason, when::now()).await?;
    println!("{device} is shut out: the gateway refuses its messages and its requests from now on");
    let nameless = withdrawn.iter().filter(|certificate| certificate.serial.is_empty()).count();
    if nameless > 0 {
        println!(
            "{nameless} of its certificates are from before the gateway kept serial numbers and can be on no list yet: give \
             them to `cloud-gateway certificate import`, or take {device} out of the broker's access list, too"
        );
    }
    store.close().await;
    match &config.ca {
        Some(_) => publish(config).await,
        None => {
            println!("this configuration has no [ca]: the gateway that has it signs a new list within 10 seconds");
            Ok(())
        }
    }
}

/// Signs a list now, and writes it where `[ca] crl` says.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn publish(config: &Config) -> anyhow::Result<()> {
    let ca = app::ca(config)?;
    let authority = Authority::load(ca)?;
    let store = app::open_store(config).await?;
    let list = revocation::sign(&store, &authority, when::now()).await?;
    store.close().await;
    let names = revocation::length(&list);
    let days = ca.crl_days;
    match &ca.crl {
        Some(file) => {
            revocation::write(file, &list)?;
            println!("{} names {names} certificates, good for {days} days; reload the broker", file.display());
        }
        None => println!("signed a list of {names} certificates; set [ca] crl to have it written for the broker"),
    }
    Ok(())
}
