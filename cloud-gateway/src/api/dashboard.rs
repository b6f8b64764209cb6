//! The dashboard's built files, and its page for every address that is a page of it. It never lists a folder.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tower_http::services::{ServeDir, ServeFile};

use super::Api;
use super::problem::Problem;

/// Names under here hold a hash of their content, so a year is as good as for ever.
const HASHED: &str = "/assets/";

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Asked again each time, by its modification date.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// Prefixes that are never a page: a mistyped address there is a machine's mistake.
const MACHINES: [&str; 3] = ["/api/", "/health/", "/metrics"];

/// Answers whatever no route answers.
pub async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if MACHINES.iter().any(|prefix| path.starts_with(prefix)) {
        return Problem::not_found("There is nothing at this address; see /api/docs.").into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Problem::method_not_allowed().into_response();
    }
    let index = api.dashboard_dir.join("index.html");
    if !tokio::fs::try_exists(&index).await.unwrap_or(false) {
        return not_built(&api);
    }
    let served = if is_file(&path) {
        ServeDir::new(&api.dashboard_dir).append_index_html_on_directories(false).try_call(request).await
    } else {
        ServeFile::new(&index).try_call(request).await
    };
    let mut response = match served {
        Ok(served) => served.map(Body::new),
        Err(error) if error.kind() == ErrorKind::NotFound => return no_file().into_response(),
        Err(error) => {
            tracing::error!(%error, "a file of the dashboard cannot be read; check [http] dashboard_dir");
            return Problem::internal().into_response();
        }
    };
    let for_ever = path.starts_with(HASHED) && response.status().is_success();
    response.headers_mut().insert(header::CACHE_CONTROL, if for_ever { FOR_EVER } else { ASK_AGAIN });
    response
}

fn no_file() -> Problem {
    Problem::not_found("The dashboard has no such file; if it was just updated, reload the page.")
}

/// Files have an extension, pages have none.
fn is_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

/// For whoever starts the gateway before building the dashboard. The folder is the operator's own and no secret of a
/// patient; it is shown so that the mistake can be seen.
fn not_built(api: &Api) -> Response {
    let folder: String = api.dashboard_dir.display().to_string();
    let folder = folder.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Hilum</title>\
         <h1>The dashboard is not built</h1>\
         <p>There is no index.html in <code>{folder}</code> ([http] dashboard_dir).</p>\
         <p>Build it with <code>npm ci &amp;&amp; npm run build</code> in <code>cloud-gateway/dashboard</code>, or \
         correct the folder. The <a href=/api/docs>API</a> works without it.</p>"
    );
    (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_files_are_told_apart() {
        for (path, file) in [
            ("/", false),
            ("/results/0198-abc", false),
            ("/favicon.svg", true),
            ("/assets/index-abc.js", true),
            ("/a.b/c", false),
        ] {
            assert_eq!(is_file(path), file, "{path}");
        }
    }
}
