//! Whom a device believes to be its gateway: a server with a certificate of given authorities, or the one certificate
//! that a technician was told the fingerprint of. Never just anybody.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};

use super::EstError;

/// Whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whoever these vouch for, PEM.
    Authorities(String),
    /// The one whose certificate has this SHA-256.
    Pin([u8; 32]),
}

impl Trust {
    /// Reads a fingerprint as `openssl x509 -fingerprint -sha256` or the gateway shows it: 64 hexadecimal characters, with
    /// or without colons.
    ///
    /// # Errors
    /// A sentence for whoever typed it.
    pub fn pin(text: &str) -> Result<Self, String> {
        let digits = text.rsplit('=').next().unwrap_or(text).replace(':', "");
        let mut pin = [0; 32];
        hex::decode_to_slice(digits.trim(), &mut pin)
            .map_err(|_| "a pin is 64 hexadecimal characters; `cloud-gateway enrol token` shows it".to_owned())?;
        Ok(Self::Pin(pin))
    }

    /// The same for TLS.
    ///
    /// # Errors
    /// [`EstError::Authority`].
    pub fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, EstError> {
        match self {
            Self::Authorities(pem) => {
                let mut roots = RootCertStore::empty();
                for authority in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let authority = authority.map_err(|_| EstError::Authority)?;
                    roots.add(authority).map_err(|_| EstError::Authority)?;
                }
                let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
                Ok(built.map_err(|_| EstError::Authority)?)
            }
            Self::Pin(pin) => {
                Ok(Arc::new(Pinned { pin: *pin, algorithms: provider.signature_verification_algorithms }))
            }
        }
    }
}

/// Takes one certificate and no other. Its name and its dates do not matter: it is known by itself, and a device's clock may
/// be wrong when it joins. That its holder has the key is checked as ever.
#[derive(Debug)]
struct Pinned {
    pin: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if Sha256::digest(end_entity)[..] == self.pin[..] {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_shown() {
        let plain = "00ff".repeat(16);
        let colons = plain.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase());
        let colons = format!("sha256 Fingerprint={}", colons.collect::<Vec<_>>().join(":"));
        assert_eq!(Trust::pin(&plain), Trust::pin(&colons));
        assert!(Trust::pin(&plain).is_ok());
        for wrong in ["", "00", &plain[1..], &plain.replace('f', "g")] {
            assert!(Trust::pin(wrong).is_err(), "{wrong}");
        }
    }
}
