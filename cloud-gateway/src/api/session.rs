//! Logging in and out.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Api;
use super::address::Origin;
use super::extract::Body;
use super::guard::{COOKIE, Person};
use super::problem::Problem;
use crate::auth::password;
use crate::auth::roles::{Act, Role};
use crate::auth::token::{IDLE_MS, Token};
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::store::users::UserRow;
use crate::store::{StoreError, audit, commit, sessions};

/// Longest name that is looked up; longer ones were never given to anyone.
pub const MAX_USERNAME: usize = 64;

/// A login.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The account's name.
    username: String,
    /// Its password.
    #[schema(format = Password)]
    password: String,
}

/// Who is logged in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Session {
    /// The account's name.
    username: String,
    /// What others see.
    display_name: String,
    /// What they are here for.
    role: Role,
    /// What that allows.
    may: Vec<Act>,
    /// The sites that they see; null where it is every site.
    sites: Option<BTreeSet<String>>,
    /// To be sent as `X-Hilum-Csrf` with everything that changes something.
    csrf: String,
}

impl Session {
    fn of(person: Person) -> Self {
        let Person { username, display_name, role, sites, token } = person;
        let may = Act::ALL.into_iter().filter(|act| role.may(*act)).collect();
        Self { username, display_name, role, may, sites: sites.names().cloned(), csrf: token.csrf() }
    }
}

/// Log in.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", request_body = Credentials,
    responses(
        (status = 200, description = "Logged in; the cookie is set", body = Session),
        (status = 401, description = "Wrong name or password, or switched off", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many failures", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn open(
    State(api): State<Arc<Api>>,
    Extension(Origin(address)): Extension<Origin>,
    headers: HeaderMap,
    Body(credentials): Body<Credentials>,
) -> Result<Response, Problem> {
    let now = when::now();
    if let Some(wait) = api.replicas.sign_in_wait(&credentials.username, address, now).await {
        return Err(Problem::locked_out(wait));
    }
    let user = match credentials.username.chars().count() {
        1..=MAX_USERNAME if !credentials.username.contains('\0') => api.store.user(&credentials.username).await?,
        _ => None,
    };
    // Who is switched off is told what a stranger is told.
    let user = user.filter(|user| user.disabled_at.is_none());
    if !verified(&api, user.as_ref(), Zeroizing::new(credentials.password)).await? {
        let locked = api.replicas.sign_in_failed(&credentials.username, address, now).await;
        refused(&api, user.as_ref(), address, now, locked).await?;
        return Err(Problem::wrong_password());
    }
    let user = user.ok_or_else(Problem::internal)?;
    api.replicas.signed_in(&user.username, address).await;
    let token = Token::new(rand::random());
    opened(&api, &user, &token, address, now).await?;
    let secure = api.secure || headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let role = Role::from_name(&user.role).ok_or_else(Problem::internal)?;
    let sites = api.store.sites(&user.username).await?;
    let person = Person { username: user.username, display_name: user.display_name, role, sites, token: token.clone() };
    Ok(([(header::SET_COOKIE, set_cookie(token.as_cookie(), secure))], Json(Session::of(person))).into_response())
}

/// Who am I?
#[utoipa::path(
    get, path = "/api/v1/session", tag = "session",
    responses(
        (status = 200, description = "Logged in", body = Session),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn current(Extension(person): Extension<Person>) -> Json<Session> {
    Json(Session::of(person))
}

/// Log out.
#[utoipa::path(
    delete, path = "/api/v1/session", tag = "session",
    responses((status = 204, description = "Logged out")),
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf"))
)]
pub async fn close(State(api): State<Arc<Api>>, Extension(person): Extension<Person>) -> Result<Response, Problem> {
    let mut work = api.store.begin().await?;
    sessions::close(&mut work, &person.token.hash()).await?;
    let statement = Statement {
        at: when::now(),
        actor: person.username.clone(),
        action: Action::SessionClosed,
        subject: person.username,
        detail: String::new(),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await?;
    api.live.session_over(person.token.hash());
    let gone = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

/// Checks a password on a thread of its own, a few at a time.
async fn verified(api: &Api, user: Option<&UserRow>, given: Zeroizing<String>) -> Result<bool, Problem> {
    let _permit = api.hashers.acquire().await.map_err(|_| Problem::internal())?;
    let stored = user.map(|user| user.password_hash.clone());
    tokio::task::spawn_blocking(move || password::verify(&given, stored.as_deref()))
        .await
        .map_err(|_| Problem::internal())
}

async fn opened(
    api: &Api,
    user: &UserRow,
    token: &Token,
    address: IpAddr,
    now: when::UnixMs,
) -> Result<(), StoreError> {
    let mut work = api.store.begin().await?;
    sessions::open(&mut work, &token.hash(), &user.username, now, now - IDLE_MS).await?;
    let statement = Statement {
        at: now,
        actor: user.username.clone(),
        action: Action::SessionOpened,
        subject: user.username.clone(),
        detail: format!("from {address}"),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await
}

/// A name that is no account's is not written down: people type passwords into the wrong field.
async fn refused(
    api: &Api,
    user: Option<&UserRow>,
    address: IpAddr,
    now: when::UnixMs,
    locked: bool,
) -> Result<(), StoreError> {
    let consequence = if locked { "; locked for 15 minutes" } else { "" };
    let statement = Statement {
        at: now,
        actor: "anonymous".to_owned(),
        action: Action::SessionRefused,
        subject: user.map_or_else(|| "unknown account".to_owned(), |user| user.username.clone()),
        detail: format!("from {address}{consequence}"),
    };
    api.store.audit(&statement).await
}

/// No Max-Age: the browser forgets it when it closes, the server after half an hour without use.
fn set_cookie(token: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        assert_eq!(set_cookie("t", false), "hilum_session=t; HttpOnly; SameSite=Strict; Path=/");
        assert_eq!(set_cookie("t", true), "hilum_session=t; HttpOnly; SameSite=Strict; Path=/; Secure");
    }
}
