//! A certificate from before the gateway wrote its certificates down, as an operator brings it. Pure: it only reads, and
//! checks that this authority signed it.

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use wire::ids::DeviceId;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::store::certificates::CertificateRow;

/// Reads one, PEM: whose it is, and what there is to write down.
///
/// # Errors
/// [`EarlierError`].
pub fn read(pem: &[u8], authorities: &[CertificateDer<'_>]) -> Result<(DeviceId, CertificateRow), EarlierError> {
    let (_, file) = x509_parser::pem::parse_x509_pem(pem).map_err(|_| EarlierError::Unreadable)?;
    let (_, certificate) = X509Certificate::from_der(&file.contents).map_err(|_| EarlierError::Unreadable)?;
    let signed = authorities.iter().filter_map(|der| X509Certificate::from_der(der).ok()).any(|(_, authority)| {
        authority.subject() == certificate.issuer()
            && certificate.verify_signature(Some(authority.public_key())).is_ok()
    });
    if !signed {
        return Err(EarlierError::Foreign);
    }
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let device: DeviceId = name.and_then(|name| name.parse().ok()).ok_or(EarlierError::NoDevice)?;
    let at = |time: x509_parser::time::ASN1Time| time.timestamp() * 1_000;
    // Without DER's leading zero, as the numbers of our own making are written.
    let serial = certificate.raw_serial();
    let serial = &serial[serial.iter().take_while(|byte| **byte == 0).count()..];
    let row = CertificateRow {
        fingerprint: hex::encode(Sha256::digest(&file.contents)),
        device: device.to_string(),
        serial: hex::encode(serial),
        issued_at: at(certificate.validity().not_before),
        expires_at: at(certificate.validity().not_after),
        revoked_at: None,
        reason: None,
    };
    Ok((device, row))
}

/// A certificate that is not written down.
#[derive(Debug, thiserror::Error)]
pub enum EarlierError {
    /// Not a certificate.
    #[error("this is no certificate in PEM; it is the entry `certificate` of the device's enrolment.json")]
    Unreadable,
    /// Somebody else's.
    #[error("[ca] certificate did not sign this; a list that this gateway signs cannot name it")]
    Foreign,
    /// Not a device's.
    #[error("this certificate is for no device")]
    NoDevice,
}
