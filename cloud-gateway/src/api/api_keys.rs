//! The keys with which programs ask, for whoever may look after accounts. A key is shown once, in the answer that makes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::extract::{Body, Path};
use super::guard::Person;
use super::problem::Problem;
use super::{Api, view};
use crate::api_keys::{self, KeyError, Wanted};
use crate::auth::roles::Act;
use crate::auth::sites::Sites;
use crate::domain::when;
use crate::store::StoreError;
use crate::store::api_keys::KeyRow;

/// One key, without what it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Key {
    /// As the audit trail names it, after `key:`.
    id: String,
    /// What uses it.
    name: String,
    /// Its scopes.
    acts: Vec<Act>,
    /// The sites that it sees; null where it is every site.
    sites: Option<BTreeSet<String>>,
    /// Who made it.
    made_by: String,
    /// When; RFC 3339, milliseconds, UTC.
    made_at: String,
    /// When it ends.
    expires_at: String,
    /// When it was last used, to the minute; null where it never was.
    last_used_at: Option<String>,
    /// Since when it opens nothing any more; null where it was not revoked.
    revoked_at: Option<String>,
}

/// The keys.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Keys {
    /// Newest first.
    items: Vec<Key>,
}

/// A key to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What will use it, 1 to 64 characters.
    name: String,
    /// Its scopes, one or more of those that a key may have.
    acts: Vec<Act>,
    /// The sites that it sees, one or more; null for every site.
    #[serde(deserialize_with = "super::extract::present")]
    #[schema(required = true)]
    sites: Option<BTreeSet<String>>,
    /// How long it lives, 1 to 366 days.
    days: u32,
}

/// A key that was made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MadeKey {
    /// The key itself, to be sent as `Authorization: Bearer …`. It is shown here and nowhere again.
    secret: String,
    /// All else of it.
    key: Key,
}

/// List the keys.
#[utoipa::path(
    get, path = "/api/v1/api-keys", tag = "api-keys",
    responses((status = 200, description = "All there ever were", body = Keys))
)]
pub async fn list(State(api): State<Arc<Api>>) -> Result<Json<Keys>, Problem> {
    let rows = api.store.api_keys().await?;
    Ok(Json(Keys { items: rows.into_iter().map(shown).collect::<Result<_, _>>()? }))
}

/// Make a key.
#[utoipa::path(
    post, path = "/api/v1/api-keys", tag = "api-keys", request_body = NewKey,
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 201, description = "Made; keep it, it is shown nowhere again", body = MadeKey),
        (status = 400, description = "Not like this", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn make(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Body(NewKey { name, acts, sites, days }): Body<NewKey>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let wanted = Wanted { name, acts, sites: Sites::of(sites), days };
    let (key, row) = api_keys::make(&api.store, &person.username, when::now(), wanted, rand::random()).await?;
    Ok((StatusCode::CREATED, Json(MadeKey { secret: key.as_str().to_owned(), key: shown(row)? })))
}

/// Revoke a key. It opens nothing from the next request on.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", tag = "api-keys",
    params(
        ("id" = String, Path, description = "The key's id"),
        ("X-Hilum-Csrf" = String, Header, description = "The session's csrf"),
    ),
    responses(
        (status = 204, description = "Revoked"),
        (status = 404, description = "None of this name is in force", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn revoke(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    api_keys::revoke(&api.store, &person.username, when::now(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(row: KeyRow) -> Result<Key, StoreError> {
    Ok(Key {
        id: row.id,
        name: row.name,
        acts: row.acts,
        sites: row.sites.names().cloned(),
        made_by: row.made_by,
        made_at: view::instant(row.made_at)?,
        expires_at: view::instant(row.expires_at)?,
        last_used_at: row.last_used_at.map(view::instant).transpose()?,
        revoked_at: row.revoked_at.map(view::instant).transpose()?,
    })
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unknown(_) => Self::not_found("No key of this name is in force."),
            KeyError::Store(error) => error.into(),
            error => Self::bad_request(format!("{error}.")),
        }
    }
}
