//! Which address a request comes from: the one that its connection shows, or, where that is a trusted proxy, the one that
//! the proxy vouches for; and whether the browser came by HTTPS. What anybody else writes into a header about himself is never
//! believed.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// What proxies add: the address that they were called from, at the end of the list.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// What proxies say of the way to them.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Where a request comes from, for the handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its address.
    pub address: IpAddr,
    /// Whether a trusted proxy says that it came by HTTPS.
    pub is_https: bool,
}

impl Origin {
    /// Of this request; `None` where nothing tells the connection's other end.
    #[must_use]
    pub fn of(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpNet]) -> Option<Self> {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(Self { address: origin(peer.ip(), headers, proxies), is_https: is_https(peer.ip(), headers, proxies) })
    }
}

fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|block| block.contains(&address))
}

/// The last line is the nearest proxy's: the one that the word is taken of.
fn is_https(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> bool {
    is_trusted(peer.to_canonical(), proxies)
        && headers.get_all(FORWARDED_PROTO).iter().next_back().is_some_and(|scheme| scheme == "https")
}

/// From the connection backwards: each trusted proxy's word is the hop before it, until one is no trusted proxy.
fn origin(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let mut at = peer.to_canonical();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_trusted(at, proxies) {
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
    fn only_a_trusted_proxy_tells_of_https() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        for (peer, lines, https) in [
            ("10.0.0.1", &["https"][..], true),
            ("::ffff:10.0.0.1", &["https"], true),
            ("192.0.2.7", &["https"], false),
            ("10.0.0.1", &["http"], false),
            ("10.0.0.1", &[], false),
            // What the client wrote itself stands before what the proxy added.
            ("10.0.0.1", &["https", "http"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_PROTO, line.parse().unwrap());
            }
            assert_eq!(is_https(peer.parse().unwrap(), &headers, &proxies), https, "{peer} {lines:?}");
        }
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
