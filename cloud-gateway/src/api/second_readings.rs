//! Asking for a second reading, and how far readers agree.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use uuid::Uuid;

use super::Api;
use super::extract::Path;
use super::guard::Person;
use super::problem::Problem;
use super::results::no_result;
use super::view::verdicts::SecondReading;
use crate::domain::audit::{Action, Statement};
use crate::domain::review::Opinion;
use crate::domain::review::agreement::{self, Coefficient, KINDS};
use crate::domain::when;
use crate::store::agreement::TwiceRow;
use crate::store::{StoreError, audit, commit, verdicts};

/// Latest results that agreement is measured on: enough for an interval of a few hundredths, and read in a blink.
const FILMS: i64 = 2_000;

/// The bootstrap's seed: any number, so that the same films give the same interval each time they are looked at.
const SEED: u64 = 7;

/// Two readers who read some of the same films.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Pair {
    /// The one.
    first: String,
    /// The other.
    second: String,
    /// Cohen's kappa; null where both only ever said the same one thing.
    kappa: Option<Coefficient>,
    /// How many films both read.
    films: u32,
}

/// How far readers agree.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Agreement {
    /// Krippendorff's alpha over all of them; null where it is not defined.
    alpha: Option<Coefficient>,
    /// Every two.
    pairs: Vec<Pair>,
    /// How many films were read twice, of the latest 2,000.
    films: usize,
}

/// Ask for a second reading of a result. Asking again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/results/{id}/second-reading", tag = "verdicts",
    params(("id" = Uuid, Path), ("X-Hilum-Csrf" = String, Header, description = "The session's csrf")),
    responses(
        (status = 200, description = "How far it is", body = SecondReading),
        (status = 404, description = "No such result", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn ask(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<Json<SecondReading>, Problem> {
    let result = id.to_string();
    let mut work = api.store.begin().await?;
    let asked = verdicts::request_second(&mut work, &person.sites, &result).await?;
    let (state, new) = asked.ok_or_else(no_result)?;
    if new {
        let (at, actor) = (when::now(), person.username);
        let action = Action::SecondReadingAsked;
        let statement = Statement { at, actor, action, subject: result, detail: String::new() };
        audit::append(&mut work, &statement).await?;
        commit(work).await?;
    }
    Ok(Json(SecondReading { second_reading: Some(state) }))
}

/// How far readers agree on the films that two of them read, the second without sight of the first's verdict.
#[utoipa::path(
    get, path = "/api/v1/agreement", tag = "verdicts",
    responses((status = 200, description = "Of your sites", body = Agreement))
)]
pub async fn agreement(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
) -> Result<Json<Agreement>, Problem> {
    let rows = api.store.read_twice(&person.sites, FILMS).await?;
    let measured = tokio::task::spawn_blocking(move || measure(&rows)).await.map_err(|_| Problem::internal())??;
    Ok(Json(measured))
}

fn measure(rows: &[TwiceRow]) -> Result<Agreement, StoreError> {
    let kind = |name: &str| {
        let known = Opinion::ALL.iter().position(|opinion| opinion.as_str() == name);
        known.ok_or(StoreError::Content { what: "verdict" })
    };
    let mut films = Vec::with_capacity(rows.len());
    for row in rows {
        films.push([(row.first_reader.as_str(), kind(&row.first)?), (row.second_reader.as_str(), kind(&row.second)?)]);
    }
    let counts = films.iter().map(|film| {
        let mut count = [0; KINDS];
        film.iter().for_each(|(_, kind)| count[*kind] += 1);
        count
    });
    let pairs = agreement::pairs(&films).into_iter().map(|((first, second), table)| Pair {
        first: first.to_owned(),
        second: second.to_owned(),
        kappa: agreement::cohen(&table),
        films: table.iter().flatten().sum(),
    });
    let alpha = agreement::krippendorff(&counts.collect::<Vec<_>>(), SEED);
    Ok(Agreement { alpha, pairs: pairs.collect(), films: films.len() })
}
