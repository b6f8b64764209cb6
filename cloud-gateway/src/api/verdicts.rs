//! Taking a reviewer's verdict, and her word that she takes it back.

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
use super::view::verdicts::{self as view, Codes, Given, Standing};
use crate::auth::roles::Act;
use crate::domain::audit::{Action, Statement};
use crate::domain::review::codes::{self, FINDINGS, REASONS};
use crate::domain::review::region::Region;
use crate::domain::review::second_reading::{self, Reading};
use crate::domain::review::{self, Opinion};
use crate::domain::when::{self, UnixMs};
use crate::live::{Event, Kind};
use crate::store::verdicts::{self, Terms, VerdictRow, Withdrawn};
use crate::store::{Work, audit, commit, results};

/// A verdict to be given.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVerdict {
    /// What the reviewer makes of the model's answer.
    verdict: Opinion,
    /// What she sees on the film: a code of `/api/v1/verdict-codes` that goes with the verdict.
    finding: Option<String>,
    /// Why: a code of `/api/v1/verdict-codes` that goes with the verdict.
    reason: Option<String>,
    /// At most 2,000 characters.
    note: Option<String>,
    /// What she drew on the film, in columns and rows of the stored image.
    region: Option<Region>,
}

/// Say what you make of a finding. Verdicts are never changed; the latest that was not withdrawn counts.
#[utoipa::path(
    post, path = "/api/v1/results/{id}/verdicts", tag = "verdicts", request_body = NewVerdict,
    params(
        ("id" = Uuid, Path),
        ("X-Hilum-Csrf" = String, Header, description = "The session's csrf"),
        ("If-Match" = Option<String>, Header, description = "The result's verdict_etag"),
    ),
    responses(
        (status = 201, description = "It counts", body = Given),
        (status = 400, description = "A code, the note or the region makes no sense", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a reviewer", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such result", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Two others read it, and it is not yours to decide", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "Another verdict came in between", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn give(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Body(given): Body<NewVerdict>,
) -> Result<(StatusCode, Json<Given>), Problem> {
    given.check().map_err(Problem::bad_request)?;
    on_its_image(&api, &person, id, given.region.as_ref()).await?;
    let expected = expected(&headers)?;
    let mut row = given.into_row(id, &person, when::now())?;
    let mut work = api.store.begin().await?;
    let terms = Terms {
        expected,
        lead: person.may(Act::Adjudicate),
        sampled: second_reading::is_sampled(id, api.second_read_share),
    };
    let (revision, taken) = match verdicts::give(&mut work, &person.sites, &row, terms).await? {
        verdicts::Given::Stored { revision, taken } => (revision, taken),
        verdicts::Given::NoResult => return Err(no_result()),
        verdicts::Given::Overtaken => return Err(Problem::overtaken()),
        verdicts::Given::Refused(refused) => return Err(Problem::conflict(refused.to_string())),
    };
    taken.reading.as_str().clone_into(&mut row.reading);
    audit::append(&mut work, &said(&row)).await?;
    done(&api, work, id, &row.reviewer).await?;
    let verdict = view::verdict(&row, &person.reader(), taken.state)?;
    let given = Given { verdict, second_reading: taken.state, verdict_etag: view::etag(revision) };
    Ok((StatusCode::CREATED, Json(given)))
}

/// Take a verdict of yours back, within the session that you gave it in. It stays on record as withdrawn.
#[utoipa::path(
    post, path = "/api/v1/results/{id}/verdicts/{verdict}/withdrawal", tag = "verdicts",
    params(
        ("id" = Uuid, Path), ("verdict" = Uuid, Path),
        ("X-Hilum-Csrf" = String, Header, description = "The session's csrf"),
    ),
    responses(
        (status = 200, description = "It counts no more", body = Standing),
        (status = 403, description = "Somebody else's, or of another session", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such verdict on this result", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Withdrawn before, or held against another reader's", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn withdraw(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path((id, verdict)): Path<(Uuid, Uuid)>,
) -> Result<Json<Standing>, Problem> {
    api.store.result(&person.sites, id).await?.ok_or_else(no_result)?;
    let (result, verdict, now) = (id.to_string(), verdict.to_string(), when::now());
    let session = person.signed_in()?.token.hash();
    let mut work = api.store.begin().await?;
    let by = (person.username.as_str(), session.as_str());
    let (standing, revision) = match verdicts::withdraw(&mut work, &verdict, &result, by, now).await? {
        Withdrawn::Done { standing, revision } => (standing, revision),
        refused => return Err(not_withdrawn(&refused)),
    };
    let action = Action::VerdictWithdrawn;
    let statement = Statement { at: now, actor: person.username, action, subject: result, detail: verdict };
    audit::append(&mut work, &statement).await?;
    done(&api, work, id, &statement.actor).await?;
    let verdict = standing.as_deref().map(view::opinion).transpose()?;
    Ok(Json(Standing { verdict, verdict_etag: view::etag(revision) }))
}

/// What a verdict's finding and reason may be.
#[utoipa::path(
    get, path = "/api/v1/verdict-codes", tag = "verdicts",
    responses((status = 200, description = "Two lists, in the order in which they are offered", body = Codes))
)]
pub async fn codes() -> Json<Codes> {
    Json(Codes { findings: FINDINGS.to_vec(), reasons: REASONS.to_vec() })
}

impl NewVerdict {
    fn check(&self) -> Result<(), String> {
        let code = |name, list, code: &Option<String>| {
            code.as_deref().map_or(Ok(()), |code| codes::check(name, list, code, self.verdict))
        };
        code("finding", &FINDINGS, &self.finding)?;
        code("reason", &REASONS, &self.reason)?;
        self.note.as_deref().map_or(Ok(()), review::check_note)
    }

    fn into_row(self, result: Uuid, person: &Person, now: UnixMs) -> Result<VerdictRow, Problem> {
        let region = self.region.map(|region| serde_json::to_string(&region)).transpose();
        Ok(VerdictRow {
            id: Uuid::now_v7().to_string(),
            result: result.to_string(),
            reviewer: person.username.clone(),
            verdict: self.verdict.as_str().to_owned(),
            finding: self.finding,
            reason: self.reason,
            note: self.note.filter(|note| !note.trim().is_empty()),
            region: region.map_err(|_| Problem::internal())?,
            reading: Reading::First.as_str().to_owned(),
            given_in: Some(person.signed_in()?.token.hash()),
            given_at: now,
            withdrawn_at: None,
        })
    }
}

/// A region lies on the result's image, which therefore must be there.
async fn on_its_image(api: &Api, person: &Person, id: Uuid, region: Option<&Region>) -> Result<(), Problem> {
    let Some(region) = region else { return Ok(()) };
    let none = || Problem::bad_request("There is no image that a region could lie on; leave the region out.");
    let image = api.store.image(&person.sites, id).await?;
    let Some(image) = image else {
        api.store.result(&person.sites, id).await?.ok_or_else(no_result)?;
        return Err(none());
    };
    region.check(image.image_columns, image.image_rows).map_err(Problem::bad_request)
}

/// What the audit trail says of a verdict: which reading it was and a digest that only the verdict itself fits, which may be read
/// on its own page. A second reader finds nothing of the first's here.
fn said(row: &VerdictRow) -> Statement {
    let parts = [("a finding", row.finding.is_some()), ("a reason", row.reason.is_some())];
    let more = [("a note", row.note.is_some()), ("a region", row.region.is_some())];
    let with: Vec<&str> = parts.into_iter().chain(more).filter(|(_, there)| *there).map(|(name, _)| name).collect();
    let with = if with.is_empty() { String::new() } else { format!(", with {}", with.join(", ")) };
    Statement {
        at: row.given_at,
        actor: row.reviewer.clone(),
        action: Action::VerdictGiven,
        subject: row.result.clone(),
        detail: format!("{} reading{with}; SHA-256 {}", row.reading, row.digest()),
    }
}

/// Commits, and tells who has the result open.
async fn done(api: &Api, mut work: Work, result: Uuid, by: &str) -> Result<(), Problem> {
    let site = results::site(&mut work, result).await?.ok_or_else(no_result)?;
    commit(work).await?;
    api.live.announce(Event::new(Kind::Verdict, result.to_string(), site).by(by));
    Ok(())
}

fn not_withdrawn(refused: &Withdrawn) -> Problem {
    match refused {
        Withdrawn::NotHers => {
            Problem::not_hers("A verdict is withdrawn by who gave it, in the same session; give another one instead.")
        }
        Withdrawn::Compared => {
            Problem::conflict("This verdict was held against another reader's, and can no longer be taken back.")
        }
        Withdrawn::Already => Problem::conflict("This verdict was withdrawn before."),
        Withdrawn::NoVerdict | Withdrawn::Done { .. } => {
            Problem::not_found("There is no such verdict on this result; it may have been mistyped.")
        }
    }
}

/// The number of verdicts and withdrawals that the reviewer saw, if her page says so.
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
