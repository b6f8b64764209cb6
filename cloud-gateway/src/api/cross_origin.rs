//! Lets pages of named other origins ask the API (CORS, the Fetch standard section 3.2). Nobody is named by default, and
//! every origin together never can be: the answers are for signed-in people.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::guard::{CSRF_HEADER, UNATTENDED_HEADER};
use super::idempotency;

/// How long a browser need not ask again whether it may ask; more than this Chromium takes for this.
const REMEMBERED: Duration = Duration::from_secs(2 * 60 * 60);

/// For these origins; an origin that no header can hold is left out, and the configuration has refused it before.
pub fn layer(origins: &[String]) -> CorsLayer {
    let named = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let ours = [CSRF_HEADER, UNATTENDED_HEADER, idempotency::HEADER, "last-event-id"];
    let sent = [header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH];
    let seen = ["ratelimit", "ratelimit-policy", "idempotent-replayed"];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(named))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers(ours.map(HeaderName::from_static).into_iter().chain(sent).collect::<Vec<_>>())
        .expose_headers(
            seen.map(HeaderName::from_static)
                .into_iter()
                .chain([header::ETAG, header::RETRY_AFTER])
                .collect::<Vec<_>>(),
        )
        .max_age(REMEMBERED)
}

/// Whether this is an origin as browsers write it (RFC 6454, section 6.2): a scheme, a host, a port, and nothing after it.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let Some(host) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
    !host.is_empty() && host.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_no_star_and_no_capitals() {
        for (text, is) in [
            ("https://ris.example.org", true),
            ("http://localhost:5173", true),
            ("https://[2001:db8::1]:8443", true),
            ("*", false),
            ("null", false),
            ("https://", false),
            ("https://*.example.org", false),
            ("https://ris.example.org/", false),
            ("https://RIS.example.org", false),
            ("ftp://example.org", false),
        ] {
            assert_eq!(is_origin(text), is, "{text}");
        }
    }
}
