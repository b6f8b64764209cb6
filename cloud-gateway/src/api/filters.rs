//! The filters that whoever is signed in keeps, and how long her sites' results wait.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Api;
use super::extract::{Body, Path};
use super::guard::Person;
use super::problem::Problem;
use super::results::Wanted;
use crate::domain::audit::{Action, Statement};
use crate::domain::{result, turnaround, when};
use crate::store::filters::{self, FilterRow};
use crate::store::{audit, commit};

/// Filters that one account keeps at most: more than fit on a page's menu.
const MOST: i64 = 30;

/// Longest name, in characters: a menu's line.
const MAX_NAME: usize = 60;

/// Longest query: every parameter with its longest value, escaped, takes less.
const MAX_QUERY: usize = 600;

/// A filter to be kept.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFilter {
    /// What to call it, 1 to 60 characters; one of the same name is replaced.
    name: String,
    /// Parameters of `/api/v1/results` but for `limit` and `cursor`, as in an address.
    #[schema(example = "finding=positive&sort=age")]
    query: String,
}

/// A kept filter.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SavedFilter {
    /// Its name in the API.
    id: String,
    /// What its owner calls it.
    name: String,
    /// As in an address.
    query: String,
}

/// Kept filters.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SavedFilters {
    /// By name.
    items: Vec<SavedFilter>,
}

/// How long one site's results waited.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Turnaround {
    /// The site.
    site: String,
    /// Median time from the image's receipt to the first verdict that stands, of the latest reviews; null without any.
    median_ms: Option<i64>,
    /// How many reviews that is of, at most 200.
    reviews: usize,
}

/// How long results waited.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Turnarounds {
    /// One for each site.
    items: Vec<Turnaround>,
}

/// List the filters that you keep.
#[utoipa::path(
    get, path = "/api/v1/filters", tag = "results",
    responses((status = 200, description = "Yours alone", body = SavedFilters))
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
) -> Result<Json<SavedFilters>, Problem> {
    let rows = api.store.filters(&person.username).await?;
    let shown = |FilterRow { id, name, query, .. }| SavedFilter { id, name, query };
    Ok(Json(SavedFilters { items: rows.into_iter().map(shown).collect() }))
}

/// Keep a filter, or change the one of this name.
#[utoipa::path(
    post, path = "/api/v1/filters", tag = "results", request_body = NewFilter,
    params(("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 200, description = "Kept", body = SavedFilter),
        (status = 400, description = "It is no filter of the work list", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "You keep 30 already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn save(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Body(wanted): Body<NewFilter>,
) -> Result<Json<SavedFilter>, Problem> {
    wanted.check()?;
    let (id, now) = (Uuid::now_v7().to_string(), when::now());
    let NewFilter { name, query } = wanted;
    let row = FilterRow { id, username: person.username, name: name.trim().to_owned(), query, saved_at: now };
    let mut work = api.store.begin().await?;
    let Some(id) = filters::save(&mut work, &row, MOST).await? else {
        return Err(Problem::conflict(format!("You keep {MOST} filters already; remove one first.")));
    };
    audit::append(&mut work, &said(now, row.username, Action::FilterSaved, &id)).await?;
    commit(work).await?;
    Ok(Json(SavedFilter { id, name: row.name, query: row.query }))
}

/// Forget a filter.
#[utoipa::path(
    delete, path = "/api/v1/filters/{filter}", tag = "results",
    params(("filter" = Uuid, Path), ("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 204, description = "Forgotten"),
        (status = 404, description = "You keep no such filter", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn remove(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let id = id.to_string();
    let mut work = api.store.begin().await?;
    if !filters::remove(&mut work, &person.username, &id).await? {
        return Err(Problem::not_found("You keep no such filter."));
    }
    audit::append(&mut work, &said(when::now(), person.username, Action::FilterRemoved, &id)).await?;
    commit(work).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How long results wait for their first verdict, by site.
#[utoipa::path(
    get, path = "/api/v1/turnaround", tag = "results",
    responses((status = 200, description = "Each of your sites", body = Turnarounds))
)]
pub async fn turnaround(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
) -> Result<Json<Turnarounds>, Problem> {
    let sites = api.store.turnaround(&person.sites, turnaround::REVIEWS).await?;
    let shown = |(site, took): (String, Vec<i64>)| {
        let reviews = took.len();
        Turnaround { site, median_ms: turnaround::median_ms(took), reviews }
    };
    Ok(Json(Turnarounds { items: sites.into_iter().map(shown).collect() }))
}

impl NewFilter {
    fn check(&self) -> Result<(), Problem> {
        if self.name.trim().is_empty() {
            return Err(Problem::bad_request("name must not be empty."));
        }
        result::plain("name", &self.name, MAX_NAME).map_err(Problem::bad_request)?;
        result::plain("query", &self.query, MAX_QUERY).map_err(Problem::bad_request)?;
        let address: Result<Uri, _> = format!("/?{}", self.query).parse();
        let nonsense = || Problem::bad_request("query must be parameters of the work list.");
        Wanted::of_address(&address.map_err(|_| nonsense())?).ok_or_else(nonsense)
    }
}

/// The name is its owner's words and stays out of the trail.
fn said(at: when::UnixMs, actor: String, action: Action, id: &str) -> Statement {
    Statement { at, actor, action, subject: id.to_owned(), detail: String::new() }
}
