//! A result's picture as bytes: samples, lookup table, evidence.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::Api;
use super::extract::Path;
use super::guard::Person;
use super::problem::Problem;
use crate::objects::Part;

/// Samples of the picture.
#[utoipa::path(
    get, path = "/api/v1/results/{id}/image", tag = "images", params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "Little-endian u16, row-major, rows × columns; value = sample + offset", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "No such result, or no picture yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn image(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    bytes(&api, &person, id, Part::Preview).await
}

/// Entries of the picture's VOI LUT.
#[utoipa::path(
    get, path = "/api/v1/results/{id}/voi-lut", tag = "images", params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "Little-endian u16", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "No picture, or its VOI is not a LUT", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn voi_lut(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    bytes(&api, &person, id, Part::VoiLut).await
}

/// The model's evidence.
#[utoipa::path(
    get, path = "/api/v1/results/{id}/saliency", tag = "images", params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "u8, row-major; 255 is the strongest evidence in this image", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "No picture, or the model did not read it", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn saliency(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    bytes(&api, &person, id, Part::Saliency).await
}

async fn bytes(api: &Arc<Api>, person: &Person, id: Uuid, part: Part) -> Result<Response, Problem> {
    let row = api.store.image(&person.sites, id).await?.ok_or_else(|| none(part))?;
    let objects = api.objects.clone();
    let read = tokio::task::spawn_blocking(move || objects.get(&row.object, part));
    let bytes = read.await.map_err(|_| Problem::internal())??.ok_or_else(|| none(part))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

fn none(part: Part) -> Problem {
    Problem::not_found(match part {
        Part::Preview => "This result has no picture yet; it may still be on its way from the device.",
        Part::Saliency => "There is no map of the evidence for this result.",
        Part::VoiLut => "This result's picture has no lookup table.",
    })
}
