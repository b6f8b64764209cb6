//! What went wrong with a request, as RFC 9457 problem details. It never tells a client what only an operator may know:
//! that goes to the log.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::objects::ObjectsError;
use crate::store::StoreError;

/// A refusal or failure, `application/problem+json`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// A stable name of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:hilum:problem:not-found")]
    kind: String,
    /// The same in words.
    title: String,
    /// The HTTP status again.
    status: u16,
    /// What happened here and what to do.
    detail: String,
    #[serde(skip)]
    retry_after_s: Option<i64>,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:hilum:problem:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            retry_after_s: None,
        }
    }

    /// 400: the request says something that can't be.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request is not understood", detail)
    }

    /// 401: nobody is logged in.
    #[must_use]
    pub fn no_session() -> Self {
        let detail = "Log in; a session ends after 30 minutes without use.";
        Self::new(StatusCode::UNAUTHORIZED, "no-session", "You are not logged in", detail)
    }

    /// 401: no key of ours, or none in force.
    #[must_use]
    pub fn no_key() -> Self {
        let detail = "Send `Authorization: Bearer` with a key that is in force; an administrator makes one.";
        Self::new(StatusCode::UNAUTHORIZED, "no-key", "This key opens nothing", detail)
    }

    /// 403: not with a key.
    #[must_use]
    pub fn not_for_keys() -> Self {
        let detail = "This key's scopes do not hold this; what changes something needs a person's session.";
        Self::new(StatusCode::FORBIDDEN, "not-for-keys", "The key does not allow this", detail)
    }

    /// 401: the login failed. It does not say which of the two was wrong.
    #[must_use]
    pub fn wrong_password() -> Self {
        let detail = "The name or the password is wrong.";
        Self::new(StatusCode::UNAUTHORIZED, "wrong-password", "You could not be logged in", detail)
    }

    /// 401: the code of the second factor.
    #[must_use]
    pub fn wrong_code() -> Self {
        let detail = "The code is wrong, or was used before; wait for the next one.";
        Self::new(StatusCode::UNAUTHORIZED, "wrong-code", "You could not be logged in", detail)
    }

    /// The same of somebody who is logged in, and stays so: 403 instead of 401.
    #[must_use]
    pub fn in_session(self) -> Self {
        if self.status != StatusCode::UNAUTHORIZED.as_u16() {
            return self;
        }
        Self { status: StatusCode::FORBIDDEN.as_u16(), title: "You could not be recognised".to_owned(), ..self }
    }

    /// 403: nothing else before that.
    #[must_use]
    pub fn second_factor_due() -> Self {
        let detail = "Your role needs a second factor: set one up on your account's page, then go on.";
        Self::new(StatusCode::FORBIDDEN, "second-factor-due", "Set up a second factor first", detail)
    }

    /// 429: too many failed logins.
    #[must_use]
    pub fn locked_out(wait_ms: i64) -> Self {
        let minutes = (wait_ms + 59_999) / 60_000;
        let detail = format!("Too many failed attempts from here; try again in {minutes} minutes.");
        let status = StatusCode::TOO_MANY_REQUESTS;
        let problem = Self::new(status, "locked-out", "This account is locked for a while", detail);
        Self { retry_after_s: Some((wait_ms + 999) / 1_000), ..problem }
    }

    /// 429: too many requests from one address.
    #[must_use]
    pub fn too_many(wait_ms: i64) -> Self {
        let wait = (wait_ms + 999) / 1_000;
        let detail = format!("Too many requests from your address; try again in {wait} s.");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "You ask too often", detail);
        Self { retry_after_s: Some(wait), ..problem }
    }

    /// 429: refused too often at the EST port.
    #[must_use]
    pub fn refused_too_often(wait_ms: i64) -> Self {
        let minutes = (wait_ms + 59_999) / 60_000;
        let detail = format!("Too many refused requests from here; try again in {minutes} minutes.");
        let wait = Some((wait_ms + 999) / 1_000);
        Self::enrolment(StatusCode::TOO_MANY_REQUESTS, "locked-out", &detail, wait)
    }

    /// A device is given no certificate.
    #[must_use]
    pub fn enrolment(status: StatusCode, code: &str, detail: &str, retry_after_s: Option<i64>) -> Self {
        let kind = format!("enrolment-{}", code.replace('_', "-"));
        Self { retry_after_s, ..Self::new(status, &kind, "The device gets no certificate", detail) }
    }

    /// 403: this role may not.
    #[must_use]
    pub fn not_allowed(role: &str) -> Self {
        let detail = format!("The role {role} may not do this; ask an administrator for another account.");
        Self::new(StatusCode::FORBIDDEN, "not-allowed", "Your role does not allow this", detail)
    }

    /// 403: the page does not prove that it is ours.
    #[must_use]
    pub fn no_csrf() -> Self {
        let detail = "Send the `csrf` of your session in the header X-Hilum-Csrf; reloading the page does that.";
        Self::new(StatusCode::FORBIDDEN, "csrf", "The request does not come from this session's page", detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// 403: what is somebody else's.
    pub fn not_hers(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-yours", "This is not yours to change", detail)
    }

    /// 409: what is asked for does not fit what there is.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "This does not fit what there is", detail)
    }

    /// 409: the same request is being worked on, or nobody knows what became of it.
    #[must_use]
    pub fn unanswered() -> Self {
        let detail = "A request with this Idempotency-Key is being worked on, or broke off; wait a moment, then read what it was \
                      to change before you send it with another key.";
        let problem = Self::new(StatusCode::CONFLICT, "unanswered", "This request is not answered yet", detail);
        Self { retry_after_s: Some(1), ..problem }
    }

    /// 422: one key, two requests.
    #[must_use]
    pub fn other_request() -> Self {
        let detail = "This Idempotency-Key was sent with another request; each change needs a key of its own.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key", "The key stands for another request", detail)
    }

    /// 413: more than anything that is asked here needs.
    #[must_use]
    pub fn too_large(most: usize) -> Self {
        let detail = format!("A request may have {most} bytes at most.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large", detail)
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let detail = "This address exists, but not for this method; see /api/docs.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "The method is not allowed here", detail)
    }

    /// 412: somebody was faster.
    #[must_use]
    pub fn overtaken() -> Self {
        let detail = "Another verdict was given since you opened this result; look at it and decide again.";
        Self::new(StatusCode::PRECONDITION_FAILED, "overtaken", "The result was reviewed meanwhile", detail)
    }

    /// 503: our side is at fault and it will pass.
    fn unavailable(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The gateway can't answer now", detail)
    }

    /// 503: too slow.
    #[must_use]
    pub fn late() -> Self {
        Self::unavailable("The answer took too long; try again, and tell the operator if it stays so.")
    }

    /// 503: nobody else can listen now.
    #[must_use]
    pub fn too_many_streams() -> Self {
        let problem =
            Self::unavailable("Too many pages listen at this gateway; ask for the lists from time to time instead.");
        Self { retry_after_s: Some(60), ..problem }
    }

    /// 500: what should never be.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "The gateway made a mistake; tell the operator when it was.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something is broken", detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = vitals::exit::chain(&error), "a request failed at the database");
        match error {
            StoreError::Content { .. } => Self::internal(),
            _ => Self::unavailable("The database does not answer; try again in a moment."),
        }
    }
}

impl From<ObjectsError> for Problem {
    fn from(error: ObjectsError) -> Self {
        tracing::error!(error = vitals::exit::chain(&error), "a request failed at the object store");
        Self::unavailable("The image store does not answer; try again in a moment.")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = self.retry_after_s;
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
