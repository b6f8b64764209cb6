//! How somebody proves whose account it is: by its password, and by a code of its second factor. What is wrong is counted,
//! locks out, and is in the audit trail; it never says which of name and password was wrong.

use std::net::{IpAddr, Ipv6Addr};

use zeroize::Zeroizing;

use super::Api;
use super::problem::Problem;
use crate::accounts::MAX_USERNAME;
use crate::auth::one_time::recovery_hash;
use crate::auth::{kept_secret, password};
use crate::domain::audit::{Action, Statement};
use crate::domain::when::UnixMs;
use crate::store::second_factors::{self, FactorRow};
use crate::store::users::UserRow;
use crate::store::{StoreError, Work, undo};

/// Codes are counted for the account, wherever they come from: who has its password already could otherwise guess a million
/// codes from a thousand addresses. Nobody without the password can lock it by this.
const ANYWHERE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// What proved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// A code of the app.
    Code,
    /// A recovery code, which is gone now.
    Recovery,
}

/// Somebody who says that an account is his.
pub struct Claimant<'a> {
    /// The gateway.
    pub api: &'a Api,
    /// The account's name, as typed.
    pub username: &'a str,
    /// Where from.
    pub address: IpAddr,
    /// When.
    pub now: UnixMs,
}

impl Claimant<'_> {
    /// The account, where this is its password and it is not switched off.
    ///
    /// # Errors
    /// 429 while locked out; 401 otherwise, the same for each reason.
    pub async fn password(&self, given: Zeroizing<String>) -> Result<UserRow, Problem> {
        let Self { api, username, address, now } = *self;
        if let Some(wait) = api.replicas.sign_in_wait(username, address, now).await {
            return Err(Problem::locked_out(wait));
        }
        let user = match username.chars().count() {
            1..=MAX_USERNAME if !username.contains('\0') => api.store.user(username).await?,
            _ => None,
        };
        // Who is switched off is told what a stranger is told.
        let user = user.filter(|user| user.disabled_at.is_none());
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        match user {
            Some(user) if on_its_own(api, move || password::verify(&given, stored.as_deref())).await? => Ok(user),
            user => {
                if user.is_none() {
                    on_its_own(api, || password::verify("", None)).await?;
                }
                let locked = api.replicas.sign_in_failed(username, address, now).await;
                self.refused(user.is_some(), "", locked).await?;
                Err(Problem::wrong_password())
            }
        }
    }

    /// Uses up a code, in the transaction that does what it was given for.
    ///
    /// # Errors
    /// 429 while locked out; 401 where it is wrong or was used before.
    pub async fn code(&self, factor: &FactorRow, given: &str) -> Result<(Work, Spent), Problem> {
        let Self { api, username, now, .. } = *self;
        if let Some(wait) = api.replicas.sign_in_wait(username, ANYWHERE, now).await {
            return Err(Problem::locked_out(wait));
        }
        let mut work = api.store.begin().await?;
        if let Some(spent) = spend(api, &mut work, factor, given.trim(), now).await? {
            api.replicas.signed_in(username, ANYWHERE).await;
            return Ok((work, spent));
        }
        undo(work).await?;
        let locked = api.replicas.sign_in_failed(username, ANYWHERE, now).await;
        self.refused(true, ", wrong code", locked).await?;
        Err(Problem::wrong_code())
    }

    /// A name that is no account's is not written down: people type passwords into the wrong field.
    async fn refused(&self, is_known: bool, what: &str, locked: bool) -> Result<(), StoreError> {
        let consequence = if locked { "; locked for 15 minutes" } else { "" };
        let statement = Statement {
            at: self.now,
            actor: "anonymous".to_owned(),
            action: Action::SessionRefused,
            subject: if is_known { self.username } else { "unknown account" }.to_owned(),
            detail: format!("from {}{what}{consequence}", self.address),
        };
        self.api.store.audit(&statement).await
    }
}

async fn spend(
    api: &Api,
    work: &mut Work,
    factor: &FactorRow,
    given: &str,
    now: UnixMs,
) -> Result<Option<Spent>, Problem> {
    let username = &factor.username;
    if let Some(hash) = recovery_hash(username, given) {
        return Ok(second_factors::use_recovery(work, username, &hash).await?.then_some(Spent::Recovery));
    }
    let secret = kept_secret::open(&factor.secret, username, &api.keys.current()).map_err(|error| {
        tracing::error!(%error, "a second factor cannot be opened; reset it with `cloud-gateway user reset-second-factor`");
        Problem::internal()
    })?;
    let Some(step) = secret.step_of(given, now, factor.last_step) else { return Ok(None) };
    Ok(second_factors::use_step(work, username, step).await?.then_some(Spent::Code))
}

/// Does what takes a core and much memory on a thread of its own, a few at a time.
///
/// # Errors
/// 500 where that thread ended.
pub async fn on_its_own<T: Send + 'static>(api: &Api, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let _permit = api.hashers.acquire().await.map_err(|_| Problem::internal())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())
}
