//! Lets a request pass, or not: who is it, may they, does it come from their own page. What isn't in the table is
//! refused, so a new route without a line here can't be reached.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::problem::Problem;
use super::view::verdicts::Reader;
use super::{Api, MAX_BODY_BYTES, idempotency};
use crate::api_keys;
use crate::auth::api_key::ApiKey;
use crate::auth::roles::{Act, Role};
use crate::auth::sites::Sites;
use crate::auth::token::{Alive, RENEW_MS, Token};
use crate::config::AuthConfig;
use crate::domain::when;
use crate::store::sessions::SessionRow;

/// The session cookie's name.
pub const COOKIE: &str = "hilum_session";

/// The header that proves the page.
pub const CSRF_HEADER: &str = "x-hilum-csrf";

/// The header of what a page asks by itself, with nobody at it: it is answered, but keeps no session alive.
pub const UNATTENDED_HEADER: &str = "x-hilum-unattended";

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing.
    Open,
    /// A session whose role may do this, or a key whose scopes hold it.
    Needs(Act),
}

use Gate::{Needs, Open};

/// Every route of the API.
pub const GATES: &[(Method, &str, Gate)] = &[
    (Method::POST, "/api/v1/session", Open),
    (Method::GET, "/api/v1/session", Needs(Act::KeepSession)),
    (Method::DELETE, "/api/v1/session", Needs(Act::KeepSession)),
    (Method::POST, "/api/v1/account/password", Needs(Act::KeepSession)),
    (Method::GET, "/api/v1/account/second-factor", Needs(Act::KeepSession)),
    (Method::POST, "/api/v1/account/second-factor", Needs(Act::KeepSession)),
    (Method::POST, "/api/v1/account/second-factor/confirmation", Needs(Act::KeepSession)),
    (Method::POST, "/api/v1/account/second-factor/removal", Needs(Act::KeepSession)),
    (Method::GET, "/api/v1/accounts", Needs(Act::ManageAccounts)),
    (Method::POST, "/api/v1/accounts", Needs(Act::ManageAccounts)),
    (Method::PUT, "/api/v1/accounts/{username}", Needs(Act::ManageAccounts)),
    (Method::POST, "/api/v1/accounts/{username}/password", Needs(Act::ManageAccounts)),
    (Method::DELETE, "/api/v1/accounts/{username}/second-factor", Needs(Act::ManageAccounts)),
    (Method::GET, "/api/v1/api-keys", Needs(Act::ManageAccounts)),
    (Method::POST, "/api/v1/api-keys", Needs(Act::ManageAccounts)),
    (Method::DELETE, "/api/v1/api-keys/{id}", Needs(Act::ManageAccounts)),
    (Method::GET, "/api/v1/results", Needs(Act::ReadResults)),
    (Method::GET, "/api/v1/results/{id}", Needs(Act::ReadResults)),
    (Method::GET, "/api/v1/results/{id}/image", Needs(Act::ReadResults)),
    (Method::GET, "/api/v1/results/{id}/voi-lut", Needs(Act::ReadResults)),
    (Method::GET, "/api/v1/results/{id}/saliency", Needs(Act::ReadResults)),
    (Method::POST, "/api/v1/results/{id}/verdicts", Needs(Act::GiveVerdict)),
    (Method::POST, "/api/v1/results/{id}/verdicts/{verdict}/withdrawal", Needs(Act::GiveVerdict)),
    (Method::POST, "/api/v1/results/{id}/second-reading", Needs(Act::GiveVerdict)),
    (Method::GET, "/api/v1/verdict-export", Needs(Act::ExportVerdicts)),
    (Method::GET, "/fhir/R4/DiagnosticReport/{id}", Needs(Act::ReadResults)),
    (Method::GET, "/fhir/R4/Observation/{id}", Needs(Act::ReadResults)),
    (Method::GET, "/fhir/R4/ImagingStudy/{id}", Needs(Act::ReadResults)),
    (Method::GET, "/api/v1/agreement", Needs(Act::ReadAgreement)),
    (Method::GET, "/api/v1/verdict-codes", Needs(Act::ReadResults)),
    (Method::GET, "/api/v1/filters", Needs(Act::ReadResults)),
    (Method::POST, "/api/v1/filters", Needs(Act::ReadResults)),
    (Method::DELETE, "/api/v1/filters/{filter}", Needs(Act::ReadResults)),
    (Method::GET, "/api/v1/turnaround", Needs(Act::ReadResults)),
    (Method::GET, "/api/v1/audit", Needs(Act::ReadAudit)),
    (Method::GET, "/api/v1/devices", Needs(Act::ReadDevices)),
    (Method::GET, "/api/v1/devices/{id}/shadow", Needs(Act::ReadDevices)),
    (Method::GET, "/api/v1/events", Needs(Act::HearChanges)),
    (Method::GET, "/api/v1/dead-letters", Needs(Act::ReadRefused)),
    (Method::POST, "/api/v1/claims", Needs(Act::EnrolDevices)),
    (Method::GET, "/api/v1/quality/drift", Needs(Act::ReadQuality)),
    (Method::GET, "/api/v1/quality/accuracy", Needs(Act::ReadQuality)),
    (Method::GET, "/api/v1/quality/fairness", Needs(Act::ReadQuality)),
    (Method::GET, "/api/v1/quality/flow", Needs(Act::ReadQuality)),
    (Method::GET, "/api/v1/quality/studies", Needs(Act::ReadResults)),
];

/// Who is asking, for the handlers behind the gate.
#[derive(Clone)]
pub struct Person {
    /// The account; `key:ID` for a program.
    pub username: String,
    /// What others see.
    pub display_name: String,
    /// Where.
    pub sites: Sites,
    /// By what they came in.
    pub by: By,
}

/// By what somebody came in.
#[derive(Clone)]
pub enum By {
    /// A person's session.
    Session(SignedIn),
    /// A program's key, for this much and for reading only.
    Key(Vec<Act>),
}

/// A person's session.
#[derive(Clone)]
pub struct SignedIn {
    /// What they may.
    pub role: Role,
    /// Whether they have a second factor, or have to.
    pub second_factor: Factor,
    /// Their session.
    pub token: Token,
}

/// How it stands with somebody's second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// There is one, and it was asked for.
    SetUp,
    /// There is none.
    None,
    /// There is none, and nothing else may be done before there is.
    Due,
}

impl Person {
    /// Who has this session.
    ///
    /// # Errors
    /// 500 where the account's role is none.
    pub fn of(session: SessionRow, token: Token, policy: &AuthConfig) -> Result<Self, Problem> {
        let SessionRow { username, display_name, role, has_factor, sites, .. } = session;
        let role = Role::from_name(&role).ok_or_else(Problem::internal)?;
        let second_factor = match has_factor {
            true => Factor::SetUp,
            false if policy.requires_second_factor(role) => Factor::Due,
            false => Factor::None,
        };
        Ok(Self { username, display_name, sites, by: By::Session(SignedIn { role, second_factor, token }) })
    }

    /// Their session.
    ///
    /// # Errors
    /// 403 for a program: what needs a session is a person's own.
    pub fn signed_in(&self) -> Result<&SignedIn, Problem> {
        match &self.by {
            By::Session(signed_in) => Ok(signed_in),
            By::Key(_) => Err(Problem::not_for_keys()),
        }
    }

    /// Whether they may do this now.
    #[must_use]
    pub fn may(&self, act: Act) -> bool {
        match &self.by {
            By::Session(SignedIn { role, second_factor, .. }) => {
                role.may(act) && (act == Act::KeepSession || *second_factor != Factor::Due)
            }
            By::Key(acts) => act.is_for_keys() && acts.contains(&act),
        }
    }

    /// Who verdicts are shown to. A program has given none.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        let session = self.signed_in().map(|signed_in| signed_in.token.hash()).unwrap_or_default();
        Reader { username: &self.username, session, may_give: self.may(Act::GiveVerdict) }
    }
}

/// The line of the table, if there is one. HEAD is GET without its body.
#[must_use]
pub fn gate(method: &Method, path: &str) -> Option<Gate> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    GATES.iter().find(|(known, route, _)| known == method && *route == path).map(|(_, _, gate)| *gate)
}

/// Stands before every route of the API.
pub async fn guard(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let act = match gate(request.method(), &path) {
        Some(Open) => return next.run(request).await,
        Some(Needs(act)) => act,
        None => return Problem::method_not_allowed().into_response(),
    };
    match admit(&api, act, request.method(), request.headers()).await {
        Ok(person) => {
            let username = person.username.clone();
            request.extensions_mut().insert(person);
            idempotency::once(&api, &path, &username, request, next).await
        }
        Err(problem) => {
            // Read what was sent with it: a connection with an unread body is closed, and a client that has others in
            // mind for it would see it break.
            let _ = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await;
            problem.into_response()
        }
    }
}

/// A key counts where one is sent, whatever cookie comes with it.
async fn admit(api: &Api, act: Act, method: &Method, headers: &HeaderMap) -> Result<Person, Problem> {
    match headers.get(header::AUTHORIZATION) {
        Some(given) => admit_program(api, act, method, given).await,
        None => admit_person(api, act, method, headers).await,
    }
}

async fn admit_program(api: &Api, act: Act, method: &Method, given: &HeaderValue) -> Result<Person, Problem> {
    let key = given.to_str().ok().and_then(ApiKey::from_authorization).ok_or_else(Problem::no_key)?;
    let now = when::now();
    let row = api.store.api_key(&key.hash(), now).await?.ok_or_else(Problem::no_key)?;
    let (username, display_name) = (api_keys::subject(&row.id), row.name);
    let person = Person { username, display_name, sites: row.sites, by: By::Key(row.acts) };
    if !method.is_safe() || !person.may(act) {
        return Err(Problem::not_for_keys());
    }
    if row.last_used_at.is_none_or(|last| now - last > RENEW_MS) {
        api.store.touch_api_key(&row.id, now).await?;
    }
    Ok(person)
}

async fn admit_person(api: &Api, act: Act, method: &Method, headers: &HeaderMap) -> Result<Person, Problem> {
    let token = cookie(headers).and_then(Token::from_cookie).ok_or_else(Problem::no_session)?;
    let now = when::now();
    let session = api.store.session(&token.hash(), Alive::at(now)).await?.ok_or_else(Problem::no_session)?;
    let last_used_at = session.last_used_at;
    let person = Person::of(session, token, &api.auth)?;
    let SignedIn { role, token, .. } = person.signed_in()?;
    if !method.is_safe() {
        let given = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !token.accepts_csrf(given) {
            return Err(Problem::no_csrf());
        }
    }
    if !role.may(act) {
        return Err(Problem::not_allowed(role.as_str()));
    }
    if !person.may(act) {
        return Err(Problem::second_factor_due());
    }
    // Listening is what a page does by itself, too, and a browser sends no header of ours with it.
    let is_attended = act != Act::HearChanges && !headers.contains_key(UNATTENDED_HEADER);
    if is_attended && now - last_used_at > RENEW_MS {
        api.store.touch_session(&token.hash(), now).await?;
    }
    Ok(person)
}

/// Our cookie among those that the browser sent (RFC 6265, section 4.2).
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_route_has_its_line_and_no_line_is_left_over() {
        let document = super::super::documented().into_openapi();
        let document = serde_json::to_value(&document).unwrap();
        let mut routes: Vec<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let mut lines: Vec<(String, String)> =
            GATES.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
        routes.sort();
        lines.sort();
        assert_eq!(routes, lines);
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        assert_eq!(gate(&Method::PUT, "/api/v1/results"), None);
        assert_eq!(gate(&Method::GET, "/api/v1/secrets"), None);
        assert_eq!(gate(&Method::HEAD, "/api/v1/audit"), Some(Needs(Act::ReadAudit)));
    }

    #[test]
    fn only_the_login_is_open() {
        let open: Vec<_> = GATES.iter().filter(|(_, _, gate)| *gate == Open).collect();
        assert_eq!(open.len(), 1);
        assert_eq!((&open[0].0, open[0].1), (&Method::POST, "/api/v1/session"));
    }

    #[test]
    fn our_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "theme=dark; hilum_session=abc; x=y".parse().unwrap());
        assert_eq!(cookie(&headers), Some("abc"));
        headers.insert(header::COOKIE, "xhilum_session=abc".parse().unwrap());
        assert_eq!(cookie(&headers), None);
    }
}
