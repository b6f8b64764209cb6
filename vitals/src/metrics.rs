//! What a service measures, in Prometheus' text format. It never holds a label value that comes from outside: paths are
//! the router's patterns and methods the standard's, not what a client typed.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
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
    let method = known(request.method());
    let path = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    histogram!("http_request_duration_seconds", "method" => method, "path" => path.clone())
        .record(began.elapsed().as_secs_f64());
    counter!("http_requests_total", "method" => method, "path" => path, "status" => status).increment(1);
    response
}

/// The methods of RFC 9110 9.3 and RFC 5789 by name. HTTP lets a client write any word, and a series for each would fill the
/// memory of this process and of whoever scrapes it.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;

    use super::*;

    #[test]
    fn the_standards_methods_are_named_and_no_others() {
        for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] {
            assert_eq!(known(&name.parse().unwrap()), name);
        }
        for odd in ["get", "BREW", "PROPFIND", "X1"] {
            assert_eq!(known(&odd.parse().unwrap()), "other", "{odd}");
        }
    }

    /// What a client writes, method and path, is in no label.
    #[tokio::test]
    async fn a_hostile_client_makes_no_series_of_its_own() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let _local = metrics::set_default_local_recorder(&recorder);
        let router = Router::new().route("/things/{id}", get(|| async { "ok" })).layer(from_fn(record_http));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = tokio::task::spawn_blocking(move || {
            for request in ["GET /things/4711", "BREW0815 /things/4712", "GET /nowhere/4713", "BREW /"] {
                let mut socket = std::net::TcpStream::connect(address).unwrap();
                write!(socket, "{request} HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
                socket.read_to_end(&mut Vec::new()).unwrap();
            }
        });
        let serving = axum::serve(listener, router).into_future();
        tokio::select! {
            ended = client => ended.unwrap(),
            ended = serving => panic!("it serves until it is dropped: {ended:?}"),
        }
        let told = handle.render();
        let series =
            |wanted: &str| told.lines().any(|line| line.starts_with("http_requests_total") && line.contains(wanted));
        assert!(series("method=\"GET\",path=\"/things/{id}\",status=\"200\"}"), "{told}");
        assert!(series("method=\"other\",path=\"/things/{id}\",status=\"405\"}"), "{told}");
        assert!(series("method=\"GET\",path=\"unmatched\",status=\"404\"}"), "{told}");
        for typed in ["471", "BREW", "nowhere"] {
            assert!(!told.contains(typed), "{typed}: {told}");
        }
    }
}
