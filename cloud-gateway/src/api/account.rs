//! One's own account: its password and its second factor. Each change asks for the password again, or a code, so that an
//! unattended screen is no way in for good; it never touches another's account.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::address::Origin;
use super::extract::Body;
use super::guard::Person;
use super::problem::Problem;
use super::proof::{Claimant, on_its_own};
use super::qr::Qr;
use super::{Api, view};
use crate::auth::one_time::{RECOVERY_CODES, Secret, recovery_code, recovery_hash};
use crate::auth::{kept_secret, password};
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::store::second_factors::{self, FactorRow};
use crate::store::users::{self, Change};
use crate::store::{Work, audit, commit, sessions};

/// What apps show beside the account.
const ISSUER: &str = "Hilum";

/// One's own second factor.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SecondFactor {
    /// Since when it is asked for; RFC 3339, milliseconds, UTC; null where there is none.
    since: Option<String>,
    /// Recovery codes that were not used yet.
    recovery_codes_left: i64,
    /// Whether the account's role has to have one.
    required: bool,
}

/// Another password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The one of now.
    #[schema(format = Password)]
    current: String,
    /// The one from now on, 12 characters or more.
    #[schema(format = Password)]
    new: String,
}

/// That it is oneself.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The account's password.
    #[schema(format = Password)]
    password: String,
}

/// A code.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Six digits of the app, or a recovery code.
    code: String,
}

/// A second factor that was begun: an app has to take it up, and a code of it confirms that.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Begun {
    /// To be typed into an app, base32.
    secret: String,
    /// The same as `otpauth:`.
    uri: String,
    /// The same to be photographed.
    qr: Qr,
}

/// Codes that stand in for the app, once each. They are shown here and nowhere again.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RecoveryCodes {
    /// Each as it is to be typed.
    recovery_codes: Vec<String>,
}

/// How is my second factor?
#[utoipa::path(
    get, path = "/api/v1/account/second-factor", tag = "account",
    responses((status = 200, description = "As it is", body = SecondFactor))
)]
pub async fn second_factor(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
) -> Result<Json<SecondFactor>, Problem> {
    let since = api.store.second_factor(&person.username).await?.and_then(|row| row.confirmed_at);
    Ok(Json(SecondFactor {
        since: since.map(view::instant).transpose()?,
        recovery_codes_left: api.store.recovery_codes_left(&person.username).await?,
        required: api.auth.requires_second_factor(person.signed_in()?.role),
    }))
}

/// Change my password. Every other session of the account ends.
#[utoipa::path(
    post, path = "/api/v1/account/password", tag = "account", request_body = NewPassword,
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 204, description = "It counts from now on"),
        (status = 400, description = "Too short or too long", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The current one is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change_password(
    State(api): State<Arc<Api>>,
    Extension(Origin { address, .. }): Extension<Origin>,
    Extension(person): Extension<Person>,
    Body(given): Body<NewPassword>,
) -> Result<StatusCode, Problem> {
    let claimant = Claimant { api: &api, username: &person.username, address, now: when::now() };
    claimant.password(Zeroizing::new(given.current)).await.map_err(Problem::in_session)?;
    let new = Zeroizing::new(given.new);
    let hash = on_its_own(&api, move || password::hash(&new)).await?;
    let hash = hash.map_err(|error| Problem::bad_request(format!("{error}.")))?;
    let mut work = api.store.begin().await?;
    users::change(&mut work, &person.username, Change::Password(hash)).await?;
    changed(work, &person, claimant.now, Action::UserPasswordSet).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begin to set up a second factor, in the place of one that was begun before.
#[utoipa::path(
    post, path = "/api/v1/account/second-factor", tag = "account", request_body = Confirmation,
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 201, description = "To be confirmed with a code", body = Begun),
        (status = 403, description = "The password is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is one already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn begin(
    State(api): State<Arc<Api>>,
    Extension(Origin { address, .. }): Extension<Origin>,
    Extension(person): Extension<Person>,
    Body(given): Body<Confirmation>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let username = &person.username;
    let claimant = Claimant { api: &api, username, address, now: when::now() };
    claimant.password(Zeroizing::new(given.password)).await.map_err(Problem::in_session)?;
    let secret = Secret::new(rand::random());
    let kept = kept_secret::seal(&secret, username, &api.keys.current(), &mut rand::rng());
    let kept = kept.map_err(|_| Problem::internal())?;
    let mut work = api.store.begin().await?;
    if !second_factors::begin(&mut work, username, &kept).await? {
        return Err(Problem::conflict("Your account has a second factor; remove it before you set up another one."));
    }
    audit::append(&mut work, &said(&person, claimant.now, Action::SecondFactorBegun)).await?;
    commit(work).await?;
    let uri = secret.uri(ISSUER, username).to_string();
    let qr = Qr::of(&uri).ok_or_else(Problem::internal)?;
    Ok((StatusCode::CREATED, Json(Begun { secret: secret.text().to_string(), uri, qr })))
}

/// Confirm a second factor by a code of the app. It is asked for from now on; every other session of the account ends.
#[utoipa::path(
    post, path = "/api/v1/account/second-factor/confirmation", tag = "account", request_body = Code,
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 200, description = "Set up; keep the recovery codes", body = RecoveryCodes),
        (status = 403, description = "The code is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "None was begun", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn confirm(
    State(api): State<Arc<Api>>,
    Extension(Origin { address, .. }): Extension<Origin>,
    Extension(person): Extension<Person>,
    Body(given): Body<Code>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let username = &person.username;
    let claimant = Claimant { api: &api, username, address, now: when::now() };
    let begun = api.store.second_factor(username).await?.filter(|row| row.confirmed_at.is_none());
    let begun = begun.ok_or_else(|| Problem::conflict("There is no second factor to confirm; begin to set one up."))?;
    let (mut work, _) = claimant.code(&begun, &given.code).await.map_err(Problem::in_session)?;
    if !second_factors::confirm(&mut work, &begun, claimant.now).await? {
        return Err(Problem::conflict("Another second factor was begun meanwhile; use its code."));
    }
    let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| recovery_code(rand::random())).collect();
    for code in &codes {
        let hash = recovery_hash(username, code).ok_or_else(Problem::internal)?;
        second_factors::add_recovery(&mut work, username, &hash).await?;
    }
    changed(work, &person, claimant.now, Action::SecondFactorSetUp).await?;
    Ok(Json(RecoveryCodes { recovery_codes: codes.iter().map(|code| code.to_string()).collect() }))
}

/// Remove my second factor, by a code of it. Every other session of the account ends.
#[utoipa::path(
    post, path = "/api/v1/account/second-factor/removal", tag = "account", request_body = Code,
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "The code is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is none", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn remove(
    State(api): State<Arc<Api>>,
    Extension(Origin { address, .. }): Extension<Origin>,
    Extension(person): Extension<Person>,
    Body(given): Body<Code>,
) -> Result<StatusCode, Problem> {
    let username = &person.username;
    let claimant = Claimant { api: &api, username, address, now: when::now() };
    let factor: Option<FactorRow> = api.store.second_factor(username).await?.filter(|row| row.confirmed_at.is_some());
    let factor = factor.ok_or_else(|| Problem::conflict("Your account has no second factor."))?;
    let (mut work, _) = claimant.code(&factor, &given.code).await.map_err(Problem::in_session)?;
    second_factors::remove(&mut work, username).await?;
    changed(work, &person, claimant.now, Action::SecondFactorRemoved).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the account's other sessions, says so, and commits.
async fn changed(mut work: Work, person: &Person, now: when::UnixMs, action: Action) -> Result<(), Problem> {
    sessions::close_others(&mut work, &person.username, &person.signed_in()?.token.hash()).await?;
    audit::append(&mut work, &said(person, now, action)).await?;
    Ok(commit(work).await?)
}

fn said(person: &Person, at: when::UnixMs, action: Action) -> Statement {
    Statement {
        at,
        actor: person.username.clone(),
        action,
        subject: person.username.clone(),
        detail: "by themselves".to_owned(),
    }
}
