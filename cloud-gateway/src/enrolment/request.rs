//! A device's certificate request, PKCS#10 (RFC 2986), and what may be in it. Pure: it knows no token and no database.

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SubjectPublicKeyInfo};
use sha2::{Digest, Sha256};
use wire::enrolment::sealing_key_in;
use wire::ids::DeviceId;
use wire::seal::PublicKey;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

/// Most bytes of a request: a device's is some 400, and hostile ones need not be parsed at length.
const MAX_DER: usize = 8 * 1024;

/// A request that is signed by its own key and asks for a device's name.
#[derive(Clone)]
pub struct CertificateRequest {
    /// Its common name.
    pub device: DeviceId,
    /// The key that payloads will be sealed with.
    pub sealing_key: PublicKey,
    /// The key that it is signed by.
    pub key: SubjectPublicKeyInfo,
}

impl CertificateRequest {
    /// Reads and checks DER.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_DER {
            return Err(RequestError::Unreadable);
        }
        let (rest, asked) = X509CertificationRequest::from_der(der).map_err(|_| RequestError::Unreadable)?;
        if !rest.is_empty() {
            return Err(RequestError::Unreadable);
        }
        let info = &asked.certification_request_info;
        let key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw).map_err(|_| RequestError::Key)?;
        if ![&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519].contains(&key.algorithm()) {
            return Err(RequestError::Key);
        }
        asked.verify_signature().map_err(|_| RequestError::Possession)?;
        let mut names = info.subject.iter_attributes();
        let (Some(name), None) = (names.next(), names.next()) else { return Err(RequestError::Name) };
        if info.subject.iter_common_name().next() != Some(name) {
            return Err(RequestError::Name);
        }
        let device = name.as_str().ok().and_then(|name| name.parse().ok()).ok_or(RequestError::Name)?;
        Ok(Self { device, sealing_key: sealing_key(&asked)?, key })
    }

    /// The same of a PEM file.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, RequestError> {
        let (_, read) = x509_parser::pem::parse_x509_pem(pem).map_err(|_| RequestError::Unreadable)?;
        Self::from_der(&read.contents)
    }

    /// SHA-256 of the key that it is signed by, hexadecimal.
    #[must_use]
    pub fn key_fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.key.der_bytes()))
    }
}

fn sealing_key(asked: &X509CertificationRequest<'_>) -> Result<PublicKey, RequestError> {
    let extensions = asked.requested_extensions().into_iter().flatten();
    let names = extensions.filter_map(|extension| match extension {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    let mut keys = names.flatten().filter_map(|name| match name {
        GeneralName::URI(uri) => sealing_key_in(uri),
        _ => None,
    });
    let (Some(key), None) = (keys.next(), keys.next()) else { return Err(RequestError::NoSealingKey) };
    PublicKey::from_hex(key).map_err(RequestError::SealingKey)
}

/// A request that cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not PKCS#10, or longer than any honest one.
    #[error("the certificate request is not PKCS#10; make it again with `hilum-sync-agent`")]
    Unreadable,
    /// Signed by another key than it asks for, or damaged.
    #[error("the certificate request is not signed by the key that it asks for; make it again")]
    Possession,
    /// Not a key of ours.
    #[error("the certificate request's key is neither ECDSA P-256 nor Ed25519; make it with one of these")]
    Key,
    /// Another name than one device's.
    #[error("the certificate request must be for one common name alone, the device's")]
    Name,
    /// Without the second key.
    #[error("the certificate request names no sealing key, or more than one; make it again with `hilum-sync-agent`")]
    NoSealingKey,
    /// With something else in its place.
    #[error("the certificate request's sealing key cannot be used; make it again with `hilum-sync-agent`")]
    SealingKey(#[source] wire::seal::SealError),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P384_SHA384,
        SanType, SignatureAlgorithm,
    };
    use wire::enrolment::sealing_key_name;

    /// A request for `name` with the given alternative names; DER.
    pub(crate) fn der(name: &[(DnType, &str)], uris: &[String], algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        name.iter().for_each(|(kind, value)| params.distinguished_name.push(kind.clone(), *value));
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI(uri.clone().try_into().unwrap())).collect();
        // Asking for more than a device may be: it must be ignored.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(algorithm).unwrap();
        params.serialize_request(&key).unwrap().der().to_vec()
    }

    pub(crate) fn key_name() -> String {
        sealing_key_name(&wire::seal::generate(&mut rand::rng()).1.to_hex())
    }

    #[test]
    fn a_devices_own_request_is_read_with_either_kind_of_key() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
            let name = key_name();
            let request = CertificateRequest::from_der(&der(
                &[(DnType::CommonName, "demo-1")],
                &["https://example.org".into(), name.clone()],
                algorithm,
            ));
            let request = request.unwrap();
            assert_eq!(request.device.as_str(), "demo-1");
            assert_eq!(sealing_key_name(&request.sealing_key.to_hex()), name);
        }
    }

    #[test]
    fn every_other_request_is_refused_for_its_own_reason() {
        let (name, key) = ([(DnType::CommonName, "demo-1")], key_name());
        let keys = [key.clone()];
        let p256 = &PKCS_ECDSA_P256_SHA256;
        let good = der(&name, &keys, p256);
        assert!(CertificateRequest::from_der(&good).is_ok());
        let refusal = |der: &[u8]| CertificateRequest::from_der(der).err().unwrap();
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(matches!(refusal(&damaged), RequestError::Possession));
        let another_name = good.windows(6).position(|letters| letters == b"demo-1").unwrap();
        let mut renamed = good.clone();
        renamed[another_name..another_name + 6].copy_from_slice(b"demo-2");
        assert!(matches!(refusal(&renamed), RequestError::Possession));
        assert!(matches!(refusal(&[good.as_slice(), b"x"].concat()), RequestError::Unreadable));
        assert!(matches!(refusal(&vec![0x30; MAX_DER + 1]), RequestError::Unreadable));
        assert!(matches!(refusal(b""), RequestError::Unreadable));
        assert!(matches!(refusal(&der(&name, &keys, &PKCS_ECDSA_P384_SHA384)), RequestError::Key));
        for names in [
            vec![],
            vec![(DnType::CommonName, "Demo 1")],
            vec![(DnType::OrganizationName, "demo-1")],
            vec![(DnType::CommonName, "demo-1"), (DnType::OrganizationName, "x")],
        ] {
            assert!(matches!(refusal(&der(&names, &keys, p256)), RequestError::Name), "{names:?}");
        }
        assert!(matches!(refusal(&der(&name, &[], p256)), RequestError::NoSealingKey));
        assert!(matches!(refusal(&der(&name, &[key.clone(), key_name()], p256)), RequestError::NoSealingKey));
        let short = sealing_key_name("00");
        assert!(matches!(refusal(&der(&name, &[short], p256)), RequestError::SealingKey(_)));
    }
}
