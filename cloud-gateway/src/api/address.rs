//! Which address a request comes from: the one that its connection shows, or, where that is a trusted proxy, the one that
//! the proxy vouches for. What anybody else writes into a header about himself is never believed.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// What proxies add: the address that they were called from, at the end of the list.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Where a request comes from, for the handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(pub IpAddr);

impl Origin {
    /// Of this request; `None` where nothing tells the connection's other end.
    #[must_use]
    pub fn of(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpNet]) -> Option<Self> {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(Self(origin(peer.ip(), headers, proxies)))
    }
}

/// From the connection backwards: each trusted proxy's word is the hop before it, until one is no trusted proxy.
fn origin(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let trusted = |address: IpAddr| proxies.iter().any(|block| block.contains(&address));
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let mut at = peer.to_canonical();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted(at) {
            break;
        }
        // What can't be read is not believed, nor anything that stands before it.
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        at = before.to_canonical();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, lines: &[&str]) -> String {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8::1/128".parse().unwrap()];
        let lines = lines.iter().map(|line| (FORWARDED_FOR.parse().unwrap(), line.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append::<axum::http::HeaderName>(name, line);
        }
        origin(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        for (peer, lines, address) in [
            ("192.0.2.7", &[][..], "192.0.2.7"),
            // Whoever comes by himself can't pass for another.
            ("192.0.2.7", &["198.51.100.1"], "192.0.2.7"),
            ("10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("2001:db8::1", &["2001:db8:5::7"], "2001:db8:5::7"),
            // What the client wrote itself stands before what the proxy added.
            ("10.0.0.1", &["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", &["192.0.2.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3"], "10.0.0.3"),
        ] {
            assert_eq!(seen(peer, lines), address, "{peer} {lines:?}");
        }
    }
}
