//! The API's description, for machines and for people.

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, Required, ResponseBuilder};
use utoipa_swagger_ui::SwaggerUi;

use super::guard::COOKIE;
use super::idempotency;

/// Where people read it.
pub const PATH: &str = "/api/docs";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hilum gateway",
        description = "Results of chest radiographs that devices have read, for review. Log in with POST /api/v1/session; \
                       the cookie does the rest. Requests that change something carry the session's `csrf` in the \
                       header X-Hilum-Csrf. Programs send `Authorization: Bearer` with a key, and read. Errors are RFC 9457 problem details. Not a cleared medical device.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(("session" = []), ("key" = [])),
    components(schemas(super::events::Change<'static>))
)]
struct Preface;

/// The document before its routes.
#[must_use]
pub fn preface() -> utoipa::openapi::OpenApi {
    let mut document = Preface::openapi();
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE)));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("session", cookie);
    components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document
}

/// Says of each route what stands before each.
fn with_what_stands_before(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for (path, item) in &mut document.paths.paths {
        if let Some(operation) = &mut item.get {
            refuses(operation, "429", LIMITED);
            if path != "/api/v1/events" {
                let known = ResponseBuilder::new().description("What If-None-Match names is what there is").build();
                operation.responses.responses.entry("304".to_owned()).or_insert_with(|| known.into());
            }
        }
        let changes = [&mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in changes.into_iter().flatten() {
            refuses(operation, "429", LIMITED);
            refuses(operation, "413", "Larger than anything that is asked here");
            if idempotency::is_remembered(path) {
                refuses(
                    operation,
                    "409",
                    "The request with this Idempotency-Key is not answered yet, or does not fit what there is",
                );
                refuses(operation, "422", "This Idempotency-Key was sent with another request");
                operation.parameters.get_or_insert_default().push(key().into());
            }
        }
    }
    document
}

const LIMITED: &str = "Too many requests from this address; Retry-After says when to try again";

fn refuses(operation: &mut Operation, status: &str, words: &str) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let refusal = ResponseBuilder::new().description(words).content("application/problem+json", problem);
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| refusal.build().into());
}

/// The header with which a change is asked for twice and happens once.
fn key() -> Parameter {
    let words = "A string in quotes, such as a UUID. For a day the same request with it is answered the same (with \
                 Idempotent-Replayed) and does nothing again";
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(words))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// `/api/v1/openapi.json` and `/api/docs`.
pub fn router<S: Clone + Send + Sync + 'static>(document: utoipa::openapi::OpenApi) -> Router<S> {
    let document = with_what_stands_before(document);
    SwaggerUi::new(PATH).url("/api/v1/openapi.json", document).into()
}
