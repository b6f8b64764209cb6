//! Logging in and out.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Api;
use super::address::Origin;
use super::extract::Body;
use super::guard::{COOKIE, Factor, Person, SignedIn};
use super::problem::Problem;
use super::proof::{Claimant, Spent};
use crate::auth::roles::{Act, Role};
use crate::auth::token::{Alive, IDLE_MS, Token};
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::store::users::UserRow;
use crate::store::{Work, audit, commit, sessions};

/// A login.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The account's name.
    username: String,
    /// Its password.
    #[schema(format = Password)]
    password: String,
    /// Six digits of its second factor, or a recovery code, where it has one.
    code: Option<String>,
}

/// The password is right, and is not enough.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CodeWanted {
    /// Always true: log in again with `code`.
    code_wanted: bool,
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
    /// What they may do now.
    may: Vec<Act>,
    /// The sites that they see; null where it is every site.
    sites: Option<BTreeSet<String>>,
    /// How it stands with their second factor.
    second_factor: Factor,
    /// Seconds without use after which the session ends.
    idle_s: i64,
    /// To be sent as `X-Hilum-Csrf` with everything that changes something.
    csrf: String,
}

impl Session {
    fn of(person: Person) -> Result<Self, Problem> {
        let may = Act::ALL.into_iter().filter(|act| person.may(*act)).collect();
        let SignedIn { role, second_factor, token } = person.signed_in()?;
        let (role, second_factor, csrf) = (*role, *second_factor, token.csrf());
        let Person { username, display_name, sites, .. } = person;
        let sites = sites.names().cloned();
        Ok(Self { username, display_name, role, may, sites, second_factor, idle_s: IDLE_MS / 1_000, csrf })
    }
}

/// Log in. An account with a second factor is asked for a code: the answer to the password alone is 202 then.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", request_body = Credentials,
    responses(
        (status = 200, description = "Logged in; the cookie is set", body = Session),
        (status = 202, description = "Send it again with a code", body = CodeWanted),
        (status = 401, description = "Wrong name, password or code, or switched off", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many failures", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn open(
    State(api): State<Arc<Api>>,
    Extension(origin): Extension<Origin>,
    Body(credentials): Body<Credentials>,
) -> Result<Response, Problem> {
    let Credentials { username, password, code } = credentials;
    let claimant = Claimant { api: &api, username: &username, address: origin.address, now: when::now() };
    let user = claimant.password(Zeroizing::new(password)).await?;
    let factor = api.store.second_factor(&user.username).await?.filter(|factor| factor.confirmed_at.is_some());
    let (work, proof) = match (factor, code) {
        (None, _) => (api.store.begin().await?, ""),
        (Some(_), None) => return Ok((StatusCode::ACCEPTED, Json(CodeWanted { code_wanted: true })).into_response()),
        (Some(factor), Some(code)) => match claimant.code(&factor, &code).await? {
            (work, Spent::Code) => (work, ", with a code"),
            (work, Spent::Recovery) => (work, ", with a recovery code"),
        },
    };
    api.replicas.signed_in(&user.username, origin.address).await;
    let person = opened(work, &claimant, &user, proof).await?;
    let secure = api.secure || origin.is_https;
    let cookie = set_cookie(person.signed_in()?.token.as_cookie(), secure);
    Ok(([(header::SET_COOKIE, cookie)], Json(Session::of(person)?)).into_response())
}

/// Opens the session in the transaction that used up its code.
async fn opened(mut work: Work, claimant: &Claimant<'_>, user: &UserRow, proof: &str) -> Result<Person, Problem> {
    let (api, now) = (claimant.api, claimant.now);
    let (token, alive) = (Token::new(rand::random()), Alive::at(now));
    sessions::open(&mut work, &token.hash(), &user.username, now, alive).await?;
    let statement = Statement {
        at: now,
        actor: user.username.clone(),
        action: Action::SessionOpened,
        subject: user.username.clone(),
        detail: format!("from {}{proof}", claimant.address),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await?;
    let session = api.store.session(&token.hash(), alive).await?.ok_or_else(Problem::no_session)?;
    Person::of(session, token, &api.auth)
}

/// Who am I?
#[utoipa::path(
    get, path = "/api/v1/session", tag = "session",
    responses(
        (status = 200, description = "Logged in", body = Session),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn current(Extension(person): Extension<Person>) -> Result<Json<Session>, Problem> {
    Session::of(person).map(Json)
}

/// Log out.
#[utoipa::path(
    delete, path = "/api/v1/session", tag = "session",
    responses((status = 204, description = "Logged out")),
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf"))
)]
pub async fn close(State(api): State<Arc<Api>>, Extension(person): Extension<Person>) -> Result<Response, Problem> {
    let session = person.signed_in()?.token.hash();
    let mut work = api.store.begin().await?;
    sessions::close(&mut work, &session).await?;
    let statement = Statement {
        at: when::now(),
        actor: person.username.clone(),
        action: Action::SessionClosed,
        subject: person.username,
        detail: String::new(),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await?;
    api.live.session_over(session);
    let gone = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
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
