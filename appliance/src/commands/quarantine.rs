//! `quarantine`: what could not be read and why, and one of the files as the scanner sent it, for whoever looks into it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use vitals::config::Reading;

use crate::config::Config;
use crate::quarantine::Quarantine;

#[derive(Debug, Subcommand)]
pub(super) enum Arguments {
    /// List the kept files, oldest first, each with its reason.
    List {
        /// Configuration file of the service.
        #[arg(long)]
        config: PathBuf,
    },
    /// Write one of them decrypted. It holds a patient's image and name: take it nowhere that is not made for them.
    Export {
        /// Configuration file of the service.
        #[arg(long)]
        config: PathBuf,
        /// Name, as listed.
        name: String,
        /// File to write; it must not be there yet.
        #[arg(long)]
        out: PathBuf,
    },
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments {
        Arguments::List { config } => list(&configured(&config)?),
        Arguments::Export { config, name, out } => export(&configured(&config)?, &name, &out),
    }
}

fn configured(file: &Path) -> anyhow::Result<Config> {
    Ok(Reading::<Config>::of_file(file)?.finish()?.0)
}

fn quarantine(config: &Config) -> Quarantine {
    Quarantine::at(&config.device.state_dir.join("quarantine"))
}

fn list(config: &Config) -> anyhow::Result<ExitCode> {
    for kept in quarantine(config).list()? {
        let when = OffsetDateTime::from_unix_timestamp(kept.note.kept_at_ms.div_euclid(1000));
        let when = when.ok().and_then(|when| when.format(&Rfc3339).ok()).unwrap_or_default();
        println!("{}  {when}  {}  {}", kept.name, kept.note.code, kept.note.words);
    }
    Ok(ExitCode::SUCCESS)
}

fn export(config: &Config, name: &str, out: &Path) -> anyhow::Result<ExitCode> {
    let at_rest = config.device.at_rest()?;
    at_rest.opens(&config.device.state_dir)?;
    let bytes = quarantine(config).export(name, &at_rest, out)?;
    println!("{}: {bytes} bytes", out.display());
    Ok(ExitCode::SUCCESS)
}
