//! The quality page: numbers about the model with their intervals, and the studies behind each.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::extract::Query;
use super::guard::Person;
use super::problem::Problem;
use super::view::{self, ResultSummary};
use super::{Api, cursor};
use crate::domain::when::{self, UnixMs};
use crate::survey::accuracy::Accuracy;
use crate::survey::drift::Drifts;
use crate::survey::fairness::Fairness;
use crate::survey::flow::Flow;
use crate::survey::{self, Behind, Scope};

/// A day in milliseconds.
const DAY_MS: UnixMs = 86_400_000;

/// Longest period: a year with its leap day. Longer ones would mix models that nobody remembers.
const LONGEST_MS: UnixMs = 366 * DAY_MS;

/// Where no beginning is asked for: four weeks of judged readings; a week where now is held against before.
const FOUR_WEEKS: UnixMs = 28 * DAY_MS;
const WEEK: UnixMs = 7 * DAY_MS;

/// Whose readings.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Received then or later; RFC 3339. Seven days before `to` for drift, else 28, if not given.
    from: Option<String>,
    /// Received before; RFC 3339. Now, if not given; at most 366 days after `from`.
    to: Option<String>,
    /// By this device only.
    device: Option<String>,
    /// By this model only, `id@version`.
    model: Option<String>,
    /// At this site only.
    site: Option<String>,
}

impl Wanted {
    fn scope(self, person: Person, back: UnixMs) -> Result<Scope, Problem> {
        let time = |text: Option<String>, name| {
            let read = |text: String| when::from_rfc3339(&text).ok_or_else(|| no_time(name));
            text.map(read).transpose()
        };
        // What was received in this very millisecond is in it.
        let to = time(self.to, "to")?.unwrap_or_else(|| when::now() + 1);
        let from = time(self.from, "from")?.unwrap_or(to - back);
        if from >= to || to - from > LONGEST_MS {
            return Err(Problem::bad_request("from must be before to, by 366 days at most."));
        }
        let Self { device, model, site, .. } = self;
        check([&device, &model, &site])?;
        Ok(Scope { sites: person.sites, from, to, device, model, site })
    }
}

fn no_time(name: &str) -> Problem {
    Problem::bad_request(format!("{name} must be an RFC 3339 time, such as 2026-01-02T03:04:05Z."))
}

/// PostgreSQL knows no NUL in a text, and nothing here has one in its name.
fn check<'a>(texts: impl IntoIterator<Item = &'a Option<String>>) -> Result<(), Problem> {
    let sound = texts.into_iter().flatten().all(|text| !text.contains('\0'));
    if sound { Ok(()) } else { Err(Problem::bad_request("A name holds a character that no name has.")) }
}

/// Compare each device's scores and images with its first weeks with the model.
#[utoipa::path(
    get, path = "/api/v1/quality/drift", tag = "quality", params(Wanted),
    responses(
        (status = 200, description = "Each device and model", body = Drifts),
        (status = 400, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn drift(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Drifts>, Problem> {
    Ok(Json(survey::drift::survey(&api.store, &wanted.scope(person, WEEK)?).await?))
}

/// Hold the model against the reviewers' verdicts: confusion, ROC, calibration.
#[utoipa::path(
    get, path = "/api/v1/quality/accuracy", tag = "quality", params(Wanted),
    responses(
        (status = 200, description = "The numbers", body = Accuracy),
        (status = 400, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn accuracy(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Accuracy>, Problem> {
    Ok(Json(survey::accuracy::survey(&api.store, wanted.scope(person, FOUR_WEEKS)?).await?))
}

/// Compare groups of patients, sites and devices.
#[utoipa::path(
    get, path = "/api/v1/quality/fairness", tag = "quality", params(Wanted),
    responses(
        (status = 200, description = "Each group", body = Fairness),
        (status = 400, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn fairness(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Fairness>, Problem> {
    Ok(Json(survey::fairness::survey(&api.store, &wanted.scope(person, FOUR_WEEKS)?).await?))
}

/// Tell how long results take and how many images become one.
#[utoipa::path(
    get, path = "/api/v1/quality/flow", tag = "quality", params(Wanted),
    responses(
        (status = 200, description = "The numbers", body = Flow),
        (status = 400, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn flow(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Flow>, Problem> {
    Ok(Json(survey::flow::survey(&api.store, &wanted.scope(person, FOUR_WEEKS)?).await?))
}

/// The studies behind a number.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Studies {
    /// The newest received first.
    items: Vec<ResultSummary>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// List the studies behind a number.
#[utoipa::path(
    get, path = "/api/v1/quality/studies", tag = "quality", params(Behind),
    responses(
        (status = 200, description = "A page", body = Studies),
        (status = 400, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn studies(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(behind): Query<Behind>,
) -> Result<Json<Studies>, Problem> {
    let limit = cursor::limit(behind.limit)?;
    let after = behind.cursor.as_deref().map(cursor::study).transpose()?;
    let which = behind.which().map_err(no_time)?;
    check([&which.device, &which.model, &which.site, &which.outcome, &which.reason, &which.verdict, &which.sex])?;
    check([&which.age_band, &which.view])?;
    // One more than asked for tells whether there is a next page.
    let mut rows = api.store.studies_behind(&person.sites, &which, after, limit + 1).await?;
    let whole = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > whole;
    rows.truncate(whole);
    let next_cursor = rows.last().filter(|_| more).map(|row| cursor::after_study(row.received_at, &row.id));
    let reader = person.reader();
    let items = rows.iter().map(|row| view::summary(row, &reader)).collect::<Result<_, _>>()?;
    Ok(Json(Studies { items, next_cursor }))
}
