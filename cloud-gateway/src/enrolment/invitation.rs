//! Makes the token that lets a device ask for its first certificate: for the command line and for the dashboard alike. It gives
//! nobody a certificate.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::claim::{Claim, ClaimToken};
use super::is_site;
use crate::auth::sites::Sites;
use crate::config::EstConfig;
use crate::domain::audit::{Action, Statement};
use crate::domain::when;
use crate::store::{Store, StoreError, audit, claims, commit, devices};

/// Longest that a token may be good for, in seconds: a device that travels by ship.
pub const MAX_VALID_S: i64 = 31 * 24 * 60 * 60;

/// Where devices enrol, and what a technician can check it by.
#[derive(Clone, Debug)]
pub struct Door {
    /// The EST port's address as devices see it.
    pub url: String,
    /// SHA-256 of its own certificate, hexadecimal.
    pub pin: String,
}

impl Door {
    /// As the configuration has it.
    ///
    /// # Errors
    /// [`DoorError`].
    pub fn open(est: &EstConfig) -> Result<Self, DoorError> {
        let file = || est.certificate.clone();
        let text = std::fs::read(&est.certificate).map_err(|source| DoorError::Read { file: file(), source })?;
        let (_, pem) = x509_parser::pem::parse_x509_pem(&text).map_err(|_| DoorError::Pem { file: file() })?;
        Ok(Self { url: est.public_url.clone(), pin: hex::encode(Sha256::digest(&pem.contents)) })
    }
}

/// Keeps the token's hash with what it is for, and the record of who made it.
///
/// # Errors
/// [`InvitationError`]; then there is no such token.
pub async fn invite(
    store: &Store,
    sites: &Sites,
    token: &ClaimToken,
    claim: &Claim,
    actor: String,
) -> Result<(), InvitationError> {
    if !is_site(&claim.site) {
        return Err(InvitationError::Site);
    }
    if !sites.include(&claim.site) {
        return Err(InvitationError::Elsewhere);
    }
    let until = when::rfc3339(claim.expires_at).ok_or(InvitationError::Date)?;
    let mut work = store.begin().await?;
    if let Some(standing) = devices::standing(&mut work, &claim.device).await? {
        // A device of another site would be taken from it, and its name tells that it is there.
        if !sites.include(&standing.site) {
            return Err(InvitationError::Elsewhere);
        }
        if standing.revoked_at.is_some() && !claim.reinstate {
            return Err(InvitationError::Revoked);
        }
    }
    claims::add(&mut work, &token.hash(), claim).await?;
    let again = if claim.reinstate { ", taking its revocation back" } else { "" };
    let statement = Statement {
        at: claim.made_at,
        actor,
        action: Action::TokenMade,
        subject: claim.device.to_string(),
        detail: format!("token {}, for site {}, until {until}{again}", &token.hash()[..16], claim.site),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await?;
    Ok(())
}

/// The EST port's certificate cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Not there, or not for us.
    #[error("{} ([est] certificate) cannot be read", file.display())]
    Read {
        /// Where it should be.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not a certificate.
    #[error("{} ([est] certificate) is not PEM", file.display())]
    Pem {
        /// Which file.
        file: PathBuf,
    },
}

/// A token that is not made.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// No name for a site.
    #[error("the site must be 1 to 64 characters without control characters")]
    Site,
    /// Not this person's to give, or the device stands where she sees nothing.
    #[error("you may let devices in at your own sites only, and this device or site is not among them")]
    Elsewhere,
    /// It would not let the device in.
    #[error("the device was revoked; with --reinstate the token lets it in again")]
    Revoked,
    /// The clock is far off.
    #[error("this machine's clock shows no usable date; set it")]
    Date,
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
