//! Changes of accounts by others than their owners, for the API and for the command line alike: each is one transaction with
//! its audit record. It never checks who asks; whoever calls it has done that.

use std::collections::BTreeSet;

use crate::auth::roles::Role;
use crate::auth::sites::{EVERY, Sites, can_be_granted};
use crate::domain::audit::{Action, Statement};
use crate::domain::when::UnixMs;
use crate::store::users::{self, Change, UserRow};
use crate::store::{Store, StoreError, Work, audit, commit, second_factors, sessions, sites};

/// Longest name that is given to anyone; none longer is looked up.
pub const MAX_USERNAME: usize = 64;

/// Longest name that is shown.
const MAX_DISPLAY_NAME: usize = 128;

/// Who the audit trail speaks of without an account: an account of such a name could pass for one of them.
const NOT_ACCOUNTS: [&str; 2] = ["operator", "anonymous"];

/// Whoever changes accounts, and when.
pub struct Registry<'a> {
    /// The accounts.
    pub store: &'a Store,
    /// By whom, for the audit trail.
    pub actor: &'a str,
    /// When.
    pub now: UnixMs,
}

/// What an account is to be, but for its password.
pub struct Wanted {
    /// What others see.
    pub display_name: String,
    /// What the person is here for.
    pub role: Role,
    /// What the person sees.
    pub sites: Sites,
    /// Whether nobody can sign in with it.
    pub disabled: bool,
}

impl Registry<'_> {
    /// Makes an account that sees these sites.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn add(&self, user: &UserRow, granted: &Sites) -> Result<(), AccountError> {
        check_name(&user.username)?;
        check_display_name(&user.display_name)?;
        let names = names(granted)?;
        let mut work = self.store.begin().await?;
        if !users::add(&mut work, user).await? {
            return Err(AccountError::Taken(user.username.clone()));
        }
        self.say(&mut work, Action::UserAdded, &user.username, format!("as {}", user.role)).await?;
        self.grant_all(&mut work, &user.username, &names).await?;
        Ok(commit(work).await?)
    }

    /// Gives an account another role, which counts from the next request on.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn set_role(&self, username: &str, role: Role) -> Result<(), AccountError> {
        let mut work = self.store.begin().await?;
        self.change(&mut work, username, Change::Role(role)).await?;
        Ok(commit(work).await?)
    }

    /// Gives an account another password, by its hash, and ends its sessions.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn set_password(&self, username: &str, hash: String) -> Result<(), AccountError> {
        let mut work = self.store.begin().await?;
        self.change(&mut work, username, Change::Password(hash)).await?;
        Ok(commit(work).await?)
    }

    /// Switches an account off and ends its sessions, or on again.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn set_disabled(&self, username: &str, disabled: bool) -> Result<(), AccountError> {
        let mut work = self.store.begin().await?;
        self.change(&mut work, username, Change::Disabled(disabled.then_some(self.now))).await?;
        Ok(commit(work).await?)
    }

    /// Lets an account see these sites as well.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn grant(&self, username: &str, granted: &Sites) -> Result<(), AccountError> {
        let names = names(granted)?;
        self.known(username).await?;
        let mut work = self.store.begin().await?;
        self.grant_all(&mut work, username, &names).await?;
        Ok(commit(work).await?)
    }

    /// Lets an account see these sites no more.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn revoke(&self, username: &str, taken: &Sites) -> Result<(), AccountError> {
        let names = names(taken)?;
        self.known(username).await?;
        let mut work = self.store.begin().await?;
        self.withdraw_all(&mut work, username, &names).await?;
        Ok(commit(work).await?)
    }

    /// Takes an account's second factor away and ends its sessions.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn reset_second_factor(&self, username: &str) -> Result<(), AccountError> {
        self.known(username).await?;
        let mut work = self.store.begin().await?;
        if !second_factors::remove(&mut work, username).await? {
            return Err(AccountError::NoSecondFactor(username.to_owned()));
        }
        sessions::close_all(&mut work, username).await?;
        self.say(&mut work, Action::SecondFactorRemoved, username, String::new()).await?;
        Ok(commit(work).await?)
    }

    /// Makes an account what is wanted, with a record of each difference and of nothing else.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn become_(&self, username: &str, wanted: Wanted) -> Result<(), AccountError> {
        check_display_name(&wanted.display_name)?;
        let (now_known, now_seen) = (self.known(username).await?, self.store.sites(username).await?);
        let (before, after) = (names(&now_seen)?, names(&wanted.sites)?);
        let mut work = self.store.begin().await?;
        if now_known.display_name != wanted.display_name {
            self.change(&mut work, username, Change::DisplayName(wanted.display_name)).await?;
        }
        if now_known.role != wanted.role.as_str() {
            self.change(&mut work, username, Change::Role(wanted.role)).await?;
        }
        self.withdraw_all(&mut work, username, &before.difference(&after).cloned().collect()).await?;
        self.grant_all(&mut work, username, &after).await?;
        if now_known.disabled_at.is_some() != wanted.disabled {
            self.change(&mut work, username, Change::Disabled(wanted.disabled.then_some(self.now))).await?;
        }
        Ok(commit(work).await?)
    }

    async fn known(&self, username: &str) -> Result<UserRow, AccountError> {
        self.store.user(username).await?.ok_or_else(|| AccountError::Unknown(username.to_owned()))
    }

    /// A person keeps the sessions that are open under another role; not those that were opened with another password, or before
    /// the account was switched off.
    async fn change(&self, work: &mut Work, username: &str, change: Change) -> Result<(), AccountError> {
        let (action, detail, ends_sessions) = match &change {
            Change::Role(role) => (Action::UserRoleSet, format!("to {}", role.as_str()), false),
            Change::DisplayName(_) => (Action::UserRenamed, String::new(), false),
            Change::Password(_) => (Action::UserPasswordSet, String::new(), true),
            Change::Disabled(Some(_)) => (Action::UserDisabled, String::new(), true),
            Change::Disabled(None) => (Action::UserEnabled, String::new(), false),
        };
        if !users::change(work, username, change).await? {
            return Err(AccountError::Unknown(username.to_owned()));
        }
        if ends_sessions {
            sessions::close_all(work, username).await?;
        }
        self.say(work, action, username, detail).await
    }

    async fn grant_all(&self, work: &mut Work, username: &str, names: &BTreeSet<String>) -> Result<(), AccountError> {
        for name in names {
            if sites::grant(work, username, name).await? {
                self.say(work, Action::UserSiteGranted, username, shown(name)).await?;
            }
        }
        Ok(())
    }

    async fn withdraw_all(
        &self,
        work: &mut Work,
        username: &str,
        names: &BTreeSet<String>,
    ) -> Result<(), AccountError> {
        for name in names {
            if sites::withdraw(work, username, name).await? {
                self.say(work, Action::UserSiteRevoked, username, shown(name)).await?;
            }
        }
        Ok(())
    }

    async fn say(&self, work: &mut Work, action: Action, username: &str, detail: String) -> Result<(), AccountError> {
        let (actor, subject) = (self.actor.to_owned(), username.to_owned());
        Ok(audit::append(work, &Statement { at: self.now, actor, action, subject, detail }).await?)
    }
}

/// Sites as they are written down.
///
/// # Errors
/// [`AccountError::Site`].
pub fn names(sites: &Sites) -> Result<BTreeSet<String>, AccountError> {
    match sites.names() {
        None => Ok(BTreeSet::from([EVERY.to_owned()])),
        Some(names) if names.iter().all(|name| can_be_granted(name)) => Ok(names.clone()),
        Some(_) => Err(AccountError::Site),
    }
}

/// Sites in words, for people.
#[must_use]
pub fn words(sites: &Sites) -> String {
    match sites.names() {
        None => "every site".to_owned(),
        Some(names) if names.is_empty() => "no site".to_owned(),
        Some(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}

fn shown(site: &str) -> String {
    if site == EVERY { "every site".to_owned() } else { format!("site {site}") }
}

fn is_plain(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn check_name(name: &str) -> Result<(), AccountError> {
    let is_good = is_plain(name, MAX_USERNAME) && !name.contains(|c: char| c.is_whitespace() || c == ':' || c == '/');
    if is_good && !NOT_ACCOUNTS.contains(&name) { Ok(()) } else { Err(AccountError::Name) }
}

fn check_display_name(name: &str) -> Result<(), AccountError> {
    if is_plain(name, MAX_DISPLAY_NAME) { Ok(()) } else { Err(AccountError::DisplayName) }
}

/// A change that is not made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No such account.
    #[error("there is no account named {0}; see `cloud-gateway user list`")]
    Unknown(String),
    /// The name is another's.
    #[error("there is an account named {0} already; choose another name")]
    Taken(String),
    /// No name for an account.
    #[error(
        "a user name is 1 to 64 characters without spaces, ':' and '/', and neither \"operator\" nor \"anonymous\""
    )]
    Name,
    /// No name to be shown.
    #[error("a display name is 1 to 128 characters")]
    DisplayName,
    /// No name of a site.
    #[error(
        "a site is 1 to 64 characters without control characters; every site is granted by saying so (--all-sites)"
    )]
    Site,
    /// There is nothing to take away.
    #[error("{0} has no second factor")]
    NoSecondFactor(String),
    /// The database.
    #[error("the accounts cannot be changed")]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_account_can_pass_for_somebody_whom_the_trail_speaks_of() {
        for (name, good) in [
            ("ada", true),
            ("ada@st-mary.example", true),
            ("àda", true),
            ("", false),
            ("a b", false),
            ("a\u{7}", false),
            ("device:demo-1", false),
            ("key:1", false),
            ("a/b", false),
            ("operator", false),
            ("anonymous", false),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(check_name(name).is_ok(), good, "{name:?}");
        }
    }
}
