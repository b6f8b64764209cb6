//! `cloud-gateway api-key …`: the keys with which programs ask the API.

use clap::Subcommand;
use vitals::config::load;

use super::ConfigFile;
use super::user::Where;
use crate::auth::roles::Act;
use crate::config::Config;
use crate::domain::when;
use crate::{accounts, api_keys, app};

/// Keys of programs.
#[derive(Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key and print it: it is shown nowhere again
    Add {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// What will use it
        #[arg(long)]
        name: String,
        /// What it may do; may be given more than once
        #[arg(long = "act", required = true)]
        acts: Vec<Act>,
        /// What it sees.
        #[command(flatten)]
        where_to: Where,
        /// How long it lives, 1 to 366 days
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// Every key there ever was, one on a line
    List(ConfigFile),
    /// Revoke a key: it opens nothing from the next request on
    Revoke {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// The key's id, as listed
        id: String,
    },
}

/// Does it.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(command: ApiKeyCommand) -> anyhow::Result<()> {
    match command {
        ApiKeyCommand::Add { config, name, acts, where_to, days } => {
            let wanted = api_keys::Wanted { name, acts, sites: where_to.sites(), days };
            add(&load(&config.file)?, wanted).await
        }
        ApiKeyCommand::List(config) => list(&load(&config.file)?).await,
        ApiKeyCommand::Revoke { config, id } => {
            let store = app::open_store(&load(&config.file)?).await?;
            api_keys::revoke(&store, "operator", when::now(), &id).await?;
            store.close().await;
            println!("key {id} opens nothing any more");
            Ok(())
        }
    }
}

async fn add(config: &Config, wanted: api_keys::Wanted) -> anyhow::Result<()> {
    let store = app::open_store(config).await?;
    let (key, row) = api_keys::make(&store, "operator", when::now(), wanted, rand::random()).await?;
    store.close().await;
    eprintln!("key {} sees {}; this is the only time that it is shown:", row.id, accounts::words(&row.sites));
    println!("{}", key.as_str());
    Ok(())
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let store = app::open_store(config).await?;
    let now = when::now();
    for row in store.api_keys().await? {
        let state = match row.revoked_at {
            Some(_) => "revoked",
            None if row.expires_at <= now => "expired",
            None => "in force",
        };
        let acts: Vec<&str> = row.acts.iter().map(|act| act.as_str()).collect();
        let (sites, used) = (accounts::words(&row.sites), row.last_used_at.and_then(when::rfc3339));
        let used = used.unwrap_or_else(|| "never used".to_owned());
        println!("{}\t{}\t{state}\t{}\t{sites}\t{used}", row.id, row.name, acts.join(" "));
    }
    store.close().await;
    Ok(())
}
