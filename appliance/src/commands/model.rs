//! `model …`: look at bundles, install them, choose which reads. A running service changes over without a restart; one that
//! does not run changes over at its start, where the model has to prove itself first.

mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use reader::model::Bundle;
use reader::model::bundle::MANIFEST_FILE;
use reader::model::signature::{self, SIGNATURE_FILE};

use crate::config::Config;
use crate::control::{self, Answer, ControlError, Order};
use crate::lock::StateLock;
use crate::model::Models;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what a bundle says of itself and whether this device would take it.
    Inspect {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// A bundle's folder or archive, or the beginning of an installed one's digest.
        bundle: String,
    },
    /// Verify a bundle and lay it beside the others; what reads stays as it is.
    Install {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// A bundle's folder, or a .tar or .tar.gz archive of one.
        bundle: PathBuf,
    },
    /// Show what is installed.
    List {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Put an installed model in force, once it has proved itself on this device.
    Activate {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The beginning of its digest.
        slot: String,
    },
    /// Let an installed model watch: it sees the same images, and its readings reach nobody.
    Shadow {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The beginning of its digest.
        #[arg(required_unless_present = "off")]
        slot: Option<String>,
        /// End the watching.
        #[arg(long, conflicts_with = "slot")]
        off: bool,
    },
    /// Go back to the model before the one in force.
    Rollback {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Sign a bundle's folder as its publisher.
    Sign {
        /// Private key, PEM: `openssl genpkey -algorithm ed25519 -out publisher.key`.
        #[arg(long)]
        key: PathBuf,
        /// The bundle's folder.
        bundle: PathBuf,
    },
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Inspect { config, bundle } => inspect(&read(&config)?, &bundle),
        Command::Install { config, bundle } => install(&read(&config)?, &bundle),
        Command::List { config } => show::list(&Models::open(&read(&config)?)?),
        Command::Activate { config, slot } => order(&read(&config)?, &Order::Activate { slot }),
        Command::Shadow { config, slot, off } => order(&read(&config)?, &Order::Shadow { slot: slot.filter(|_| !off) }),
        Command::Rollback { config } => order(&read(&config)?, &Order::RollBack),
        Command::Sign { key, bundle } => sign(&key, &bundle),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn read(config: &Path) -> anyhow::Result<Config> {
    Ok(vitals::config::load(config)?)
}

fn inspect(config: &Config, bundle: &str) -> anyhow::Result<()> {
    let models = Models::open(config)?;
    let path = Path::new(bundle);
    let bundle = if path.exists() {
        models.verified(path)?
    } else {
        Bundle::open(&models.slots.path(&models.slots.find(bundle)?), &models.trust)?
    };
    show::bundle(&bundle, &config.device.site);
    Ok(())
}

fn install(config: &Config, bundle: &Path) -> anyhow::Result<()> {
    let bundle = Models::open(config)?.install(bundle)?;
    let (manifest, short) = (&bundle.manifest, show::short(&bundle.digest));
    println!("{} {} is installed as {short}; what reads has not changed.", manifest.id, manifest.version);
    println!(
        "Next: `hilum-appliance model shadow {short}` to compare it, or `model activate {short}` to read with it."
    );
    Ok(())
}

fn order(config: &Config, order: &Order) -> anyhow::Result<()> {
    let state_dir = &config.device.state_dir;
    match super::runtime()?.block_on(control::order(state_dir, order)) {
        Ok(Answer::Done(words)) => println!("{words}."),
        Ok(Answer::Refused(words)) => bail!("{words}"),
        Err(ControlError::NotRunning | ControlError::Open { .. }) if !state_dir.exists() => {
            bail!("there is no {}; start the service once", state_dir.display())
        }
        Err(ControlError::NotRunning) => at_rest(config, order)?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Changes the names while nobody reads.
fn at_rest(config: &Config, order: &Order) -> anyhow::Result<()> {
    let _lock = StateLock::take(&config.device.state_dir).context("the service is starting or stopping")?;
    let Models { slots, .. } = Models::open(config)?;
    match order {
        Order::Activate { slot } => slots.put_in_force(&slots.find(slot)?)?,
        Order::RollBack => slots.put_in_force(&slots.previous()?)?,
        Order::Shadow { slot } => {
            let slot = slot.as_deref().map(|slot| slots.find(slot)).transpose()?;
            slots.set_candidate(slot.as_deref())?;
        }
        // Of another command, which needs the service.
        Order::Retry { .. } => bail!("the service does not run"),
    }
    println!("The service does not run: this takes effect at its start, where the model has to prove itself first.");
    println!("One that does not is set aside for the model before it, and the status page says so.");
    Ok(())
}

fn sign(key: &Path, folder: &Path) -> anyhow::Result<()> {
    // Whoever signs vouches for what the device will find: so look at it as the device will.
    let bundle = Bundle::draft(folder)?;
    bundle.golden_images()?;
    let (signature, publisher) = signature::sign(bundle.manifest_bytes(), key)?;
    let file = folder.join(SIGNATURE_FILE);
    std::fs::write(&file, signature).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{} is signed by the key {publisher}.", folder.join(MANIFEST_FILE).display());
    Ok(())
}
