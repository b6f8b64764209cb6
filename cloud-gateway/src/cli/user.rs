//! `cloud-gateway user …`: accounts, their roles and the sites that they see. Each change is in the audit trail, in the
//! transaction that makes it.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use vitals::config::load;
use zeroize::Zeroizing;

use super::ConfigFile;
use crate::app;
use crate::auth::password;
use crate::auth::roles::Role;
use crate::auth::sites::{self, EVERY};
use crate::config::Config;
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::store::users::{self, Change, UserRow};
use crate::store::{Store, Work, audit, commit, second_factors, sessions};

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

/// Does it.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { account, role, display_name, where_to } => add(account, role, display_name, where_to).await,
        UserCommand::List(config) => list(&load(&config.file)?).await,
        UserCommand::SetRole { account, role } => {
            change(account, Change::Role(role), Action::UserRoleSet, format!("to {}", role.as_str())).await
        }
        UserCommand::Grant(grant) => give_or_take(grant, true).await,
        UserCommand::Revoke(grant) => give_or_take(grant, false).await,
        UserCommand::Password(account) => {
            let hash = password::hash(&read_password()?)?;
            change(account, Change::Password(hash), Action::UserPasswordSet, String::new()).await
        }
        UserCommand::ResetSecondFactor(account) => reset_second_factor(account).await,
        UserCommand::Disable(account) => {
            change(account, Change::Disabled(Some(when::now())), Action::UserDisabled, String::new()).await
        }
        UserCommand::Enable(account) => {
            change(account, Change::Disabled(None), Action::UserEnabled, String::new()).await
        }
    }
}

async fn add(account: Account, role: Role, display_name: Option<String>, where_to: Where) -> anyhow::Result<()> {
    let (config, username): (Config, String) = (load(&account.config.file)?, account.username);
    let plain = |text: &str, most| (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if !plain(&username, 64) || username.contains(char::is_whitespace) {
        bail!("--username must be 1 to 64 characters without spaces");
    }
    let display_name = display_name.unwrap_or_else(|| username.clone());
    if !plain(&display_name, 128) {
        bail!("--display-name must be 1 to 128 characters");
    }
    let granted = names(where_to)?;
    let password_hash = password::hash(&read_password()?)?;
    let store = app::open_store(&config).await?;
    let created_at = when::now();
    let role = role.as_str().to_owned();
    let user = UserRow { username, display_name, role, password_hash, created_at, disabled_at: None };
    let mut work = store.begin().await?;
    if !users::add(&mut work, &user).await? {
        bail!("there is an account named {} already; choose another --username", user.username);
    }
    say(&mut work, Action::UserAdded, &user.username, format!("as {}", user.role)).await?;
    for site in &granted {
        crate::store::sites::grant(&mut work, &user.username, site).await?;
        say(&mut work, Action::UserSiteGranted, &user.username, shown(site)).await?;
    }
    commit(work).await?;
    println!("{} can log in as {}", user.username, user.role);
    tell_sites(&store, &user.username).await?;
    store.close().await;
    Ok(())
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let store = app::open_store(config).await?;
    let factors = store.second_factors().await?;
    for user in store.users().await? {
        let sites = store.sites(&user.username).await?;
        let sites = match sites.names() {
            None => "every site".to_owned(),
            Some(names) if names.is_empty() => "no site".to_owned(),
            Some(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
        };
        let state = if user.disabled_at.is_some() { "disabled" } else { "enabled" };
        let has_factor = factors.iter().any(|row| row.username == user.username && row.confirmed_at.is_some());
        let factor = if has_factor { "second factor" } else { "password alone" };
        println!("{}\t{}\t{state}\t{factor}\t{sites}\t{}", user.username, user.role, user.display_name);
    }
    store.close().await;
    Ok(())
}

/// A person keeps the sessions that are open under another role, which counts from the next request on; not those that were
/// opened with another password, or before the account was switched off.
async fn change(account: Account, change: Change, action: Action, detail: String) -> anyhow::Result<()> {
    let store = app::open_store(&load(&account.config.file)?).await?;
    let mut work = store.begin().await?;
    let ends_sessions = matches!(change, Change::Password(_) | Change::Disabled(Some(_)));
    if !users::change(&mut work, &account.username, change).await? {
        return Err(unknown(&account.username));
    }
    if ends_sessions {
        sessions::close_all(&mut work, &account.username).await?;
    }
    say(&mut work, action, &account.username, detail).await?;
    commit(work).await?;
    store.close().await;
    println!("{}: {}", account.username, action.as_str());
    Ok(())
}

async fn reset_second_factor(account: Account) -> anyhow::Result<()> {
    let store = app::open_store(&load(&account.config.file)?).await?;
    if store.user(&account.username).await?.is_none() {
        return Err(unknown(&account.username));
    }
    let mut work = store.begin().await?;
    if !second_factors::remove(&mut work, &account.username).await? {
        bail!("{} has no second factor", account.username);
    }
    sessions::close_all(&mut work, &account.username).await?;
    say(&mut work, Action::SecondFactorRemoved, &account.username, String::new()).await?;
    commit(work).await?;
    store.close().await;
    println!("{} signs in with the password alone, until another second factor is set up", account.username);
    Ok(())
}

async fn give_or_take(Grant { account, where_to }: Grant, give: bool) -> anyhow::Result<()> {
    let granted = names(where_to)?;
    if granted.is_empty() {
        bail!("say which sites: --site NAME, as often as needed, or --all-sites");
    }
    let store = app::open_store(&load(&account.config.file)?).await?;
    if store.user(&account.username).await?.is_none() {
        return Err(unknown(&account.username));
    }
    let action = if give { Action::UserSiteGranted } else { Action::UserSiteRevoked };
    let mut work = store.begin().await?;
    for site in &granted {
        let changed = if give {
            crate::store::sites::grant(&mut work, &account.username, site).await?
        } else {
            crate::store::sites::withdraw(&mut work, &account.username, site).await?
        };
        if changed {
            say(&mut work, action, &account.username, shown(site)).await?;
        }
    }
    commit(work).await?;
    tell_sites(&store, &account.username).await?;
    store.close().await;
    Ok(())
}

fn names(where_to: Where) -> anyhow::Result<Vec<String>> {
    if where_to.all_sites {
        return Ok(vec![EVERY.to_owned()]);
    }
    match where_to.sites.iter().find(|site| !sites::can_be_granted(site)) {
        Some(_) => {
            bail!("--site must be 1 to 64 characters without control characters; for every site say --all-sites")
        }
        None => Ok(where_to.sites),
    }
}

fn shown(site: &str) -> String {
    if site == EVERY { "every site".to_owned() } else { format!("site {site}") }
}

async fn tell_sites(store: &Store, username: &str) -> anyhow::Result<()> {
    match store.sites(username).await?.names() {
        None => println!("{username} sees every site"),
        Some(names) if names.is_empty() => {
            println!("{username} sees no site; let it see one with `cloud-gateway user grant`");
        }
        Some(names) => println!("{username} sees {}", names.iter().cloned().collect::<Vec<_>>().join(", ")),
    }
    Ok(())
}

fn unknown(username: &str) -> anyhow::Error {
    anyhow::anyhow!("there is no account named {username}; see `cloud-gateway user list`")
}

async fn say(work: &mut Work, action: Action, username: &str, detail: String) -> anyhow::Result<()> {
    let (at, actor) = (when::now(), "operator".to_owned());
    audit::append(work, &Statement { at, actor, action, subject: username.to_owned(), detail }).await?;
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
