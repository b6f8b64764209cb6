//! Why a device got no certificate, in words for the technician who stands before it.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use wire::ids::DeviceId;

use crate::clock::{self, Disagreement};
use crate::enrolment::EnrolmentError;
use crate::identity::IdentityError;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum EstError {
    /// Not an address.
    #[error("\"{0}\" is no address of a gateway; write https://HOST:PORT as the operator gave it")]
    Url(String),
    /// Not a token.
    #[error("the token holds characters that no token has; copy it again")]
    Token,
    /// Not an authority.
    #[error("the authority's file holds no certificate that can vouch for the gateway; ask the operator for it again")]
    Authority,
    /// Our own certificate or key.
    #[error("this device's certificate and key do not belong together; enrol it again")]
    OwnPapers,
    /// The cryptography.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// No way there.
    #[error("the gateway {host}:{port} cannot be reached; {remedy}")]
    Unreachable {
        /// Where to.
        host: String,
        /// And on which port.
        port: u16,
        /// What to do.
        remedy: &'static str,
        /// The system's words.
        source: io::Error,
    },
    /// It says nothing.
    #[error("the gateway {host} took the call and then said nothing; try again, and tell the operator if it stays so")]
    Silent {
        /// Where.
        host: String,
    },
    /// Not whom we trust.
    #[error("{host} did not prove to be the gateway: {remedy}")]
    NotTheGateway {
        /// Where.
        host: String,
        /// What to do.
        remedy: &'static str,
        /// TLS's words.
        words: String,
    },
    /// Its certificate is not valid by our clock.
    #[error("{host} did not prove to be the gateway: {disagreement}")]
    NotValid {
        /// Where.
        host: String,
        /// What to do.
        disagreement: Disagreement,
    },
    /// It does not take our certificate, or does not speak TLS 1.3.
    #[error("{host} does not accept this device's certificate ({words}); {remedy}")]
    NotAccepted {
        /// Where.
        host: String,
        /// What to do.
        remedy: &'static str,
        /// TLS's words.
        words: String,
    },
    /// It said no.
    #[error("the gateway says: {words} ({status}){}", later(*.retry_after))]
    Refused {
        /// HTTP's status.
        status: u16,
        /// Its words.
        words: String,
        /// When it wants to be asked again, if it says so.
        retry_after: Option<Duration>,
    },
    /// It talks nonsense.
    #[error("the answer is no EST gateway's; check the address, and that both are of the same release")]
    Answer,
    /// It is of another release.
    #[error("the gateway's papers have format {0}, which this release does not know; update this device")]
    Schema(u32),
    /// It takes us for another.
    #[error("the gateway takes this device for {0}; enrol it again")]
    OtherDevice(DeviceId),
    /// The certificate's dates and the clock do not agree.
    #[error("this device's clock says {shown}, but the certificate begins {begins}: set the clock, then try again")]
    Clock {
        /// Its clock.
        shown: String,
        /// The certificate's.
        begins: String,
    },
    /// Nowhere to ask.
    #[error(
        "the gateway that enrolled this device does not renew over the network; enrol it again before its certificate ends"
    )]
    NoRenewal,
    /// The files.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The request.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
}

impl EstError {
    /// How long the gateway wants to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Refused { retry_after, .. } = self { *retry_after } else { None }
    }

    /// The clock is wrong.
    pub(super) fn clock(now_ms: i64, from_ms: i64) -> Self {
        Self::Clock { shown: clock::minute(now_ms), begins: clock::minute(from_ms) }
    }

    /// What a broken line means.
    pub(super) fn of_line(host: &str, port: u16, error: &io::Error) -> Self {
        if let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(host, cause);
        }
        let words = error.to_string().to_lowercase();
        let remedy = match error.kind() {
            io::ErrorKind::ConnectionRefused => "nothing listens there: check the address with the operator",
            io::ErrorKind::TimedOut => "nothing answers: check the address and the hospital's firewall",
            _ if words.contains("lookup") => "the name is not known: check the address, the network cable and DNS",
            _ if words.contains("unreachable") => "there is no way there: check the network cable",
            _ => "check the address, the network cable and the hospital's firewall",
        };
        let source = io::Error::new(error.kind(), error.to_string());
        Self::Unreachable { host: host.to_owned(), port, remedy, source }
    }

    /// What a broken conversation means: with TLS 1.3 a refused certificate shows here.
    pub(super) fn of_http(host: &str, port: u16, error: &hyper::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = error.source();
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return Self::of_line(host, port, error);
            }
            cause = error.source();
        }
        Self::Answer
    }

    fn of_tls(host: &str, error: &rustls::Error) -> Self {
        use CertificateError as Bad;
        let (host, words) = (host.to_owned(), error.to_string());
        if let Some(disagreement) = Disagreement::of(error) {
            return Self::NotValid { host, disagreement };
        }
        let remedy = match error {
            rustls::Error::InvalidCertificate(bad) => match bad {
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                    "its certificate is for another name; use the address exactly as the operator gave it"
                }
                Bad::ApplicationVerificationFailure => {
                    "its certificate is not the one of the pin; do not go on before the operator has compared both"
                }
                _ => "its certificate is of another authority; do not go on before the operator has compared both",
            },
            rustls::Error::AlertReceived(_) => {
                let remedy = "check this device's clock; if it is right, ask the operator for a token and enrol again";
                return Self::NotAccepted { host, remedy, words };
            }
            _ => "what answers there speaks no TLS 1.3; check the address and its port",
        };
        Self::NotTheGateway { host, remedy, words }
    }
}

/// The gateway's wish in words.
fn later(retry_after: Option<Duration>) -> String {
    retry_after
        .map_or_else(String::new, |wait| format!("; it wants to be asked again in {} min", wait.as_secs().div_ceil(60)))
}
