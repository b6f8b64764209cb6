//! Enrolment over Secure Transport (RFC 7030) as both ends write it: paths, media types, bodies. Never a connection.
//!
//! Bodies are DER in base64 (section 4.1.3; RFC 8951 section 3.1 lets the header that says so be left out), answers are
//! PKCS#7 without signers ("certs-only", RFC 5652 section 5).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cms::cert::CertificateChoices;
use cms::cert::x509::der::{Decode, Encode, Error as DerError};
use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use x509_cert::Certificate;

/// The authority's certificates, for anybody (section 4.1).
pub const CA_CERTS: &str = "/.well-known/est/cacerts";

/// A first certificate, for who has a token (section 4.2.1).
pub const SIMPLE_ENROLL: &str = "/.well-known/est/simpleenroll";

/// The next certificate, for who has one (section 4.2.2).
pub const SIMPLE_REENROLL: &str = "/.well-known/est/simplereenroll";

/// What a request must hold, for anybody (section 4.5).
pub const CSR_ATTRS: &str = "/.well-known/est/csrattrs";

/// [`crate::enrolment::Papers`] as JSON, for who has a token or a certificate. Ours, not the standard's.
pub const PAPERS: &str = "/.well-known/hilum/papers";

/// The authority's revocation list, DER, for anybody. Ours.
pub const REVOCATIONS: &str = "/.well-known/hilum/ca.crl";

/// What a request's body is.
pub const REQUEST_TYPE: &str = "application/pkcs10";

/// What an answer's body is.
pub const ANSWER_TYPE: &str = "application/pkcs7-mime; smime-type=certs-only";

/// What the answer's body is.
pub const CSR_ATTRS_TYPE: &str = "application/csrattrs";

/// `CsrAttrs` (section 4.5.2), DER: a key on P-256, a signature by it with SHA-256, and a subject alternative name, which is
/// where the sealing key stands. Ed25519 is taken as well; the standard has no way to say "one of two".
pub const CSR_ATTRIBUTES: [u8; 55] = [
    0x30, 0x35, //
    // id-ecPublicKey { secp256r1 }
    0x30, 0x15, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, //
    0x31, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, //
    // ecdsa-with-SHA256
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02, //
    // extensionRequest { subjectAltName }
    0x30, 0x12, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e, //
    0x31, 0x05, 0x06, 0x03, 0x55, 0x1d, 0x11,
];

/// Most bytes of a body: a request is some 500 bytes, an answer with a chain of RSA certificates some 8 KB.
pub const MAX_BODY: usize = 64 * 1024;

/// Characters of a line of base64: `openssl base64 -d` reads no longer ones by itself.
const LINE: usize = 64;

/// Either end may leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// DER as a body.
#[must_use]
pub fn to_body(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut body = String::with_capacity(text.len() + text.len() / LINE + 1);
    for (index, letter) in text.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            body.push('\n');
        }
        body.push(letter);
    }
    body.push('\n');
    body
}

/// A body as DER; white space counts for nothing.
///
/// # Errors
/// [`EstError::TooLong`] or [`EstError::Base64`].
pub fn from_body(body: &[u8]) -> Result<Vec<u8>, EstError> {
    if body.len() > MAX_BODY {
        return Err(EstError::TooLong);
    }
    let dense: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(dense).map_err(EstError::Base64)
}

/// Certificates, DER, as PKCS#7 without signers, DER.
///
/// # Errors
/// [`EstError::Der`] where one of them is none.
pub fn certs_only<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, EstError> {
    let read: Result<Vec<Certificate>, _> = certificates.into_iter().map(Certificate::from_der).collect();
    let bag = ContentInfo::try_from(read.map_err(EstError::Der)?).map_err(EstError::Der)?;
    bag.to_der().map_err(EstError::Der)
}

/// The certificates in PKCS#7, DER; each as DER, in the order in which they lie there.
///
/// # Errors
/// [`EstError::Der`] or [`EstError::Empty`].
pub fn certificates(pkcs7: &[u8]) -> Result<Vec<Vec<u8>>, EstError> {
    let signed = ContentInfo::from_der(pkcs7).and_then(|bag| bag.content.decode_as::<SignedData>());
    let bag = signed.map_err(EstError::Der)?.certificates.ok_or(EstError::Empty)?;
    let plain = bag.0.iter().filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => Some(certificate.to_der()),
        CertificateChoices::Other(_) => None,
    });
    let found = plain.collect::<Result<Vec<_>, _>>().map_err(EstError::Der)?;
    if found.is_empty() { Err(EstError::Empty) } else { Ok(found) }
}

/// A body that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum EstError {
    /// Longer than any honest one.
    #[error("the body is longer than {MAX_BODY} bytes")]
    TooLong,
    /// Not base64.
    #[error("the body is not base64 (RFC 7030 asks for DER in base64, without PEM's first and last line)")]
    Base64(#[source] base64::DecodeError),
    /// Not DER of the right kind.
    #[error("the body is not what its type says")]
    Der(#[source] DerError),
    /// PKCS#7 with nothing in it.
    #[error("the answer holds no certificate")]
    Empty,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_white_space_and_missing_padding() {
        for length in [0_usize, 1, 47, 48, 49, 500] {
            let der: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let body = to_body(&der);
            assert!(body.lines().all(|line| line.len() <= LINE) && body.ends_with('\n'));
            assert_eq!(from_body(body.as_bytes()).unwrap(), der);
            let bare = body.replace('\n', "\r\n ").replace('=', "");
            assert_eq!(from_body(bare.as_bytes()).unwrap(), der);
        }
    }

    #[test]
    fn a_body_that_is_none_is_named() {
        assert!(matches!(from_body(b"-----BEGIN CERTIFICATE REQUEST-----"), Err(EstError::Base64(_))));
        assert!(matches!(from_body(&vec![b'A'; MAX_BODY + 1]), Err(EstError::TooLong)));
        assert!(matches!(certificates(b"0\x80"), Err(EstError::Der(_))));
        assert!(matches!(certs_only([&b"no certificate"[..]]), Err(EstError::Der(_))));
        let nothing = certs_only([]).unwrap();
        assert!(matches!(certificates(&nothing), Err(EstError::Empty)));
    }
}
