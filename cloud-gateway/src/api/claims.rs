//! Tokens that let devices in, made by who looks after them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use wire::ids::DeviceId;

use super::extract::Body;
use super::guard::Person;
use super::problem::Problem;
use super::qr::Qr;
use super::{Api, view};
use crate::domain::when;
use crate::enrolment::claim::{Claim, ClaimToken};
use crate::enrolment::invitation::{InvitationError, MAX_VALID_S, invite};

/// Hours that a token is good for where it isn't said.
const DEFAULT_HOURS: i64 = 24;

/// An hour in seconds.
const HOUR_S: i64 = 60 * 60;

/// Which device is to be let in.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Its name: 1 to 64 lower-case letters, digits and `-`.
    device: String,
    /// Where it will stand; one of your sites.
    site: String,
    /// How long the token is good for, 1 to 744 hours; 24 if not given.
    valid_hours: Option<i64>,
    /// Whether it takes back a revocation.
    #[serde(default)]
    reinstate: bool,
}

/// A token, told this once.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Invitation {
    /// The token. It is kept nowhere.
    token: String,
    /// The same, to be read by a camera.
    qr: Qr,
    /// The device that it lets in, once.
    device: String,
    /// Where that will stand.
    site: String,
    /// Until when; RFC 3339, milliseconds, UTC.
    expires_at: String,
    /// What to run on the device; it asks for the token.
    command: String,
}

/// Make a one-time token that lets a device ask for its certificate.
#[utoipa::path(
    post, path = "/api/v1/claims", tag = "devices", request_body = Wanted,
    responses(
        (status = 201, description = "The token, told this once", body = Invitation),
        (status = 400, description = "A field makes no sense", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No site or device of yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The device was revoked, or nobody can enrol here", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn make(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Invitation>), Problem> {
    let Some(door) = &api.door else {
        return Err(Problem::conflict(
            "No device can enrol over the network here: the gateway's configuration has no [est].",
        ));
    };
    let device: DeviceId = wanted.device.parse().map_err(|_| {
        Problem::bad_request("device must be 1 to 64 lower-case letters, digits and '-', and not begin with '-'.")
    })?;
    let valid_s = wanted.valid_hours.unwrap_or(DEFAULT_HOURS).checked_mul(HOUR_S);
    let Some(valid_s) = valid_s.filter(|seconds| (1..=MAX_VALID_S).contains(seconds)) else {
        return Err(Problem::bad_request(format!("valid_hours must be 1 to {}.", MAX_VALID_S / HOUR_S)));
    };
    let made_at = when::now();
    let expires_at = made_at + valid_s * 1_000;
    let claim = Claim { device, site: wanted.site, reinstate: wanted.reinstate, made_at, expires_at, used_by: None };
    let token = ClaimToken::new(rand::random());
    let shown = token.show().to_string();
    let qr = Qr::of(&shown).ok_or_else(Problem::internal)?;
    invite(&api.store, &person.sites, &token, &claim, person.username).await.map_err(refusal)?;
    let invitation = Invitation {
        token: shown,
        qr,
        device: claim.device.to_string(),
        site: claim.site,
        expires_at: view::instant(expires_at)?,
        command: format!("hilum-sync-agent enrol --url {} --pin {} --token -", door.url, door.pin),
    };
    Ok((StatusCode::CREATED, Json(invitation)))
}

fn refusal(error: InvitationError) -> Problem {
    match error {
        InvitationError::Site => Problem::bad_request("site must be 1 to 64 characters without control characters."),
        InvitationError::Elsewhere => Problem::not_found(
            "You may let devices in at your own sites only, and this device or site is not among them.",
        ),
        InvitationError::Revoked => {
            Problem::conflict("This device was revoked. Say that it is to be let in again, if it is.")
        }
        InvitationError::Date => Problem::internal(),
        InvitationError::Store(error) => error.into(),
    }
}
