//! The commands of `cloud-gateway`. Each does its one thing and says what it did; `serve` is [`crate::app`]'s.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use vitals::config::load;
use zeroize::Zeroizing;

use crate::app;
use crate::auth::password;
use crate::auth::roles::Role;
use crate::config::Config;
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::store::users::{self, UserRow};
use crate::store::{audit, commit};

pub mod broker_log;
pub mod certificate;
pub mod device;
pub mod enrol;
pub mod identity;
pub mod import;

use certificate::CertificateCommand;
use device::DeviceCommand;
use enrol::EnrolCommand;
use identity::IdentityCommand;

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

/// Accounts.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Make an account; its password is read from standard input
    Add {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// What the person logs in with
        #[arg(long)]
        username: String,
        /// What the person is here for
        #[arg(long)]
        role: Role,
        /// What others see; the username if not given
        #[arg(long)]
        display_name: Option<String>,
    },
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
        Command::User(UserCommand::Add { config, username, role, display_name }) => {
            add_user(&load(&config.file)?, username, role, display_name).await
        }
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

async fn add_user(config: &Config, username: String, role: Role, display_name: Option<String>) -> anyhow::Result<()> {
    let plain = |text: &str, most| (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if !plain(&username, 64) || username.contains(char::is_whitespace) {
        bail!("--username must be 1 to 64 characters without spaces");
    }
    let display_name = display_name.unwrap_or_else(|| username.clone());
    if !plain(&display_name, 128) {
        bail!("--display-name must be 1 to 128 characters");
    }
    let password_hash = password::hash(&read_password()?)?;
    let store = app::open_store(config).await?;
    let now = when::now();
    let user = UserRow { username, display_name, role: role.as_str().to_owned(), password_hash, created_at: now };
    let mut work = store.begin().await?;
    if !users::add(&mut work, &user).await? {
        bail!("there is an account named {} already; choose another --username", user.username);
    }
    let statement = Statement {
        at: now,
        actor: "operator".to_owned(),
        action: Action::UserAdded,
        subject: user.username.clone(),
        detail: format!("as {}", user.role),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await?;
    store.close().await;
    println!("{} can log in as {}", user.username, user.role);
    Ok(())
}

fn read_password() -> anyhow::Result<Zeroizing<String>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("Password, at least {} characters, then Enter (it is shown):", password::MIN_CHARACTERS);
    }
    let mut line = Zeroizing::new(String::new());
    input.lock().read_line(&mut line).context("the password cannot be read from standard input")?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

async fn verify(config: &Config) -> anyhow::Result<()> {
    let entries = app::open_store(config).await?.verify_audit().await??;
    println!("the audit trail holds, {entries} entries");
    Ok(())
}
