//! `cloud-gateway user …`: accounts, their roles and the sites that they see. Each change is in the audit trail, in the
//! transaction that makes it.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use vitals::config::load;
use zeroize::Zeroizing;

use super::ConfigFile;
use crate::accounts::{self, Registry};
use crate::app;
use crate::auth::password;
use crate::auth::roles::Role;
use crate::auth::sites::Sites;
use crate::config::Config;
use crate::domain::when;
use crate::store::Store;
use crate::store::users::UserRow;

/// Accounts.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Make an account; its password is read from standard input
    Add {
        /// The account.
        #[command(flatten)]
        account: Account,
        /// What the person is here for
        #[arg(long)]
        role: Role,
        /// What others see; the username if not given
        #[arg(long)]
        display_name: Option<String>,
        /// What the person sees; nothing if neither is given.
        #[command(flatten)]
        where_to: Where,
    },
    /// Every account, one on a line
    List(ConfigFile),
    /// Give an account another role
    SetRole {
        /// The account.
        #[command(flatten)]
        account: Account,
        /// What the person is here for
        #[arg(long)]
        role: Role,
    },
    /// Let an account see sites
    Grant(Grant),
    /// Let an account see sites no more
    Revoke(Grant),
    /// Give an account another password, read from standard input, and end its sessions
    Password(Account),
    /// Take an account's second factor away, for whoever lost it, and end its sessions
    ResetSecondFactor(Account),
    /// Switch an account off and end its sessions
    Disable(Account),
    /// Switch an account on again
    Enable(Account),
}

/// Which account.
#[derive(Args)]
pub struct Account {
    /// The configuration.
    #[command(flatten)]
    config: ConfigFile,
    /// What the person logs in with
    #[arg(long)]
    username: String,
}

/// Which account and which sites.
#[derive(Args)]
pub struct Grant {
    /// The account.
    #[command(flatten)]
    account: Account,
    /// The sites.
    #[command(flatten)]
    where_to: Where,
}

/// Which sites.
#[derive(Args)]
#[group(multiple = false)]
pub struct Where {
    /// A site by its name; may be given more than once
    #[arg(long = "site", value_name = "SITE")]
    sites: Vec<String>,
    /// Every site, those of tomorrow too
    #[arg(long)]
    all_sites: bool,
}

impl Where {
    /// The sites that were named.
    #[must_use]
    pub fn sites(self) -> Sites {
        if self.all_sites { Sites::All } else { Sites::of(Some(self.sites.into_iter().collect())) }
    }
}

/// Does it.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { account, role, display_name, where_to } => {
            add(account, role, display_name, where_to.sites()).await
        }
        UserCommand::List(config) => list(&load(&config.file)?).await,
        UserCommand::SetRole { account, role } => {
            let store = open(&account.config).await?;
            registry(&store).set_role(&account.username, role).await?;
            done(store, &format!("{} is {} from the next request on", account.username, role.as_str())).await
        }
        UserCommand::Grant(Grant { account, where_to }) => {
            let (store, sites) = (open(&account.config).await?, named(where_to)?);
            registry(&store).grant(&account.username, &sites).await?;
            tell_sites(store, &account.username).await
        }
        UserCommand::Revoke(Grant { account, where_to }) => {
            let (store, sites) = (open(&account.config).await?, named(where_to)?);
            registry(&store).revoke(&account.username, &sites).await?;
            tell_sites(store, &account.username).await
        }
        UserCommand::Password(account) => {
            let hash = password::hash(&read_password()?)?;
            let store = open(&account.config).await?;
            registry(&store).set_password(&account.username, hash).await?;
            done(store, &format!("{} has another password; every session of it has ended", account.username)).await
        }
        UserCommand::ResetSecondFactor(account) => {
            let store = open(&account.config).await?;
            registry(&store).reset_second_factor(&account.username).await?;
            done(store, &format!("{} signs in with the password alone until another one is set up", account.username))
                .await
        }
        UserCommand::Disable(account) => switch(account, true).await,
        UserCommand::Enable(account) => switch(account, false).await,
    }
}

async fn add(account: Account, role: Role, display_name: Option<String>, sites: Sites) -> anyhow::Result<()> {
    let (store, username) = (open(&account.config).await?, account.username);
    let user = UserRow {
        display_name: display_name.unwrap_or_else(|| username.clone()),
        username,
        role: role.as_str().to_owned(),
        password_hash: password::hash(&read_password()?)?,
        created_at: when::now(),
        disabled_at: None,
    };
    registry(&store).add(&user, &sites).await?;
    println!("{} can log in as {}", user.username, user.role);
    tell_sites(store, &user.username).await
}

async fn switch(account: Account, disabled: bool) -> anyhow::Result<()> {
    let store = open(&account.config).await?;
    registry(&store).set_disabled(&account.username, disabled).await?;
    let state = if disabled { "disabled; every session of it has ended" } else { "enabled" };
    done(store, &format!("{} is {state}", account.username)).await
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let store = app::open_store(config).await?;
    for account in store.accounts().await? {
        let state = if account.user.disabled_at.is_some() { "disabled" } else { "enabled" };
        let factor = if account.has_factor { "second factor" } else { "password alone" };
        let (sites, UserRow { username, display_name, role, .. }) = (accounts::words(&account.sites), account.user);
        println!("{username}\t{role}\t{state}\t{factor}\t{sites}\t{display_name}");
    }
    store.close().await;
    Ok(())
}

async fn open(config: &ConfigFile) -> anyhow::Result<Store> {
    app::open_store(&load(&config.file)?).await
}

fn registry(store: &Store) -> Registry<'_> {
    Registry { store, actor: "operator", now: when::now() }
}

fn named(where_to: Where) -> anyhow::Result<Sites> {
    let sites = where_to.sites();
    if sites.names().is_some_and(BTreeSet::is_empty) {
        bail!("say which sites: --site NAME, as often as needed, or --all-sites");
    }
    Ok(sites)
}

async fn done(store: Store, words: &str) -> anyhow::Result<()> {
    store.close().await;
    println!("{words}");
    Ok(())
}

async fn tell_sites(store: Store, username: &str) -> anyhow::Result<()> {
    let sites = store.sites(username).await?;
    let remedy = if sites.names().is_some_and(BTreeSet::is_empty) {
        "; let it see one with `cloud-gateway user grant`"
    } else {
        ""
    };
    done(store, &format!("{username} sees {}{remedy}", accounts::words(&sites))).await
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
