//! What a service measures, in Prometheus' text format. It never holds a label value that comes from outside: paths are
//! the router's patterns, not what a client typed.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of every `*_seconds` histogram.
///
/// From 1 ms, under which nothing here is worth telling apart, to 10 s, over which everything is too slow; about three
/// to a decade, with the guides' objectives (0.2 s, 0.5 s, 2 s) among them.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Makes this process' recorder.
///
/// # Errors
/// Where a recorder is there already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    describe_counter!("http_requests_total", "HTTP requests answered, by method, path pattern and status");
    describe_histogram!(
        "http_request_duration_seconds",
        metrics::Unit::Seconds,
        "Time to answer an HTTP request, by method and path pattern"
    );
    Ok(handle)
}

/// Counts and times a request: `axum::middleware::from_fn(vitals::metrics::record_http)`.
pub async fn record_http(request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let path = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    histogram!("http_request_duration_seconds", "method" => method.clone(), "path" => path.clone())
        .record(began.elapsed().as_secs_f64());
    counter!("http_requests_total", "method" => method, "path" => path, "status" => status).increment(1);
    response
}
