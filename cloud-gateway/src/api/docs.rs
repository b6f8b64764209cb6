//! The API's description, for machines and for people.

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa_swagger_ui::SwaggerUi;

use super::guard::COOKIE;

/// Where people read it.
pub const PATH: &str = "/api/docs";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hilum gateway",
        description = "Results of chest radiographs that devices have read, for review. Log in with POST /api/v1/session; \
                       the cookie does the rest. Requests that change something carry the session's `csrf` in the \
                       header X-Hilum-Csrf. Errors are RFC 9457 problem details. Not a cleared medical device.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(("session" = [])),
    components(schemas(super::events::Change<'static>))
)]
struct Preface;

/// The document before its routes.
#[must_use]
pub fn preface() -> utoipa::openapi::OpenApi {
    let mut document = Preface::openapi();
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE)));
    document.components.get_or_insert_default().add_security_scheme("session", cookie);
    document
}

/// Says of each route what the limit says of each.
fn with_limit(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for path in document.paths.paths.values_mut() {
        let methods = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch];
        for operation in methods.into_iter().flatten() {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            let refusal = ResponseBuilder::new()
                .description("Too many requests from this address; Retry-After says when to try again")
                .content("application/problem+json", problem);
            operation.responses.responses.entry("429".to_owned()).or_insert_with(|| refusal.build().into());
        }
    }
    document
}

/// `/api/v1/openapi.json` and `/api/docs`.
pub fn router<S: Clone + Send + Sync + 'static>(document: utoipa::openapi::OpenApi) -> Router<S> {
    let document = with_limit(document);
    SwaggerUi::new(PATH).url("/api/v1/openapi.json", document).into()
}
