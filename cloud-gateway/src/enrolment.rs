//! Takes a device in: checks its request, signs its certificate, writes it down. It never makes a device's keys.

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose,
    Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use wire::enrolment::{Enrolment, EnrolmentRequest, SCHEMA};
use wire::seal::PublicKey;

use crate::domain::audit::{Action, Statement};
use crate::domain::when::{self, UnixMs};
use crate::store::devices::NewDevice;
use crate::store::{Store, StoreError, audit, commit, devices};

/// How long a certificate is good for: long enough for a device that stands in a cupboard over the holidays, short
/// enough that a stolen one ends by itself.
const VALID_DAYS: i64 = 90;

/// How far a device's clock may lag behind without refusing its own certificate.
const CLOCK_SLACK_HOURS: i64 = 1;

/// What an authority vouches with.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

/// What the answer needs beside the certificate.
pub struct Papers<'a> {
    /// The site that the device stands in.
    pub site: &'a str,
    /// Authorities of the broker, PEM.
    pub authorities: &'a str,
    /// The gateway's public sealing key.
    pub gateway: &'a PublicKey,
}

impl Authority {
    /// Reads an authority's certificate and key, both PEM.
    ///
    /// # Errors
    /// [`EnrolmentError::Authority`].
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, EnrolmentError> {
        let key = KeyPair::from_pem(key).map_err(EnrolmentError::Authority)?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key).map_err(EnrolmentError::Authority)?;
        Ok(Self { issuer })
    }

    /// Signs a checked request. Nothing but the name and the key is taken from it: what else it asks for is ignored.
    fn sign(
        &self,
        request: &EnrolmentRequest,
        at: OffsetDateTime,
        serial: [u8; 16],
    ) -> Result<rcgen::Certificate, EnrolmentError> {
        let asked =
            CertificateSigningRequestParams::from_pem(&request.certificate_request).map_err(EnrolmentError::Request)?;
        let name = match asked.params.distinguished_name.get(&DnType::CommonName) {
            Some(DnValue::Utf8String(name)) => name.clone(),
            Some(DnValue::PrintableString(name)) => name.as_str().to_owned(),
            _ => return Err(EnrolmentError::Name { device: request.device.to_string() }),
        };
        if name != request.device.as_str() || asked.params.distinguished_name.iter().count() != 1 {
            return Err(EnrolmentError::Name { device: request.device.to_string() });
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, request.device.as_str());
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = at - Duration::hours(CLOCK_SLACK_HOURS);
        params.not_after = at + Duration::days(VALID_DAYS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.signed_by(&asked.public_key, &self.issuer).map_err(EnrolmentError::Sign)
    }
}

/// Takes a device in, or takes it in again with new keys: the new ones replace the old.
///
/// # Errors
/// [`EnrolmentError`]; then nothing was written down.
pub async fn enrol(
    store: &Store,
    authority: &Authority,
    request: &EnrolmentRequest,
    papers: &Papers<'_>,
    at: UnixMs,
) -> Result<Enrolment, EnrolmentError> {
    if request.schema != SCHEMA {
        return Err(EnrolmentError::Schema(request.schema));
    }
    if papers.site.is_empty() || papers.site.chars().count() > 64 || papers.site.chars().any(char::is_control) {
        return Err(EnrolmentError::Site);
    }
    let sealing_key = PublicKey::from_hex(&request.sealing_key).map_err(EnrolmentError::SealingKey)?;
    // The highest bit is cleared so that DER's positive integer stays within 16 bytes (RFC 5280, section 4.1.2.2).
    let mut serial: [u8; 16] = rand::random();
    serial[0] &= 0x7f;
    let today = when::instant(at).ok_or(EnrolmentError::Clock)?;
    let certificate = authority.sign(request, today, serial)?;
    let fingerprint = hex::encode(Sha256::digest(certificate.der()));
    let device = NewDevice {
        id: request.device.clone(),
        site: papers.site.to_owned(),
        sealing_key: sealing_key.to_hex(),
        certificate_fingerprint: fingerprint.clone(),
        enrolled_at: at,
    };
    write_down(store, &device, &fingerprint).await.map_err(EnrolmentError::Store)?;
    Ok(Enrolment {
        schema: SCHEMA,
        device: request.device.clone(),
        site: papers.site.to_owned(),
        certificate: certificate.pem(),
        authorities: papers.authorities.to_owned(),
        gateway_sealing_key: papers.gateway.to_hex(),
    })
}

async fn write_down(store: &Store, device: &NewDevice, fingerprint: &str) -> Result<(), StoreError> {
    let mut work = store.begin().await?;
    let again = devices::enrol(&mut work, device).await?;
    let how = if again { "again, replacing its keys" } else { "for the first time" };
    let statement = Statement {
        at: device.enrolled_at,
        actor: "operator".to_owned(),
        action: Action::DeviceEnrolled,
        subject: device.id.to_string(),
        detail: format!("at site {}, {how}; certificate {fingerprint}", device.site),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await
}

/// A device that cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The authority's own papers.
    #[error("[ca] certificate or key cannot be used; both must be PEM and belong together")]
    Authority(#[source] rcgen::Error),
    /// Made by another version.
    #[error("the request has format {0}, this gateway knows {SCHEMA}; use a device of the same release")]
    Schema(u32),
    /// A clock outside of all calendars.
    #[error("this machine's clock shows no usable date; set it")]
    Clock,
    /// Not a site.
    #[error("--site must be 1 to 64 characters without control characters")]
    Site,
    /// Not a sealing key.
    #[error("the request's sealing_key cannot be used; make the request again with `hilum-sync-agent enrol-request`")]
    SealingKey(#[source] wire::seal::SealError),
    /// Not a certificate request, or not signed by its own key.
    #[error("the request's certificate_request cannot be used; make it again with `hilum-sync-agent enrol-request`")]
    Request(#[source] rcgen::Error),
    /// It asks for another name.
    #[error(
        "the certificate request is not for \"{device}\" alone; make it again with `hilum-sync-agent enrol-request`"
    )]
    Name {
        /// The device that the request says it is from.
        device: String,
    },
    /// The authority could not sign.
    #[error("the certificate cannot be signed with [ca] key")]
    Sign(#[source] rcgen::Error),
    /// Not written down, so not taken in.
    #[error("the device was not enrolled")]
    Store(#[source] StoreError),
}
