//! One question to an EST server over TLS 1.3, and its answer: a connection for each, bounded in time and size. It knows
//! no certificate's meaning.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wire::est;

use super::EstError;
use super::trust::Trust;

/// Longest that a question and its answer take: a line by satellite, and a gateway that waits for its database.
const WITHIN: Duration = Duration::from_secs(30);

/// Longest that a gateway is let alone because it says so: as long as after failures without a word.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 60 * 60);

/// EST's port where an address names none: HTTPS's (RFC 7030, section 3.2.2).
const PORT: u16 = 443;

/// A server that can be asked.
pub struct Line {
    host: String,
    port: u16,
    tls: Arc<ClientConfig>,
}

/// A question.
pub struct Ask<'a> {
    /// Where.
    pub path: &'static str,
    /// What proves that we may ask, besides our certificate.
    pub token: Option<&'a str>,
    /// A certificate request; without one the question is a GET.
    pub body: Option<String>,
}

impl Line {
    /// For a server at `https://HOST[:PORT]`; `own` is our certificate and its key, both PEM.
    ///
    /// # Errors
    /// [`EstError::Url`], [`EstError::Authority`] or [`EstError::Tls`].
    pub fn new(url: &str, trust: &Trust, own: Option<(&str, &str)>) -> Result<Self, EstError> {
        let (host, port) = address(url).ok_or_else(|| EstError::Url(url.to_owned()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = trust.verifier(&provider)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(EstError::Tls)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let tls = match own {
            None => client.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
                let (Ok(chain), Ok(key)) = (chain, key) else { return Err(EstError::OwnPapers) };
                client.with_client_auth_cert(chain, key).map_err(EstError::Tls)?
            }
        };
        Ok(Self { host, port, tls: Arc::new(tls) })
    }

    /// Asks, and gives the body of a good answer.
    ///
    /// # Errors
    /// [`EstError`], in words for the technician.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Vec<u8>, EstError> {
        let asked = tokio::time::timeout(WITHIN, self.exchange(ask)).await;
        asked.unwrap_or_else(|_| Err(EstError::Silent { host: self.host.clone() }))
    }

    async fn exchange(&self, ask: Ask<'_>) -> Result<Vec<u8>, EstError> {
        let failed = |error: &io::Error| EstError::of_line(&self.host, self.port, error);
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| failed(&error))?;
        let name = ServerName::try_from(self.host.clone()).map_err(|_| EstError::Url(self.host.clone()))?;
        let connector = TlsConnector::from(self.tls.clone());
        let stream = connector.connect(name, stream).await.map_err(|error| failed(&error))?;
        let spoken = |error: hyper::Error| EstError::of_http(&self.host, self.port, &error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(spoken)?;
        let request = self.request(ask)?;
        // The connection moves only while somebody polls it, and ends with this function.
        let (answer, _) = tokio::select! {
            answer = sender.send_request(request) => (answer.map_err(spoken)?, ()),
            end = connection => return Err(end.err().map_or(EstError::Answer, spoken)),
        };
        read(answer).await
    }

    fn request(&self, ask: Ask<'_>) -> Result<Request<Full<Bytes>>, EstError> {
        let method = if ask.body.is_some() { hyper::Method::POST } else { hyper::Method::GET };
        let mut request = Request::builder().method(method).uri(ask.path).header(header::HOST, &self.host);
        if let Some(token) = ask.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        if ask.body.is_some() {
            request = request.header(header::CONTENT_TYPE, est::REQUEST_TYPE);
        }
        request.body(Full::from(ask.body.unwrap_or_default())).map_err(|_| EstError::Token)
    }
}

async fn read(answer: Response<hyper::body::Incoming>) -> Result<Vec<u8>, EstError> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, est::MAX_BODY).collect().await.map_err(|_| EstError::Answer)?.to_bytes();
    match head.status {
        StatusCode::OK => Ok(body.to_vec()),
        // 202 too: the certificate is not there yet (RFC 7030, section 4.2.3).
        status => {
            let retry_after =
                head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(wait);
            Err(EstError::Refused { status: status.as_u16(), words: words(&body), retry_after })
        }
    }
}

/// `Retry-After` in seconds (RFC 9110, section 10.2.3); a date is not read, and nobody makes a device wait longer than
/// [`LONGEST_WAIT`].
fn wait(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// What a refusal says for people: the `detail` of problem details, or plain text.
fn words(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.and_then(|problem| problem.get("detail")?.as_str().map(str::to_owned));
    let text = detail.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// `https://HOST[:PORT]`, without a path.
fn address(url: &str) -> Option<(String, u16)> {
    let rest = url.strip_prefix("https://")?.trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !host.is_empty() => (host, port.parse().ok()?),
        _ => (rest, PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_with_or_without_a_port() {
        for (url, expected) in [
            ("https://gw.example.org", Some(("gw.example.org", 443))),
            ("https://gw.example.org:8443/", Some(("gw.example.org", 8443))),
            ("https://192.0.2.1:8443", Some(("192.0.2.1", 8443))),
            ("https://[2001:db8::1]:8443", Some(("2001:db8::1", 8443))),
            ("http://gw.example.org", None),
            ("gw.example.org", None),
            ("https://gw.example.org:x", None),
            ("https://gw.example.org/est", None),
            ("https://", None),
        ] {
            let found = address(url);
            assert_eq!(found.as_ref().map(|(host, port)| (host.as_str(), *port)), expected, "{url}");
        }
    }

    #[test]
    fn a_gateway_is_left_alone_as_long_as_it_wants_but_not_for_ever() {
        let seconds = |text: &str| wait(text).map(|wait| wait.as_secs());
        assert_eq!(seconds("60"), Some(60));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("18446744073709551615"), Some(LONGEST_WAIT.as_secs()));
        for other in ["", "-1", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(seconds(other), None, "{other}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words() {
        assert_eq!(words(br#"{"detail":"the token has expired"}"#), "the token has expired");
        assert_eq!(words(b"not today\r\n"), "not today");
    }
}
