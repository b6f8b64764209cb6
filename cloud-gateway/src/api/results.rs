//! The work list and the study page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::extract::{Path, Query};
use super::guard::Person;
use super::problem::Problem;
use super::view::{self, ResultDetail, ResultSummary};
use super::{Api, cursor};
use crate::domain::audit::{Action, Statement};
use crate::domain::review::Opinion;
use crate::domain::review::second_reading;
use crate::domain::when;
use crate::domain::work_list::{Order, Sort};
use crate::store::work_list::{COUNTED, Filter};

/// Which part of the work list, and in which order.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Entries on this page, 1 to 200; 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the page before, in the same order.
    cursor: Option<String>,
    /// Only these.
    finding: Option<Finding>,
    /// Only those with, or without, a verdict that stands.
    reviewed: Option<bool>,
    /// Only those whose latest verdict that stands says this.
    verdict: Option<Opinion>,
    /// Only this device's.
    device: Option<String>,
    /// Only this site's.
    site: Option<String>,
    /// Only what this model read, `ID@VERSION`.
    model: Option<String>,
    /// Only those whose second reading is this far; `awaiting` leaves out those that you read first.
    second_reading: Option<second_reading::State>,
    /// What comes first; by priority if not given.
    sort: Option<Sort>,
    /// The same order from its other end.
    reverse: Option<bool>,
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
    /// In the order that was asked for.
    items: Vec<ResultSummary>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
    /// How many there are on all pages, as far as they were counted.
    total: i64,
    /// False where there are more than `total`.
    total_is_exact: bool,
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
    let order = wanted.order();
    let after = wanted.cursor.as_deref().map(|cursor| cursor::result(order, cursor)).transpose()?;
    let filter = Filter { reader: person.reader().may_give.then(|| person.username.clone()), ..wanted.filter()? };
    // One more than asked for tells whether there is a next page.
    let mut rows = api.store.results(&person.sites, &filter, order, after.as_ref(), limit + 1).await?;
    let whole = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > whole;
    rows.truncate(whole);
    let last = rows.last().filter(|_| more);
    let next_cursor = last.map(|row| cursor::after_result(order, &row.place(order.sort)));
    let reader = person.reader();
    let items = rows.iter().map(|row| view::summary(row, &reader)).collect::<Result<_, _>>()?;
    let total = api.store.count_results(&person.sites, &filter).await?;
    Ok(Json(Page { items, next_cursor, total: total.min(COUNTED), total_is_exact: total <= COUNTED }))
}

impl Wanted {
    /// Checks parameters that were written down as in an address; nothing where they are none, or name a page.
    #[must_use]
    pub fn of_address(address: &Uri) -> Option<()> {
        let axum::extract::Query(wanted) = axum::extract::Query::<Self>::try_from_uri(address).ok()?;
        (wanted.limit.is_none() && wanted.cursor.is_none()).then_some(())?;
        wanted.filter().ok().map(drop)
    }

    fn order(&self) -> Order {
        Order { sort: self.sort.unwrap_or_default(), reverse: self.reverse.unwrap_or_default() }
    }

    fn filter(&self) -> Result<Filter, Problem> {
        for (name, text) in [("device", &self.device), ("site", &self.site), ("model", &self.model)] {
            if text.as_ref().is_some_and(|text| text.contains('\0')) {
                return Err(Problem::bad_request(format!("{name} must be a name.")));
            }
        }
        Ok(Filter {
            finding: self.finding.map(|finding| finding.as_str().to_owned()),
            reviewed: self.reviewed,
            verdict: self.verdict.map(|verdict| verdict.as_str().to_owned()),
            device: self.device.clone(),
            site: self.site.clone(),
            model: self.model.clone(),
            second_reading: self.second_reading.map(|state| state.as_str().to_owned()),
            reader: None,
        })
    }
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

impl Finding {
    fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::None => "none",
        }
    }
}
