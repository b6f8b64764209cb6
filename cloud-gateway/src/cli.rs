//! The commands of `cloud-gateway`. Each does its one thing and says what it did; `serve` is [`crate::app`]'s.

use std::path::PathBuf;

use clap::Subcommand;
use vitals::config::load;

use crate::app;
use crate::config::Config;

pub mod api_key;
pub mod broker_log;
pub mod certificate;
pub mod device;
pub mod enrol;
pub mod identity;
pub mod import;
pub mod user;

use api_key::ApiKeyCommand;
use certificate::CertificateCommand;
use device::DeviceCommand;
use enrol::EnrolCommand;
use identity::IdentityCommand;
use user::UserCommand;

/// What can be asked for.
#[derive(Subcommand)]
pub enum Command {
    /// Run every role in this process: ingest, API, dashboard
    Serve(ConfigFile),
    /// Bring the database's tables to this version and stop
    Migrate(ConfigFile),
    /// Look after accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Look after the keys with which programs ask the API
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Look after the key that devices seal to
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Take devices in
    #[command(subcommand)]
    Enrol(EnrolCommand),
    /// Look after devices
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Look after devices' certificates
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Take in a folder that somebody carried here from a device without a network
    Import {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// The folder that `hilum-sync-agent export` made
        folder: PathBuf,
    },
    /// Sign the list of revoked certificates anew and write it for the broker
    Crl(ConfigFile),
    /// Look after the audit trail
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// Every command's configuration.
#[derive(clap::Args)]
pub struct ConfigFile {
    /// The configuration, TOML
    #[arg(long = "config")]
    file: PathBuf,
}

/// The audit trail.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Follow the chain from its first entry to its last
    Verify(ConfigFile),
    /// Read mosquitto's log from standard input and write down whom it refused
    BrokerLog(ConfigFile),
}

/// Does what was asked for.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(config) => app::serve(load(&config.file)?).await,
        Command::Migrate(config) => migrate(&load(&config.file)?).await,
        Command::User(command) => user::run(command).await,
        Command::ApiKey(command) => api_key::run(command).await,
        Command::Identity(command) => identity::run(command).await,
        Command::Enrol(command) => enrol::run(command).await,
        Command::Device(command) => device::run(command).await,
        Command::Certificate(command) => certificate::run(command).await,
        Command::Import { config, folder } => import::run(&load(&config.file)?, &folder).await,
        Command::Crl(config) => device::publish(&load(&config.file)?).await,
        Command::Audit(AuditCommand::Verify(config)) => verify(&load(&config.file)?).await,
        Command::Audit(AuditCommand::BrokerLog(config)) => broker_log::run(&load(&config.file)?).await,
    }
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    app::open_store(config).await?.close().await;
    println!("the database's tables are those of cloud-gateway {}", env!("CARGO_PKG_VERSION"));
    Ok(())
}

async fn verify(config: &Config) -> anyhow::Result<()> {
    let entries = app::open_store(config).await?.verify_audit().await??;
    println!("the audit trail holds, {entries} entries");
    Ok(())
}
