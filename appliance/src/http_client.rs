//! The HTTP client of every part that sends something out: where it may go, whom it believes, which certificate it shows, and
//! why it did not get through. What is sent, and what an answer means, is its sender's to say.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};

use crate::handshake;

/// What https:// is spoken with, each in PEM.
#[derive(Clone, Copy, Debug, Default)]
pub struct Papers<'a> {
    /// The authority of the server's certificate; without one no server is believed, unless `system` says so.
    pub ca: Option<&'a Path>,
    /// Where no `ca` is named: whoever this machine believes is believed.
    pub system: bool,
    /// Our own certificate and its private key, for a server that wants one.
    pub own: Option<(&'a Path, &'a Path)>,
}

/// A file that cannot be used, by the name that the configuration gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} cannot be used; name a PEM file that the service's user can read")]
pub struct UnusablePaper(pub &'static str);

/// A client whose whole exchange takes at most `answer`. It reads the papers, so a client made later sees renewed ones.
///
/// # Errors
/// [`UnusablePaper`].
pub fn agent(answer: Duration, papers: Papers<'_>) -> Result<Agent, UnusablePaper> {
    let config = Agent::config_builder()
        .timeout_global(Some(answer))
        .http_status_as_error(false)
        // A redirect would take what is sent to somebody whom nobody configured.
        .max_redirects(0)
        .max_redirects_will_error(false)
        // As configured, and by way of nobody else: the environment may name a proxy.
        .proxy(None)
        .tls_config(tls(papers)?);
    Ok(config.build().new_agent())
}

fn tls(papers: Papers<'_>) -> Result<TlsConfig, UnusablePaper> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let authority = match papers.ca {
        Some(file) => certificates(file, "ca")?,
        None if papers.system => system(),
        None => Vec::new(),
    };
    let own = papers.own.map(|(certificate, key)| own(certificate, key)).transpose()?;
    let config = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        // Not the public authorities by themselves: a hospital's server has the certificate of the hospital.
        .root_certs(RootCerts::new_with_certs(&authority))
        .client_cert(own);
    Ok(config.build())
}

fn own(certificate: &Path, key: &Path) -> Result<ClientCert, UnusablePaper> {
    let chain = certificates(certificate, "certificate")?;
    let pem = std::fs::read(key).map_err(|_| UnusablePaper("key"))?;
    let key = PrivateKey::from_pem(&pem).map_err(|_| UnusablePaper("key"))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// The authorities that the machine's administrator, or its distribution, believes. Without any no server is believed.
fn system() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    found.iter().map(|one| Certificate::from_der(one).to_owned()).collect()
}

fn certificates(file: &Path, what: &'static str) -> Result<Vec<Certificate<'static>>, UnusablePaper> {
    let pem = std::fs::read(file).map_err(|_| UnusablePaper(what))?;
    let found = ureq::tls::parse_pem(&pem).filter_map(Result::ok).filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let found: Vec<Certificate<'static>> = found.collect();
    if found.is_empty() { Err(UnusablePaper(what)) } else { Ok(found) }
}

/// Why there was no answer. The kind of failure alone: the client's own words hold the address with whatever stands in it.
#[must_use]
pub fn failure(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "its name is unknown",
        ureq::Error::Io(error) => handshake::failure(error).unwrap_or("no connection"),
        ureq::Error::ConnectionFailed => "no connection",
        ureq::Error::Rustls(error) => handshake::words(error),
        ureq::Error::Tls(_) | ureq::Error::Pem(_) => "no TLS",
        _ => "no HTTP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_that_is_none_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, empty) = (folder.path().join("missing.pem"), folder.path().join("empty.pem"));
        std::fs::write(&empty, "no certificate").unwrap();
        for file in [&missing, &empty] {
            let ca = agent(Duration::from_secs(1), Papers { ca: Some(file), ..Papers::default() });
            assert_eq!(ca.err(), Some(UnusablePaper("ca")));
            let own = agent(Duration::from_secs(1), Papers { own: Some((file, file)), ..Papers::default() });
            assert_eq!(own.err(), Some(UnusablePaper("certificate")));
        }
        assert!(agent(Duration::from_secs(1), Papers::default()).is_ok());
    }

    #[test]
    fn a_failure_is_told_without_the_address() {
        let agent = agent(Duration::from_secs(5), Papers::default()).unwrap();
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = agent.get(format!("http://{nobody}/secret")).call().unwrap_err();
        assert_eq!(failure(&error), "no connection");
    }
}
