//! Making and revoking the keys with which programs ask, for the API and for the command line alike: each is one transaction
//! with its audit record. A key never looks after accounts, and never gives a verdict: those are people's.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::accounts::names;
use crate::auth::api_key::{ApiKey, KEY_BYTES, MOST_DAYS, end};
use crate::auth::roles::Act;
use crate::auth::sites::Sites;
use crate::domain::audit::{Action, Statement};
use crate::domain::when::UnixMs;
use crate::store::api_keys::{self, KeyRow};
use crate::store::{Store, StoreError, audit, commit};

/// Longest name.
const MAX_NAME: usize = 64;

/// What a key is to be.
pub struct Wanted {
    /// Its name for people.
    pub name: String,
    /// What it may do.
    pub acts: Vec<Act>,
    /// Where.
    pub sites: Sites,
    /// For how long.
    pub days: u32,
}

/// Makes a key.
///
/// # Errors
/// [`KeyError`].
pub async fn make(
    store: &Store,
    actor: &str,
    now: UnixMs,
    wanted: Wanted,
    random: [u8; KEY_BYTES],
) -> Result<(ApiKey, KeyRow), KeyError> {
    let Wanted { name, acts, sites, days } = wanted;
    let is_plain = (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !is_plain {
        return Err(KeyError::Name);
    }
    let acts: Vec<Act> = Act::ALL.into_iter().filter(|act| acts.contains(act)).collect();
    if acts.is_empty() || !acts.iter().all(|act| act.is_for_keys()) {
        return Err(KeyError::Acts);
    }
    let granted: BTreeSet<String> = names(&sites).map_err(|_| KeyError::Sites)?;
    if granted.is_empty() {
        return Err(KeyError::Sites);
    }
    let expires_at = end(now, days).ok_or(KeyError::Days)?;
    let (id, made_by) = (Uuid::new_v4().simple().to_string(), actor.to_owned());
    let row = KeyRow { id, name, acts, sites, made_by, made_at: now, expires_at, last_used_at: None, revoked_at: None };
    let key = ApiKey::new(random);
    let mut work = store.begin().await?;
    api_keys::add(&mut work, &row, &key.hash(), &granted.into_iter().collect::<Vec<_>>()).await?;
    let acts: Vec<&str> = row.acts.iter().map(|act| act.as_str()).collect();
    let detail = format!("{}, for {days} days", acts.join(" "));
    let said =
        Statement { at: now, actor: actor.to_owned(), action: Action::ApiKeyMade, subject: subject(&row.id), detail };
    audit::append(&mut work, &said).await?;
    commit(work).await?;
    Ok((key, row))
}

/// Revokes a key; it opens nothing from the next request on.
///
/// # Errors
/// [`KeyError`].
pub async fn revoke(store: &Store, actor: &str, now: UnixMs, id: &str) -> Result<(), KeyError> {
    let mut work = store.begin().await?;
    if !api_keys::revoke(&mut work, id, now).await? {
        return Err(KeyError::Unknown(id.to_owned()));
    }
    let (actor, detail) = (actor.to_owned(), String::new());
    let said = Statement { at: now, actor, action: Action::ApiKeyRevoked, subject: subject(id), detail };
    audit::append(&mut work, &said).await?;
    Ok(commit(work).await?)
}

/// How the audit trail speaks of a key, as of whom it was done to and as of who did it. No account has such a name.
#[must_use]
pub fn subject(id: &str) -> String {
    format!("key:{id}")
}

/// A key that is not made, or not revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No name.
    #[error("a key's name is 1 to {MAX_NAME} characters; say what uses it")]
    Name,
    /// Nothing, or what is people's.
    #[error("a key needs one scope or more, of: read_results, read_audit, read_devices, read_quality")]
    Acts,
    /// Nowhere, or no site.
    #[error("say which sites the key sees: each is 1 to 64 characters; every site is granted by saying so")]
    Sites,
    /// Not a life.
    #[error("a key lives 1 to {MOST_DAYS} days")]
    Days,
    /// No such key.
    #[error("no key {0} is in force; see the list of keys")]
    Unknown(String),
    /// The database.
    #[error("the keys cannot be changed")]
    Store(#[from] StoreError),
}
