//! What a stranger may say to the gateway's enrolment port, and what a device hears there: bodies, certificate requests,
//! tokens, PKCS#7.

use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderValue, header};
use gateway::enrolment::claim::ClaimToken;
use gateway::enrolment::request::CertificateRequest;
use gateway::est::caller;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, PKCS_ED25519};
use wire::est;

/// Subject Alternative Name, RFC 5280 section 4.2.1.6.
const ALTERNATIVE_NAME: [u64; 4] = [2, 5, 29, 17];

pub(crate) fn est(data: &[u8]) {
    match crate::view(data, 6) {
        Some((0, rest)) => body(rest),
        Some((1, rest)) => answer(rest),
        Some((2, rest)) => drop(CertificateRequest::from_der(rest).map(|request| sound(&request))),
        Some((3, rest)) => drop(CertificateRequest::from_pem(rest).map(|request| sound(&request))),
        Some((4, rest)) => signed(rest),
        Some((_, rest)) => token(rest),
        None => {}
    }
}

fn body(bytes: &[u8]) {
    if let Ok(der) = est::from_body(bytes) {
        assert!(der.len() <= bytes.len() && bytes.len() <= est::MAX_BODY);
        let written = est::to_body(&der);
        assert!(written.lines().all(|line| line.len() <= 64), "for tools that read no longer lines");
        // With its new lines it may be over the limit that the dense one kept.
        if written.len() <= est::MAX_BODY {
            assert_eq!(est::from_body(written.as_bytes()).ok(), Some(der));
        }
    }
}

fn answer(der: &[u8]) {
    if let Ok(found) = est::certificates(der) {
        assert!(!found.is_empty());
        let bag = est::certs_only(found.iter().map(Vec::as_slice)).expect("they were certificates");
        let mut again = est::certificates(&bag).expect("they still are");
        // A set of DER is written in order, and holds each once.
        again.sort();
        let mut found = found;
        found.sort();
        found.dedup();
        again.dedup();
        assert_eq!(again, found);
    }
}

fn sound(request: &CertificateRequest) {
    assert_eq!(request.key_fingerprint().len(), 64);
    assert_eq!(request.device.as_str().parse(), Ok(request.device.clone()), "a name that can stand in a topic");
}

/// A common name, a zero, and an alternative name's DER, in a request that is signed as it should be: mutation alone would
/// never get past the signature.
fn signed(data: &[u8]) {
    let (name, names) = crate::cut(data);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, String::from_utf8_lossy(name).into_owned());
    parameters.custom_extensions = vec![CustomExtension::from_oid_content(&ALTERNATIVE_NAME, names.to_vec())];
    let request = parameters.serialize_request(key()).expect("keys of our own");
    if let Ok(request) = CertificateRequest::from_der(request.der()) {
        sound(&request);
        assert_eq!(request.device.as_str().as_bytes(), name, "the name that it asks for");
    }
}

fn key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate_for(&PKCS_ED25519).expect("a new key"))
}

fn token(bytes: &[u8]) {
    if let Some(token) = ClaimToken::parse(&String::from_utf8_lossy(bytes)) {
        let shown = ClaimToken::parse(&token.show()).expect("a token can be typed as it is shown");
        assert_eq!(shown.hash(), token.hash());
    }
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let _ = caller::token(&headers);
}
