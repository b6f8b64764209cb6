//! A FHIR R4 server over HTTP: one transaction for each image. The client blocks, so it works on a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::{Silence, fill};
use crate::output::config::FhirDestination;
use crate::output::courier::Parcel;
use crate::output::fhir;
use crate::output::verdict::{self, Verdict};

/// Time for a whole transaction.
const ANSWER: Duration = Duration::from_secs(60);
/// What is sent and wanted (FHIR R4 3.1.0.1.11).
const FHIR_JSON: &str = "application/fhir+json";

/// The server.
pub struct FhirServer {
    /// As configured.
    pub destination: FhirDestination,
}

/// Why it cannot be spoken to.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    /// A paper or the token cannot be used.
    #[error("the {0} of the destination cannot be used; name a file that the service's user can read")]
    Paper(&'static str),
    /// No answer.
    #[error("the server cannot be reached ({0}); check its url, its certificate and that it runs")]
    Unreached(&'static str),
    /// The thread ended.
    #[error("the request was cut short")]
    Interrupted,
}

impl FhirServer {
    pub(super) async fn deliver(&self, parcels: &[Parcel]) -> (Vec<Verdict>, Silence) {
        let mut verdicts = Vec::new();
        for parcel in parcels {
            let bundle = fhir::bundle(&parcel.record, self.destination.base()).to_string();
            let destination = self.destination.clone();
            let posted = tokio::task::spawn_blocking(move || post(&destination, &bundle)).await;
            match posted.unwrap_or(Err(Unsent::Interrupted)) {
                Ok(status) => verdicts.push(verdict::of_http(status)),
                Err(error) => return fill(verdicts, parcels.len(), &vitals::exit::chain(&error)),
            }
        }
        (verdicts, Silence::None)
    }
}

/// Posts a transaction and gives the status of its answer; what the answer says is not read, since it may name the patient.
fn post(destination: &FhirDestination, bundle: &str) -> Result<u16, Unsent> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER))
        .http_status_as_error(false)
        // A redirect would take patients to somebody whom nobody configured.
        .max_redirects(0)
        .max_redirects_will_error(false)
        // As configured, and by way of nobody else: the environment may name a proxy.
        .proxy(None)
        .tls_config(tls(destination)?)
        .build()
        .new_agent();
    let mut request = agent.post(destination.base()).header("Content-Type", FHIR_JSON).header("Accept", FHIR_JSON);
    if let Some(file) = &destination.token_file {
        let token = std::fs::read_to_string(file).map_err(|_| Unsent::Paper("token_file"))?;
        request = request.header("Authorization", format!("Bearer {}", token.trim()));
    }
    match request.send(bundle) {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => Err(Unsent::Unreached(word(&error))),
    }
}

/// The papers for https://.
fn tls(destination: &FhirDestination) -> Result<TlsConfig, Unsent> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
    if let Some(file) = &destination.ca {
        config = config.root_certs(RootCerts::new_with_certs(&certificates(file, "ca")?));
    }
    if let (Some(certificate), Some(key)) = (&destination.certificate, &destination.key) {
        let chain = certificates(certificate, "certificate")?;
        let pem = std::fs::read(key).map_err(|_| Unsent::Paper("key"))?;
        let key = PrivateKey::from_pem(&pem).map_err(|_| Unsent::Paper("key"))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}

fn certificates(file: &Path, what: &'static str) -> Result<Vec<Certificate<'static>>, Unsent> {
    let pem = std::fs::read(file).map_err(|_| Unsent::Paper(what))?;
    let found = ureq::tls::parse_pem(&pem).filter_map(Result::ok).filter_map(|item| match item {
        ureq::tls::PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let found: Vec<Certificate<'static>> = found.collect();
    if found.is_empty() { Err(Unsent::Paper(what)) } else { Ok(found) }
}

/// The kind of failure alone: the client's own words hold the url.
fn word(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "its name is unknown",
        ureq::Error::ConnectionFailed | ureq::Error::Io(_) => "no connection",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => "no TLS",
        _ => "no HTTP",
    }
}
