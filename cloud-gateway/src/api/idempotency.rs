//! Lets a change be asked for twice and happen once (draft-ietf-httpapi-idempotency-key-header-07). Who lost the answer sends
//! the same again under the same `Idempotency-Key` and is answered the same; what fails on our side is not remembered, and
//! what nobody knows the end of is never done again.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::{Api, MAX_BODY_BYTES};
use crate::domain::when;
use crate::store::idempotency::{Answer, Claim, Key};

/// The header.
pub const HEADER: &str = "idempotency-key";

/// The changes that may be asked for twice. Their answers are kept for a day, so that one with a secret in it, such as a second
/// factor's or a token, is never here.
const REMEMBERED: [&str; 4] = [
    "/api/v1/results/{id}/verdicts",
    "/api/v1/results/{id}/verdicts/{verdict}/withdrawal",
    "/api/v1/filters",
    "/api/v1/filters/{filter}",
];

/// Whether changes on this route may be asked for twice.
#[must_use]
pub fn is_remembered(route: &str) -> bool {
    REMEMBERED.contains(&route)
}

/// Says that an answer was given before.
const REPLAYED: &str = "idempotent-replayed";

/// Longest key: any form of UUID with room, and no place to keep things in.
const MAX_KEY: usize = 128;

/// Largest answer that is kept: what changes something is answered with a page of text, never with a list.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Passes a request of this account on, once for each key. What may not be asked for twice is refused with a key, so that nobody
/// relies on it there.
pub async fn once(api: &Arc<Api>, route: &str, username: &str, request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).filter(|_| !request.method().is_safe());
    let Some(given) = given.cloned() else { return next.run(request).await };
    if !is_remembered(route) {
        let words = "This takes no Idempotency-Key: what it answers is told once and kept nowhere.";
        return Problem::bad_request(words).into_response();
    }
    match under(api, username, &given, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn under(
    api: &Arc<Api>,
    username: &str,
    given: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Problem::too_large(MAX_BODY_BYTES))?;
    let key_hash = hex::encode(Sha256::digest(read(given)?));
    let key = Key { username: username.to_owned(), key_hash };
    match api.store.claim_key(&key, &digest(&parts, &body), when::now()).await? {
        Claim::Taken => {}
        Claim::OtherRequest => return Err(Problem::other_request()),
        Claim::Unanswered => return Err(Problem::unanswered()),
        Claim::Answered(answer) => return Ok(replayed(answer)),
    }
    let (api, request) = (api.clone(), Request::from_parts(parts, Body::from(body)));
    // On a task of its own: who hangs up before the answer is the very one who will ask again.
    let work = tokio::spawn(async move { settle(&api, &key, next.run(request).await).await });
    work.await.map_err(|_| Problem::internal())?
}

/// Notes the answer, or gives the key back where the failure is ours: then it is to be tried again.
async fn settle(api: &Api, key: &Key, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_ANSWER_BYTES).await.map_err(|_| Problem::internal())?;
    if parts.status.is_server_error() {
        api.store.free_key(key).await?;
    } else {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let answer = Answer {
            status: parts.status.as_u16(),
            content_type: content_type.map(str::to_owned),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        // What was done is done and is answered so; whoever asks again is told that nobody knows.
        if let Err(error) = api.store.answer_key(key, &answer).await {
            tracing::warn!(error = vitals::exit::chain(&error), "an answer could not be kept for its idempotency key");
        }
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replayed(answer: Answer) -> Response {
    let status = axum::http::StatusCode::from_u16(answer.status).unwrap_or_default();
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if let Some(kind) = answer.content_type.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// A structured field's string (RFC 9651, section 3.3.3) without escapes, or the same without its quotes.
fn read(given: &HeaderValue) -> Result<&str, Problem> {
    let text = given.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    if (1..=MAX_KEY).contains(&bare.len()) && bare.chars().all(plain) {
        return Ok(bare);
    }
    Err(Problem::bad_request(format!(
        "Idempotency-Key must be 1 to {MAX_KEY} letters, digits or signs in quotes, such as a UUID."
    )))
}

fn digest(parts: &Parts, body: &Bytes) -> String {
    let sha = Sha256::new().chain_update(parts.method.as_str()).chain_update([0]);
    hex::encode(sha.chain_update(parts.uri.to_string()).chain_update([0]).chain_update(body).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_with_or_without_its_quotes_and_nothing_else_is_one() {
        for (text, key) in [
            ("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", Some("8e03978e-40d5-43dd-bc93-6894a57f9324")),
            ("abc", Some("abc")),
            (" \"abc\" ", Some("abc")),
            ("", None),
            ("\"\"", None),
            ("\"a b\"", None),
            ("\"a\\\"b\"", None),
            ("\"abc", None),
        ] {
            let value = HeaderValue::from_str(text).unwrap();
            assert_eq!(read(&value).ok(), key, "{text}");
        }
        let long = |length: usize| HeaderValue::from_str(&"k".repeat(length)).unwrap();
        assert!(read(&long(MAX_KEY)).is_ok() && read(&long(MAX_KEY + 1)).is_err());
    }
}
