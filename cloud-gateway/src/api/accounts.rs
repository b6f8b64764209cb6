//! Other people's accounts, for whoever may look after them. It shows no password and no secret, and keeps an administrator
//! from shutting herself out.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::extract::{Body, Path};
use super::guard::Person;
use super::problem::Problem;
use super::proof::on_its_own;
use super::{Api, view};
use crate::accounts::{AccountError, Registry, Wanted};
use crate::auth::password;
use crate::auth::roles::{Act, Role};
use crate::auth::sites::Sites;
use crate::domain::when;
use crate::store::users::{Account, UserRow};

/// One account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccountView {
    /// What it is logged in with.
    username: String,
    /// What others see.
    display_name: String,
    /// What the person is here for.
    role: Role,
    /// The sites that it sees; null where it is every site.
    sites: Option<BTreeSet<String>>,
    /// When it was made; RFC 3339, milliseconds, UTC.
    created_at: String,
    /// Since when nobody can log in with it; null where one can.
    disabled_at: Option<String>,
    /// Whether it has a second factor.
    has_second_factor: bool,
    /// When an open session of it was last used; null where none is open.
    last_used_at: Option<String>,
}

/// The accounts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Accounts {
    /// By name.
    items: Vec<AccountView>,
}

/// An account to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// 1 to 64 characters without spaces, ':' and '/'.
    username: String,
    /// 1 to 128 characters; the name if not given.
    display_name: Option<String>,
    /// What the person is here for.
    role: Role,
    /// The sites that it sees; null for every site.
    #[serde(deserialize_with = "super::extract::present")]
    #[schema(required = true)]
    sites: Option<BTreeSet<String>>,
    /// 12 characters or more; the person changes it.
    #[schema(format = Password)]
    password: String,
}

/// What an account is to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedAccount {
    /// 1 to 128 characters.
    display_name: String,
    /// What the person is here for; counts from the next request on.
    role: Role,
    /// The sites that it sees; null for every site.
    #[serde(deserialize_with = "super::extract::present")]
    #[schema(required = true)]
    sites: Option<BTreeSet<String>>,
    /// Whether nobody can log in with it; its sessions end.
    disabled: bool,
}

/// Another password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenPassword {
    /// 12 characters or more; the person changes it.
    #[schema(format = Password)]
    password: String,
}

/// List the accounts.
#[utoipa::path(
    get, path = "/api/v1/accounts", tag = "accounts",
    responses((status = 200, description = "All of them", body = Accounts))
)]
pub async fn list(State(api): State<Arc<Api>>) -> Result<Json<Accounts>, Problem> {
    let rows = api.store.accounts().await?;
    Ok(Json(Accounts { items: rows.into_iter().map(shown).collect::<Result<_, _>>()? }))
}

/// Make an account.
#[utoipa::path(
    post, path = "/api/v1/accounts", tag = "accounts", request_body = NewAccount,
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 201, description = "Made"),
        (status = 400, description = "Not like this", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn add(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Body(new): Body<NewAccount>,
) -> Result<StatusCode, Problem> {
    let (password_hash, now) = (hashed(&api, new.password).await?, when::now());
    let user = UserRow {
        display_name: new.display_name.unwrap_or_else(|| new.username.clone()),
        username: new.username,
        role: new.role.as_str().to_owned(),
        password_hash,
        created_at: now,
        disabled_at: None,
    };
    registry(&api, &person, now).add(&user, &Sites::of(new.sites)).await?;
    Ok(StatusCode::CREATED)
}

/// Make an account what is wanted: name, role, sites, on or off.
#[utoipa::path(
    put, path = "/api/v1/accounts/{username}", tag = "accounts", request_body = ChangedAccount,
    params(
        ("username" = String, Path, description = "The account's name"),
        ("X-Hilum-Csrf" = String, Header, description = "The session's csrf"),
    ),
    responses(
        (status = 204, description = "It is so now"),
        (status = 400, description = "Not like this", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Your own role, or your own account off", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(username): Path<String>,
    Body(changed): Body<ChangedAccount>,
) -> Result<StatusCode, Problem> {
    let ChangedAccount { display_name, role, sites, disabled } = changed;
    if username == person.username && (disabled || !role.may(Act::ManageAccounts)) {
        return Err(Problem::conflict("You can't shut yourself out; another administrator can."));
    }
    let wanted = Wanted { display_name, role, sites: Sites::of(sites), disabled };
    registry(&api, &person, when::now()).become_(&username, wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an account another password. Its sessions end.
#[utoipa::path(
    post, path = "/api/v1/accounts/{username}/password", tag = "accounts", request_body = GivenPassword,
    params(
        ("username" = String, Path, description = "The account's name"),
        ("X-Hilum-Csrf" = String, Header, description = "The session's csrf"),
    ),
    responses(
        (status = 204, description = "It counts from now on"),
        (status = 400, description = "Too short or too long", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn set_password(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(username): Path<String>,
    Body(given): Body<GivenPassword>,
) -> Result<StatusCode, Problem> {
    let hash = hashed(&api, given.password).await?;
    registry(&api, &person, when::now()).set_password(&username, hash).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take an account's second factor away, for whoever lost it. Its sessions end.
#[utoipa::path(
    delete, path = "/api/v1/accounts/{username}/second-factor", tag = "accounts",
    params(
        ("username" = String, Path, description = "The account's name"),
        ("X-Hilum-Csrf" = String, Header, description = "The session's csrf"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such account", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has none", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn reset_second_factor(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(username): Path<String>,
) -> Result<StatusCode, Problem> {
    registry(&api, &person, when::now()).reset_second_factor(&username).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn registry<'a>(api: &'a Api, person: &'a Person, now: when::UnixMs) -> Registry<'a> {
    Registry { store: &api.store, actor: &person.username, now }
}

async fn hashed(api: &Api, password: String) -> Result<String, Problem> {
    let password = Zeroizing::new(password);
    let hash = on_its_own(api, move || password::hash(&password)).await?;
    hash.map_err(|error| Problem::bad_request(format!("{error}.")))
}

fn shown(row: Account) -> Result<AccountView, Problem> {
    Ok(AccountView {
        username: row.user.username,
        display_name: row.user.display_name,
        role: Role::from_name(&row.user.role).ok_or_else(Problem::internal)?,
        sites: row.sites.names().cloned(),
        created_at: view::instant(row.user.created_at)?,
        disabled_at: row.user.disabled_at.map(view::instant).transpose()?,
        has_second_factor: row.has_factor,
        last_used_at: row.last_used_at.map(view::instant).transpose()?,
    })
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let words = format!("{error}.");
        match error {
            AccountError::Unknown(_) => Self::not_found("There is no account of this name."),
            AccountError::Taken(_) | AccountError::NoSecondFactor(_) => Self::conflict(words),
            AccountError::Name | AccountError::DisplayName | AccountError::Site => Self::bad_request(words),
            AccountError::Store(error) => error.into(),
        }
    }
}
