//! Why a device gets no certificate, in words for the technician who stands before it.

use wire::ids::DeviceId;

use super::request::RequestError;
use crate::authority::AuthorityError;
use crate::store::StoreError;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Neither a token nor a certificate came along.
    #[error("neither a token nor a certificate came with the request; ask the operator for a token")]
    NoCredential,
    /// No such token.
    #[error("the token is not known here; check each letter and the gateway's address, or ask for a new one")]
    UnknownClaim,
    /// Too late.
    #[error("the token has expired; ask the operator for a new one")]
    ExpiredClaim,
    /// Another key came first.
    #[error("the token was used already, by other keys than this device's; ask the operator for a new one, and say so")]
    UsedClaim,
    /// The name is another.
    #[error("this was not made for the device that asks, but for {meant}")]
    OtherDevice {
        /// The device that it was made for.
        meant: DeviceId,
    },
    /// An operator has shut the device out.
    #[error("the device was revoked; ask the operator, who can make a token that lets it in again")]
    Revoked,
    /// An operator has withdrawn this certificate.
    #[error("the device's certificate was revoked; ask the operator for a token and enrol again")]
    RevokedCertificate,
    /// A certificate of the authority that this gateway has not given to a device.
    #[error("the certificate is no device's of this gateway; ask the operator for a token and enrol again")]
    UnknownCertificate,
    /// A renewal that is none.
    #[error("a renewal keeps the device's sealing key; to change it, ask the operator for a token and enrol again")]
    OtherSealingKey,
    /// More certificates than a device needs.
    #[error("the device was given {per_day} certificates within a day; wait, and find out why it asks so often")]
    TooMany {
        /// The most.
        per_day: u32,
    },
    /// The site has no name.
    #[error("the site must be 1 to 64 characters without control characters")]
    Site,
    /// Another kind of body.
    #[error("the body must be a certificate request, application/pkcs10")]
    MediaType,
    /// The request itself.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The body around it.
    #[error(transparent)]
    Body(#[from] wire::est::EstError),
    /// The gateway's own clock.
    #[error("the gateway's clock shows no usable date; tell the operator")]
    Clock,
    /// The authority.
    #[error("the gateway cannot sign; tell the operator, whose log says why")]
    Authority(#[from] AuthorityError),
    /// The database.
    #[error("the gateway's database does not answer; try again in a minute")]
    Store(#[from] StoreError),
}

impl Refusal {
    /// Stable, `snake_case`; for the audit trail and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::UnknownClaim => "unknown_token",
            Self::ExpiredClaim => "expired_token",
            Self::UsedClaim => "used_token",
            Self::OtherDevice { .. } => "other_device",
            Self::Revoked => "revoked",
            Self::RevokedCertificate => "revoked_certificate",
            Self::UnknownCertificate => "unknown_certificate",
            Self::OtherSealingKey => "other_sealing_key",
            Self::TooMany { .. } => "too_many",
            Self::Site => "site",
            Self::MediaType => "media_type",
            Self::Request(_) => "bad_request",
            Self::Body(_) => "bad_body",
            Self::Clock => "clock",
            Self::Authority(_) => "authority",
            Self::Store(_) => "store",
        }
    }
}
