//! The operations of EST and ours beside them, in HTTP's words. Every request for something is in the audit trail, done or
//! refused with its reason; who is refused too often is made to wait, and then only counted.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use metrics::counter;
use sha2::{Digest, Sha256};
use wire::est;

use super::caller::{self, Caller};
use crate::api::problem::Problem;
use crate::auth::lockout::Lockout;
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::enrolment::refusal::Refusal;
use crate::enrolment::{Credential, Registrar};

/// When to try again after the database or the authority failed: an operator needs a minute to notice.
const RETRY_S: i64 = 60;

/// When a device that was given too many certificates may ask again: the day has to pass, but not all of it.
const RETRY_TOO_MANY_S: i64 = 60 * 60;

/// How clients may prove themselves (RFC 9110, section 11.6.1).
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"enrolment token\", Bearer");

/// What the answers need.
pub struct Desk {
    registrar: Arc<Registrar>,
    /// Refusals of late, by who was refused and from where. Devices with a certificate have a line of their own, so that a
    /// stranger behind the same address can't keep them from renewing.
    lockout: Mutex<Lockout>,
}

impl Desk {
    /// Sets it up.
    #[must_use]
    pub fn new(registrar: Arc<Registrar>) -> Self {
        Self { registrar, lockout: Mutex::default() }
    }

    fn lockout<T>(&self, look: impl FnOnce(&mut Lockout) -> T) -> T {
        // Counters have no invariant that a panic could break.
        look(&mut self.lockout.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down who was not let in by TLS; not those who were no TLS client at all.
    pub async fn handshake_failed(&self, address: IpAddr, error: &std::io::Error) {
        use rustls::Error;
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
        let reason = match cause {
            Some(Error::PeerIncompatible(_)) => "tls_version",
            Some(Error::InvalidCertificate(_)) => "foreign_certificate",
            Some(Error::AlertReceived(_)) => "client_left",
            _ => "no_tls",
        };
        counter!("est_handshakes_refused_total", "reason" => reason).increment(1);
        let words = error.to_string();
        tracing::warn!(%address, reason, error = words, "TLS with a device failed");
        if matches!(reason, "tls_version" | "foreign_certificate") && self.may_ask("handshake", address).is_ok() {
            self.refused("handshake", "handshake", address, reason, &words).await;
        }
    }

    /// # Errors
    /// Milliseconds to wait.
    fn may_ask(&self, who: &str, address: IpAddr) -> Result<(), i64> {
        self.lockout(|lockout| lockout.wait(who, address, when::now()).map_or(Ok(()), Err))
    }

    async fn refused(&self, who: &str, operation: &str, address: IpAddr, code: &str, words: &str) {
        let now = when::now();
        let last = self.lockout(|lockout| lockout.failed(who, address, now));
        let and = if last { "; the last from there that is written down for a while" } else { "" };
        let statement = Statement {
            at: now,
            actor: format!("address:{address}"),
            action: Action::EnrolmentRefused,
            subject: who.to_owned(),
            detail: format!("{operation}: {code}: {words}{and}"),
        };
        if let Err(error) = self.registrar.store.audit(&statement).await {
            tracing::error!(error = vitals::exit::chain(&error), "a refusal could not be written down");
        }
    }
}

/// Everything that the port answers.
pub fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route(est::CA_CERTS, get(ca_certs))
        .route(est::CSR_ATTRS, get(csr_attributes))
        .route(est::SIMPLE_ENROLL, post(enrol))
        .route(est::SIMPLE_REENROLL, post(renew))
        .route(est::PAPERS, get(papers))
        .route(est::REVOCATIONS, get(revocations))
        .fallback(|| async { Problem::not_found("EST's cacerts, csrattrs, simpleenroll and simplereenroll are here.") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(est::MAX_BODY))
        .with_state(desk)
}

async fn ca_certs(State(desk): State<Arc<Desk>>) -> Response {
    let authority = desk.registrar.authority.certificates();
    match est::certs_only(authority.iter().map(AsRef::as_ref)) {
        Ok(bag) => pkcs7(&bag),
        Err(error) => {
            tracing::error!(error = vitals::exit::chain(&error), "[ca] certificate cannot be handed out");
            Problem::internal().into_response()
        }
    }
}

async fn csr_attributes() -> Response {
    let headers = [(header::CONTENT_TYPE, est::CSR_ATTRS_TYPE), (TRANSFER_ENCODING, "base64")];
    (headers, est::to_body(&est::CSR_ATTRIBUTES)).into_response()
}

async fn revocations(State(desk): State<Arc<Desk>>) -> Response {
    match desk.registrar.store.revocation_list().await {
        Ok(list) if list.number > 0 => match hex::decode(&list.der) {
            Ok(der) => ([(header::CONTENT_TYPE, "application/pkix-crl")], der).into_response(),
            Err(_) => Problem::internal().into_response(),
        },
        Ok(_) => Problem::not_found("No revocation list was signed yet; try again in a minute.").into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn enrol(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A certificate is no token: who has one and wants to start anew still has to be let in by an operator.
    let given = async |credential: Credential| {
        is_request(&headers)?;
        desk.registrar.enrol(&credential, &body, when::now()).await
    };
    answer(&desk, "simpleenroll", &caller, caller::token(&headers), given).await.map_or_else(|no| no, |der| bag(&der))
}

async fn renew(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shown = caller.certificate.clone().map(Credential::Certificate).ok_or(Refusal::NoCredential);
    let given = async |credential: Credential| {
        is_request(&headers)?;
        desk.registrar.renew(&credential, &body, when::now()).await
    };
    answer(&desk, "simplereenroll", &caller, shown, given).await.map_or_else(|no| no, |der| bag(&der))
}

async fn papers(State(desk): State<Arc<Desk>>, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Response {
    let credential = caller::credential(&caller, &headers);
    let given = async |credential: Credential| desk.registrar.papers(&credential, when::now()).await;
    let told = answer(&desk, "papers", &caller, credential, given).await;
    told.map_or_else(|no| no, |papers| Json(papers).into_response())
}

/// Asks for something, unless whoever asks has been refused too often, and writes a refusal down.
///
/// # Errors
/// The response that says no.
async fn answer<T>(
    desk: &Desk,
    operation: &'static str,
    caller: &Caller,
    credential: Result<Credential, Refusal>,
    given: impl AsyncFnOnce(Credential) -> Result<T, Refusal>,
) -> Result<T, Response> {
    let who = who(caller);
    if let Err(wait_ms) = desk.may_ask(&who, caller.address) {
        counter!("est_requests_total", "operation" => operation, "outcome" => "locked_out").increment(1);
        return Err(Problem::refused_too_often(wait_ms).into_response());
    }
    let outcome = match credential {
        Ok(credential) => given(credential).await,
        Err(refusal) => Err(refusal),
    };
    let code = outcome.as_ref().map_or_else(Refusal::code, |_| "done");
    counter!("est_requests_total", "operation" => operation, "outcome" => code).increment(1);
    match outcome {
        Ok(given) => {
            desk.lockout(|lockout| lockout.succeeded(&who, caller.address));
            Ok(given)
        }
        Err(refusal) => {
            tracing::warn!(operation, code, address = %caller.address, error = vitals::exit::chain(&refusal), "refused");
            desk.refused(&who, operation, caller.address, code, &refusal.to_string()).await;
            Err(no(&refusal))
        }
    }
}

/// Whose refusals are counted together: a certificate's, or those of all without one from the same address.
fn who(caller: &Caller) -> String {
    caller
        .certificate
        .as_ref()
        .map_or_else(|| "no certificate".to_owned(), |der| format!("certificate:{}", hex::encode(Sha256::digest(der))))
}

/// Other bodies than requests are not looked at (RFC 7030, section 4.2.1).
fn is_request(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(est::REQUEST_TYPE) { Ok(()) } else { Err(Refusal::MediaType) }
}

fn bag(certificate: &[u8]) -> Response {
    match est::certs_only([certificate]) {
        Ok(bag) => pkcs7(&bag),
        Err(error) => {
            tracing::error!(error = vitals::exit::chain(&error), "a signed certificate cannot be handed out");
            Problem::internal().into_response()
        }
    }
}

fn pkcs7(der: &[u8]) -> Response {
    // The second header is RFC 7030's; RFC 8951 tells clients to do without it.
    let headers = [(header::CONTENT_TYPE, est::ANSWER_TYPE), (TRANSFER_ENCODING, "base64")];
    (headers, est::to_body(der)).into_response()
}

/// MIME's header, which HTTP does not know.
const TRANSFER_ENCODING: header::HeaderName = header::HeaderName::from_static("content-transfer-encoding");

fn no(refusal: &Refusal) -> Response {
    let (status, retry_after_s) = match refusal {
        Refusal::NoCredential | Refusal::UnknownClaim | Refusal::ExpiredClaim | Refusal::UsedClaim => {
            (StatusCode::UNAUTHORIZED, None)
        }
        Refusal::OtherDevice { .. }
        | Refusal::Revoked
        | Refusal::RevokedCertificate
        | Refusal::UnknownCertificate
        | Refusal::OtherSealingKey => (StatusCode::FORBIDDEN, None),
        Refusal::Request(_) | Refusal::Body(_) | Refusal::Site => (StatusCode::BAD_REQUEST, None),
        Refusal::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
        Refusal::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, Some(RETRY_TOO_MANY_S)),
        Refusal::Clock | Refusal::Authority(_) | Refusal::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, Some(RETRY_S)),
    };
    let mut response = Problem::enrolment(status, refusal.code(), &refusal.to_string(), retry_after_s).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
    response
}
