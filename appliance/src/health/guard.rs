//! Which names the status page answers to. A page of the open web can make a browser on the hospital's network ask any
//! address under a name of its own (DNS rebinding) and read the answer; whoever asks under a name that is not ours gets none.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The names, besides addresses: lower case.
pub(super) type Names = Arc<[String]>;

/// `localhost`, this machine's name, and those of `[http] names`.
pub(super) fn names(configured: &[String]) -> Names {
    let machine = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let ours = ["localhost".to_owned(), format!("{machine}.local"), machine];
    configured.iter().map(|name| name.to_lowercase()).chain(ours).collect()
}

/// Refuses requests under another name.
pub(super) async fn refuse_other_names(State(names): State<Names>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if is_ours(host.or(request.uri().host()), &names) {
        return next.run(request).await;
    }
    let words = "This appliance is not known under the name in your browser's address bar. Use its IP address, or add the \
                 name to [http] names in its configuration.\n";
    // RFC 9110, 15.5.20: the server does not answer for that authority.
    (StatusCode::MISDIRECTED_REQUEST, words).into_response()
}

/// An address cannot be bound to anything else; a name must be one of ours.
fn is_ours(host: Option<&str>, names: &[String]) -> bool {
    let Some(host) = host else { return false };
    if let Some((inner, port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return port && inner.parse::<Ipv6Addr>().is_ok();
    }
    let name = match host.split_once(':') {
        Some((name, port)) if is_port(port) => name,
        Some(_) => return false,
        None => host,
    };
    name.parse::<IpAddr>().is_ok() || names.contains(&name.to_lowercase())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_our_own_names_are_ours_and_nothing_else_is() {
        let names = names(&["XR-Box.hospital.example".to_owned()]);
        for ours in [
            "10.1.2.3",
            "10.1.2.3:9464",
            "[fd00::1]:80",
            "[::1]",
            "localhost:9464",
            "LOCALHOST",
            "xr-box.hospital.example:9464",
        ] {
            assert!(is_ours(Some(ours), &names), "{ours}");
        }
        for other in [
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "10.1.2.3.evil.example",
            "",
            "localhost:x",
            "[evil]",
            "[::1]x",
        ] {
            assert!(!is_ours(Some(other), &names), "{other}");
        }
        assert!(!is_ours(None, &names));
    }
}
