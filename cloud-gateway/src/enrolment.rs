//! Takes a device in: checks its request, signs its certificate, writes it down. It never makes a device's keys, and
//! knows neither HTTP nor files: requests come by EST ([`crate::est`]) or in an operator's hands.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wire::enrolment::{Enrolment, Papers, Renewal, SCHEMA};
use wire::ids::DeviceId;

use crate::authority::{Authority, Signed};
use crate::domain::audit::{Action, Statement};
use crate::domain::when::{self, UnixMs};
use crate::identity::LiveKeys;
use crate::store::certificates::{self, CertificateRow};
use crate::store::devices::{NewDevice, Standing};
use crate::store::{Connection, Store, audit, claims, commit, devices};

pub mod claim;
pub mod earlier;
pub mod invitation;
pub mod refusal;
pub mod request;

use claim::ClaimToken;
use refusal::Refusal;
use request::CertificateRequest;

/// Most certificates that one device is given within a day: it needs one in two months, and one more for each power cut
/// in the middle of it. More is a device gone wrong, or somebody who fills the database.
const PER_DAY: u32 = 10;

/// A day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What lets a device in, as it was presented.
#[derive(Clone)]
pub enum Credential {
    /// A token, and the device's name where HTTP's Basic scheme brought one.
    Token(ClaimToken, Option<String>),
    /// A certificate of the authority, which TLS has verified; DER.
    Certificate(Vec<u8>),
}

/// What every device is told.
#[derive(Clone)]
pub struct Terms {
    /// Authorities of the broker, PEM.
    pub authorities: String,
    /// The gateway's sealing keys; a device is told the newest.
    pub gateway: Arc<LiveKeys>,
    /// Where the next certificate comes from.
    pub renewal: Option<Renewal>,
}

/// The desk at which devices are taken in.
pub struct Registrar {
    /// Where it is written down.
    pub store: Store,
    /// Who signs.
    pub authority: Authority,
    /// What devices are told.
    pub terms: Terms,
}

/// Who presented a credential.
struct Admitted {
    device: DeviceId,
    site: String,
    by: By,
}

/// With what.
enum By {
    Operator,
    Token { hash: String },
    Certificate { sealing_key: String },
}

impl Registrar {
    /// Takes a device in by an operator's hand, or takes it in again with new keys: the new ones replace the old.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing was written down.
    pub async fn by_hand(
        &self,
        request: &CertificateRequest,
        site: &str,
        reinstate: bool,
        at: UnixMs,
    ) -> Result<Enrolment, Refusal> {
        if !is_site(site) {
            return Err(Refusal::Site);
        }
        let mut work = self.store.begin().await?;
        let standing = hold(&mut work, &request.device).await?;
        if !reinstate && standing.is_some_and(|standing| standing.revoked_at.is_some()) {
            return Err(Refusal::Revoked);
        }
        let admitted = Admitted { device: request.device.clone(), site: site.to_owned(), by: By::Operator };
        let signed = self.give(&mut work, &admitted, request, at).await?;
        commit(work).await?;
        Ok(self.papers_of(admitted.device, admitted.site).with(signed.pem))
    }

    /// Gives the certificate that a token lets a device have; DER.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing was written down.
    pub async fn enrol(&self, credential: &Credential, body: &[u8], at: UnixMs) -> Result<Vec<u8>, Refusal> {
        let Credential::Token(token, user) = credential else { return Err(Refusal::NoCredential) };
        let request = CertificateRequest::from_der(&wire::est::from_body(body)?)?;
        let mut work = self.store.begin().await?;
        let hash = token.hash();
        let claim = claims::find(&mut work, &hash).await?.ok_or(Refusal::UnknownClaim)?;
        let key = request.key_fingerprint();
        let revoked_at = hold(&mut work, &claim.device).await?.and_then(|standing| standing.revoked_at);
        claim::admits(&claim, &request.device, &key, revoked_at, at)?;
        let another = user.as_ref().is_some_and(|user| !user.is_empty() && user != claim.device.as_str());
        if another || !claims::mark_used(&mut work, &hash, &key, at).await? {
            return Err(if another { Refusal::OtherDevice { meant: claim.device } } else { Refusal::UsedClaim });
        }
        let admitted = Admitted { device: claim.device, site: claim.site, by: By::Token { hash } };
        let signed = self.give(&mut work, &admitted, &request, at).await?;
        commit(work).await?;
        Ok(signed.der)
    }

    /// Gives a device its next certificate; DER.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing was written down.
    pub async fn renew(&self, credential: &Credential, body: &[u8], at: UnixMs) -> Result<Vec<u8>, Refusal> {
        let Credential::Certificate(presented) = credential else { return Err(Refusal::NoCredential) };
        let request = CertificateRequest::from_der(&wire::est::from_body(body)?)?;
        let mut work = self.store.begin().await?;
        let admitted = holder(&mut work, presented).await?;
        let signed = self.give(&mut work, &admitted, &request, at).await?;
        commit(work).await?;
        Ok(signed.der)
    }

    /// What goes with a certificate, for who has a token that is still good, or a certificate that is.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn papers(&self, credential: &Credential, at: UnixMs) -> Result<Papers, Refusal> {
        let mut work = self.store.begin().await?;
        match credential {
            Credential::Certificate(presented) => {
                let Admitted { device, site, .. } = holder(&mut work, presented).await?;
                Ok(self.papers_of(device, site))
            }
            Credential::Token(token, _) => {
                let claim = claims::find(&mut work, &token.hash()).await?.ok_or(Refusal::UnknownClaim)?;
                let standing = hold(&mut work, &claim.device).await?;
                claim::is_open(&claim, standing.and_then(|standing| standing.revoked_at), at)?;
                Ok(self.papers_of(claim.device, claim.site))
            }
        }
    }

    fn papers_of(&self, device: DeviceId, site: String) -> Papers {
        let Terms { authorities, gateway, renewal } = self.terms.clone();
        Papers {
            schema: SCHEMA,
            device,
            site,
            authorities,
            gateway_sealing_key: gateway.current().public().to_hex(),
            renewal,
        }
    }

    /// Signs, and writes down all that it means.
    async fn give(
        &self,
        work: &mut Connection,
        admitted: &Admitted,
        request: &CertificateRequest,
        at: UnixMs,
    ) -> Result<Signed, Refusal> {
        let device = &admitted.device;
        if request.device != *device {
            return Err(Refusal::OtherDevice { meant: device.clone() });
        }
        if certificates::given_since(work, device, at - DAY_MS).await? >= i64::from(PER_DAY) {
            return Err(Refusal::TooMany { per_day: PER_DAY });
        }
        let signed = self.authority.sign(request, when::instant(at).ok_or(Refusal::Clock)?, rand::random())?;
        let fingerprint = hex::encode(Sha256::digest(&signed.der));
        let (action, detail) = match &admitted.by {
            By::Certificate { sealing_key } if *sealing_key != request.sealing_key.to_hex() => {
                return Err(Refusal::OtherSealingKey);
            }
            By::Certificate { .. } => {
                devices::renewed(work, device, &fingerprint).await?;
                (Action::CertificateRenewed, format!("by its present certificate; the new one {fingerprint}"))
            }
            by => {
                let how = enter(work, admitted, request, &fingerprint, at).await?;
                let with = match by {
                    By::Token { hash } => format!("token {}", &hash[..16]),
                    _ => "an operator's hand".to_owned(),
                };
                let detail = format!("at site {}, {how}, by {with}; certificate {fingerprint}", admitted.site);
                (Action::DeviceEnrolled, detail)
            }
        };
        let row = CertificateRow {
            fingerprint,
            device: device.to_string(),
            serial: signed.serial.clone(),
            issued_at: at,
            expires_at: signed.until.unix_timestamp() * 1_000,
            revoked_at: None,
            reason: None,
        };
        certificates::insert(work, &row).await?;
        let actor = match admitted.by {
            By::Operator => "operator".to_owned(),
            By::Token { .. } | By::Certificate { .. } => format!("device:{device}"),
        };
        audit::append(work, &Statement { at, actor, action, subject: device.to_string(), detail }).await?;
        Ok(signed)
    }
}

/// A device's row, with what became of the one before, in words. A revocation ends here: who came this far may take it back.
async fn enter(
    work: &mut Connection,
    admitted: &Admitted,
    request: &CertificateRequest,
    fingerprint: &str,
    at: UnixMs,
) -> Result<&'static str, Refusal> {
    let device = NewDevice {
        id: admitted.device.clone(),
        site: admitted.site.clone(),
        sealing_key: request.sealing_key.to_hex(),
        certificate_fingerprint: fingerprint.to_owned(),
        enrolled_at: at,
    };
    let before = hold(work, &device.id).await?;
    devices::enrol(work, &device).await?;
    Ok(match before {
        None => "for the first time",
        Some(Standing { revoked_at: None, .. }) => "again, replacing its keys",
        Some(_) => {
            devices::set_revoked(work, &device.id, None).await?;
            "again after its revocation, with new keys"
        }
    })
}

/// Whose certificate this is, if it still counts.
async fn holder(work: &mut Connection, presented: &[u8]) -> Result<Admitted, Refusal> {
    let fingerprint = hex::encode(Sha256::digest(presented));
    let row = certificates::find(work, &fingerprint).await?.ok_or(Refusal::UnknownCertificate)?;
    let device: DeviceId = row.device.parse().map_err(|_| Refusal::UnknownCertificate)?;
    let standing = hold(work, &device).await?.ok_or(Refusal::UnknownCertificate)?;
    // Once more, now that nobody can revoke it any more meanwhile.
    let row = certificates::find(work, &fingerprint).await?.ok_or(Refusal::UnknownCertificate)?;
    if standing.revoked_at.is_some() {
        return Err(Refusal::Revoked);
    }
    if row.revoked_at.is_some() {
        return Err(Refusal::RevokedCertificate);
    }
    Ok(Admitted { device, site: standing.site, by: By::Certificate { sealing_key: standing.sealing_key } })
}

async fn hold(work: &mut Connection, device: &DeviceId) -> Result<Option<Standing>, Refusal> {
    Ok(devices::hold_standing(work, device).await?)
}

/// Whether this can name a site.
#[must_use]
pub fn is_site(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}
