//! The work list and the study page.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::extract::{Path, Query};
use super::guard::Person;
use super::problem::Problem;
use super::view::{self, ResultDetail, ResultSummary};
use super::{Api, cursor};
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::store::results::{After, Filter, ResultRow};

/// Which part of the work list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Entries on this page, 1 to 200; 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only these.
    finding: Option<Finding>,
    /// Only those with, or without, a verdict.
    reviewed: Option<bool>,
    /// Only this device's.
    device: Option<String>,
}

/// A finding, or none.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// At or over the threshold.
    Positive,
    /// Under it.
    Negative,
    /// Not read.
    None,
}

/// A page of the work list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Page {
    /// Unreviewed positive findings first, the most probable on top; then the newest received first.
    items: Vec<ResultSummary>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
    /// How many there are on all pages.
    total: i64,
}

/// List results in the order in which they should be seen.
#[utoipa::path(
    get, path = "/api/v1/results", tag = "results", params(Wanted),
    responses(
        (status = 200, description = "A page", body = Page),
        (status = 400, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page>, Problem> {
    let limit = cursor::limit(wanted.limit)?;
    let after = wanted.cursor.as_deref().map(cursor::result).transpose()?;
    if wanted.device.as_ref().is_some_and(|device| device.contains('\0')) {
        return Err(Problem::bad_request("device must be a device's name."));
    }
    let finding = wanted.finding.map(|finding| finding.as_str().to_owned());
    let filter = Filter { finding, reviewed: wanted.reviewed, device: wanted.device };
    // One more than asked for tells whether there is a next page.
    let mut rows = api.store.results(&person.sites, &filter, after.as_ref(), limit + 1).await?;
    let whole = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > whole;
    rows.truncate(whole);
    let next_cursor = rows.last().filter(|_| more).map(|row| cursor::after_result(&after_row(row)));
    let items = rows.iter().map(view::summary).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next_cursor, total: api.store.count_results(&person.sites, &filter).await? }))
}

/// Show one result; this is written to the audit trail, and not shown if it can't be.
#[utoipa::path(
    get, path = "/api/v1/results/{id}", tag = "results", params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The result", body = ResultDetail),
        (status = 404, description = "No such result", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn one(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<Json<ResultDetail>, Problem> {
    let row = api.store.result(&person.sites, id).await?.ok_or_else(no_result)?;
    let image = api.store.image(&person.sites, id).await?;
    let verdicts = api.store.verdicts(&person.sites, id).await?;
    let shown = view::detail(&row, image.as_ref(), &verdicts, &person.reader())?;
    let statement = Statement {
        at: when::now(),
        actor: person.username,
        action: Action::ResultViewed,
        subject: row.id,
        detail: String::new(),
    };
    api.store.audit(&statement).await?;
    Ok(Json(shown))
}

/// 404 for a result.
#[must_use]
pub fn no_result() -> Problem {
    Problem::not_found("There is no result of this name at the sites that you may see; it may have been mistyped.")
}

fn after_row(row: &ResultRow) -> After {
    After { urgency: row.urgency, received_at: row.received_at, id: row.id.clone() }
}

impl Finding {
    fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::None => "none",
        }
    }
}
