//! The authority that vouches for devices: it signs certificates and the list of those that count no more. It decides
//! nothing: whoever calls it has checked.

use std::path::Path;

use rcgen::{
    CertificateParams, CertificateRevocationList, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams,
    SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use wire::enrolment::sealing_key_name;
use zeroize::Zeroizing;

use crate::config::CaConfig;
use crate::enrolment::request::CertificateRequest;

/// How far a device's clock may lag behind without refusing its own certificate.
const CLOCK_SLACK: Duration = Duration::hours(1);

/// What an authority vouches with.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificates: Vec<CertificateDer<'static>>,
    life: Duration,
    list_life: Duration,
}

/// A certificate that was just signed.
pub struct Signed {
    /// DER.
    pub der: Vec<u8>,
    /// PEM.
    pub pem: String,
    /// Hexadecimal.
    pub serial: String,
    /// The end of its life.
    pub until: OffsetDateTime,
}

/// A certificate that counts no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Its serial number, as many bytes as there are.
    pub serial: Vec<u8>,
    /// Since when.
    pub since: OffsetDateTime,
    /// Why.
    pub reason: RevocationReason,
}

impl Authority {
    /// Reads `[ca]`.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn load(config: &CaConfig) -> Result<Self, AuthorityError> {
        let read = |file: &Path| {
            let failed = |source| AuthorityError::Read { file: file.to_owned(), source };
            std::fs::read_to_string(file).map_err(failed).map(Zeroizing::new)
        };
        let (certificate, key) = (read(&config.certificate)?, read(&config.key)?);
        let key = KeyPair::from_pem(&key).map_err(AuthorityError::Papers)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(AuthorityError::Papers)?;
        let certificates = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>();
        let certificates = certificates.map_err(AuthorityError::Pem)?;
        let (life, list_life) =
            (Duration::days(config.certificate_days.into()), Duration::days(config.crl_days.into()));
        Ok(Self { issuer, certificates, life, list_life })
    }

    /// Its own certificate, and what else its file holds; at least one.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// How long one of its lists is good for.
    #[must_use]
    pub fn list_life(&self) -> Duration {
        self.list_life
    }

    /// Signs a checked request. Nothing but its name and its two keys is taken from it: what else it asks for is ignored.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`].
    pub fn sign(
        &self,
        request: &CertificateRequest,
        at: OffsetDateTime,
        mut serial: [u8; 16],
    ) -> Result<Signed, AuthorityError> {
        // The highest bit is cleared so that DER's positive integer stays within 16 bytes (RFC 5280, section 4.1.2.2);
        // the next is set so that no leading zero makes two spellings of one number.
        serial[0] = serial[0] & 0x7f | 0x40;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, request.device.as_str());
        let name = sealing_key_name(&request.sealing_key.to_hex());
        params.subject_alt_names = vec![SanType::URI(name.try_into().map_err(AuthorityError::Sign)?)];
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = at - CLOCK_SLACK;
        params.not_after = at + self.life;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(&request.key, &self.issuer).map_err(AuthorityError::Sign)?;
        let until = params.not_after;
        Ok(Signed { der: signed.der().to_vec(), pem: signed.pem(), serial: hex::encode(serial), until })
    }

    /// Signs a list of everything that is withdrawn (RFC 5280, section 5).
    ///
    /// # Errors
    /// [`AuthorityError::Sign`], where its certificate does not let it sign lists, too.
    pub fn list(
        &self,
        withdrawn: &[Withdrawn],
        number: u64,
        at: OffsetDateTime,
    ) -> Result<CertificateRevocationList, AuthorityError> {
        let revoked = withdrawn.iter().map(|one| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&one.serial),
            revocation_time: one.since,
            reason_code: Some(one.reason),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            // A broker whose clock lags behind would refuse everybody.
            this_update: at - CLOCK_SLACK,
            next_update: at + self.list_life,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).map_err(AuthorityError::Sign)
    }
}

/// An authority that cannot vouch.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Not readable.
    #[error("{} ([ca]) cannot be read; only the machine that signs for devices should have it", file.display())]
    Read {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a certificate.
    #[error("[ca] certificate is not PEM")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// Not a pair.
    #[error("[ca] certificate or key cannot be used; both must be PEM and belong together")]
    Papers(#[source] rcgen::Error),
    /// It could not sign.
    #[error("[ca] key cannot sign this; its certificate must allow signing certificates and revocation lists")]
    Sign(#[source] rcgen::Error),
}
