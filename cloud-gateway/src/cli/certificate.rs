//! `cloud-gateway certificate import`: certificates from before the gateway wrote their serial numbers down, so that a list can
//! name them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use vitals::config::load;

use super::{ConfigFile, device};
use crate::app;
use crate::authority::Authority;
use crate::config::Config;
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::enrolment::earlier;
use crate::store::{audit, certificates, commit, devices};

/// Certificates.
#[derive(Subcommand)]
pub enum CertificateCommand {
    /// Write a device's certificate down that was signed before the gateway kept serial numbers, and sign the list anew
    Import {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// The certificate, PEM
        certificate: PathBuf,
    },
}

/// Does it.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(command: CertificateCommand) -> anyhow::Result<()> {
    let CertificateCommand::Import { config, certificate } = command;
    import(&load(&config.file)?, &certificate).await
}

async fn import(config: &Config, file: &Path) -> anyhow::Result<()> {
    let authority = Authority::load(app::ca(config)?)?;
    let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let (device, mut row) = earlier::read(&text, authority.certificates())
        .with_context(|| format!("{} is not written down", file.display()))?;
    let store = app::open_store(config).await?;
    let mut work = store.begin().await?;
    let standing = devices::hold_standing(&mut work, &device).await?;
    let standing = standing.with_context(|| format!("there is no device {device}; see `cloud-gateway device list`"))?;
    (row.revoked_at, row.reason) = (standing.revoked_at, standing.revoked_reason);
    certificates::note(&mut work, &row).await?;
    let statement = Statement {
        at: when::now(),
        actor: "operator".to_owned(),
        action: Action::CertificateNoted,
        subject: device.to_string(),
        detail: format!("serial number {}, certificate {}", row.serial, row.fingerprint),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await?;
    store.close().await;
    println!("{device}: the certificate with the serial number {} is written down", row.serial);
    device::publish(config).await
}
