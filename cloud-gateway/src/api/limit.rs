//! Turns away who asks the API too often, and tells everybody where he stands in the headers of
//! draft-ietf-httpapi-ratelimit-headers-10. Pages, `/health` and `/metrics` are not counted.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use metrics::{counter, describe_counter};

use super::address::Origin;
use super::problem::Problem;
use super::{Api, MAX_BODY_BYTES};
use crate::domain::when;
use crate::replicas::window::{Limit, Standing, WINDOW_MS, sender};

/// Says what this room measures, once a recorder is there.
pub fn describe_metrics() {
    describe_counter!("http_requests_limited_total", "Requests turned away because their address sent too many");
}

/// Stands before everything that is served, and leaves each request with its [`Origin`].
pub async fn limit(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let Some(origin) = Origin::of(request.extensions(), request.headers(), &api.trusted_proxies) else {
        return Problem::internal().into_response();
    };
    request.extensions_mut().insert(origin);
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let Some((limit, standing)) = api.replicas.admit(sender(origin.address), when::now()).await else {
        return next.run(request).await;
    };
    let mut response = if standing.admitted {
        next.run(request).await
    } else {
        counter!("http_requests_limited_total").increment(1);
        // Read what was sent with it, as the guard does.
        let _ = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await;
        Problem::too_many(standing.wait_ms).into_response()
    };
    tell(&mut response, limit, standing);
    response
}

/// Structured fields: one policy, its quota and window, and what is left of it for how many seconds.
fn tell(response: &mut Response, limit: Limit, standing: Standing) {
    let policy = format!("\"address\";q={};w={}", limit.requests(), WINDOW_MS / 1_000);
    let left = format!("\"address\";r={};t={}", standing.remaining, seconds(standing.wait_ms));
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// Rounded up: who waits as long as he is told must not be turned away again.
fn seconds(ms: i64) -> i64 {
    (ms + 999) / 1_000
}
