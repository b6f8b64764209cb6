//! A FHIR R4 server over HTTP: one transaction for each image. The client blocks, so it works on a thread of its own.

use std::time::Duration;

use ureq::Agent;

use super::{Silence, fill};
use crate::http_client::{self, Papers, UnusablePaper};
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

/// A file of the destination that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A certificate or a key.
    #[error(transparent)]
    Paper(#[from] UnusablePaper),
    /// The token.
    #[error("the token_file cannot be read; name a file that the service's user can read")]
    Token,
}

impl Unusable {
    /// The key of the configuration that names it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Paper(UnusablePaper(key)) => key,
            Self::Token => "token_file",
        }
    }
}

/// Why it cannot be spoken to.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    /// A file cannot be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
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
    let (agent, token) = client(destination)?;
    let mut request = agent.post(destination.base()).header("Content-Type", FHIR_JSON).header("Accept", FHIR_JSON);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {}", token.trim()));
    }
    match request.send(bundle) {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => Err(Unsent::Unreached(http_client::failure(&error))),
    }
}

/// Whether every file can be used.
pub(super) fn check(destination: &FhirDestination) -> Result<(), Unusable> {
    client(destination).map(drop)
}

/// The client with its papers, and the token.
fn client(destination: &FhirDestination) -> Result<(Agent, Option<String>), Unusable> {
    let papers = Papers {
        ca: destination.ca.as_deref(),
        system: false,
        own: destination.certificate.as_deref().zip(destination.key.as_deref()),
    };
    let token = destination.token_file.as_ref().map(std::fs::read_to_string).transpose();
    Ok((http_client::agent(ANSWER, papers)?, token.map_err(|_| Unusable::Token)?))
}
