//! FHIR R4, to be read: the report, the observations and the study of a result.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use uuid::Uuid;

use super::Api;
use super::extract::Path;
use super::guard::Person;
use super::problem::Problem;
use super::results::no_result;
use super::view::fhir;
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::store::results::ResultRow;
use crate::store::verdicts::VerdictRow;

/// FHIR's own media type.
pub const MEDIA_TYPE: &str = "application/fhir+json";

/// A result's `DiagnosticReport`.
#[utoipa::path(
    get, path = "/fhir/R4/DiagnosticReport/{id}", tag = "fhir", params(("id" = Uuid, Path, description = "The result")),
    responses(
        (status = 200, description = "FHIR R4 DiagnosticReport", body = Value, content_type = "application/fhir+json"),
        (status = 404, description = "No such result", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn diagnostic_report(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let row = opened(&api, &person, id).await?;
    let verdicts = shown(&api, &person, &row, id).await?;
    let standing: Vec<&VerdictRow> = verdicts.iter().filter(|one| one.withdrawn_at.is_none()).collect();
    Ok(resource(&fhir::report(&row, &standing)?))
}

/// What the model said of a result (the result's id), or what a reviewer did (the verdict's id).
#[utoipa::path(
    get, path = "/fhir/R4/Observation/{id}", tag = "fhir",
    params(("id" = Uuid, Path, description = "The result, or a verdict on one")),
    responses(
        (status = 200, description = "FHIR R4 Observation", body = Value, content_type = "application/fhir+json"),
        (status = 404, description = "Neither of them", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn observation(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let Some(result) = api.store.result_of_verdict(&person.sites, id).await? else {
        return Ok(resource(&fhir::model_observation(&opened(&api, &person, id).await?)?));
    };
    let result: Uuid = result.parse().map_err(|_| Problem::internal())?;
    let row = opened(&api, &person, result).await?;
    let verdicts = shown(&api, &person, &row, result).await?;
    let verdict = verdicts.iter().find(|one| one.id == id.to_string()).ok_or_else(no_result)?;
    Ok(resource(&fhir::verdict_observation(&row.decoded()?.patient.0, verdict)?))
}

/// A result's `ImagingStudy`.
#[utoipa::path(
    get, path = "/fhir/R4/ImagingStudy/{id}", tag = "fhir", params(("id" = Uuid, Path, description = "The result")),
    responses(
        (status = 200, description = "FHIR R4 ImagingStudy", body = Value, content_type = "application/fhir+json"),
        (status = 404, description = "No such result", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn imaging_study(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    Ok(resource(&fhir::study(&opened(&api, &person, id).await?)?))
}

/// A result that somebody looks at, which is written down first.
async fn opened(api: &Api, person: &Person, id: Uuid) -> Result<ResultRow, Problem> {
    let row = api.store.result(&person.sites, id).await?.ok_or_else(no_result)?;
    let (at, actor, subject) = (when::now(), person.username.clone(), row.id.clone());
    let statement = Statement { at, actor, action: Action::ResultViewed, subject, detail: "as FHIR".to_owned() };
    api.store.audit(&statement).await?;
    Ok(row)
}

/// The verdicts that this person may see.
async fn shown(api: &Api, person: &Person, row: &ResultRow, id: Uuid) -> Result<Vec<VerdictRow>, Problem> {
    let reader = person.reader();
    let mut verdicts = api.store.verdicts(&person.sites, id).await?;
    verdicts.retain(|one| !reader.is_blind_to(row) || one.reviewer == person.username);
    Ok(verdicts)
}

fn resource(resource: &Value) -> Response {
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], resource.to_string()).into_response()
}
