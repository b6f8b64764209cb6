//! Taking a reviewer's verdict.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use serde::Deserialize;
use uuid::Uuid;

use super::Api;
use super::extract::{Body, Path};
use super::guard::Person;
use super::problem::Problem;
use super::results::no_result;
use super::view::{self, Verdict};
use crate::domain::audit::{Action, Statement};
use crate::domain::review::{self, Opinion};
use crate::domain::when;
use crate::store::verdicts::{Given, VerdictRow};
use crate::store::{audit, commit, verdicts};

/// A verdict to be given.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVerdict {
    /// Whether the finding is right.
    verdict: Opinion,
    /// At most 2,000 characters.
    note: Option<String>,
}

/// Agree or disagree with a finding. Verdicts are never changed; the latest counts.
#[utoipa::path(
    post, path = "/api/v1/results/{id}/verdicts", tag = "verdicts", request_body = NewVerdict,
    params(
        ("id" = Uuid, Path),
        ("X-Hilum-Csrf" = String, Header, description = "The session's csrf"),
        ("If-Match" = Option<String>, Header, description = "The result's verdict_etag"),
    ),
    responses(
        (status = 201, description = "It counts", body = Verdict),
        (status = 403, description = "Not a reviewer", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such result", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "Another verdict came in between", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn give(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Body(given): Body<NewVerdict>,
) -> Result<(StatusCode, Json<Verdict>), Problem> {
    let note = given.note.filter(|note| !note.trim().is_empty());
    note.as_deref().map_or(Ok(()), review::check_note).map_err(Problem::bad_request)?;
    let expected = expected(&headers)?;
    let now = when::now();
    let row = VerdictRow {
        id: Uuid::now_v7().to_string(),
        result: id.to_string(),
        reviewer: person.username,
        verdict: given.verdict.as_str().to_owned(),
        note,
        given_at: now,
    };
    let mut work = api.store.begin().await?;
    match verdicts::give(&mut work, &person.sites, &row, expected).await? {
        Given::Stored => {}
        Given::NoResult => return Err(no_result()),
        Given::Overtaken => return Err(Problem::overtaken()),
    }
    let statement = Statement {
        at: now,
        actor: row.reviewer.clone(),
        action: Action::VerdictGiven,
        subject: row.result.clone(),
        // The note may name what only the verdict's own page should show.
        detail: format!("{}{}", row.verdict, if row.note.is_some() { ", with a note" } else { "" }),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await?;
    Ok((StatusCode::CREATED, Json(view::verdict(&row)?)))
}

/// The number of verdicts that the reviewer saw, if her page says so.
fn expected(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let tag = tag.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return Ok(None);
    }
    // A tag of another result or release matches nothing.
    Ok(Some(tag.trim_matches('"').parse().unwrap_or(-1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_tag_matches_nothing() {
        for (tag, number) in [("\"3\"", Some(3)), ("3", Some(3)), ("*", None), ("\"x\"", Some(-1))] {
            let headers = HeaderMap::from_iter([(header::IF_MATCH, tag.parse().unwrap())]);
            assert_eq!(expected(&headers).unwrap(), number, "{tag}");
        }
        assert_eq!(expected(&HeaderMap::new()).unwrap(), None);
    }
}
