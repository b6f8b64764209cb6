//! What this device needs to know of its own certificate. Pure.

use sha2::{Digest, Sha256};
use wire::enrolment::sealing_key_in;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use super::{sealing_name, tls_name};

/// A device's certificate, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its common name, as text.
    pub name: String,
    /// The public half of its TLS key, without its algorithm.
    pub public_key: Vec<u8>,
    /// The public half of the sealing key that it names, hexadecimal.
    pub sealing_key: String,
    /// When it begins, Unix milliseconds.
    pub from_ms: i64,
    /// When it ends, likewise.
    pub until_ms: i64,
    /// SHA-256 of all of it.
    pub hash: [u8; 32],
}

impl Certificate {
    /// Reads PEM; `None` for anything but a certificate of a device.
    #[must_use]
    pub fn read(pem: &str) -> Option<Self> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
        let read = pem.parse_x509().ok()?;
        let name = read.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
        let ms = |at: x509_parser::time::ASN1Time| at.timestamp().saturating_mul(1_000);
        Some(Self {
            name,
            public_key: read.public_key().subject_public_key.data.to_vec(),
            sealing_key: sealing_key(&read)?,
            from_ms: ms(read.validity().not_before),
            until_ms: ms(read.validity().not_after),
            hash: Sha256::digest(&pem.contents).into(),
        })
    }

    /// The files of its keys.
    #[must_use]
    pub fn keys(&self) -> [String; 2] {
        [tls_name(&self.public_key), sealing_name(&self.sealing_key)]
    }
}

fn sealing_key(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => sealing_key_in(uri).map(str::to_owned),
        _ => None,
    })
}

/// 16 hexadecimal characters: names a file among a handful.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}
