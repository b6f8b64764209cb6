//! The gateway's side of mutual TLS 1.3 with the broker. It never falls back to an older version or to no certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::MqttConfig;

/// Reads the three files of `[mqtt]`.
///
/// # Errors
/// [`TlsError`], which names the file and the key of the configuration.
pub fn client(config: &MqttConfig) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("[mqtt] ca", &config.ca)? {
        roots.add(authority).map_err(|source| TlsError::Authority { file: config.ca.clone(), source })?;
    }
    let chain = certificates("[mqtt] certificate", &config.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&config.key).map_err(|source| TlsError::Pem {
        key: "[mqtt] key",
        file: config.key.clone(),
        source,
    })?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Version)?;
    let client = builder.with_root_certificates(roots).with_client_auth_cert(chain, key).map_err(|source| {
        TlsError::Pair { certificate: config.certificate.clone(), key: config.key.clone(), source }
    })?;
    Ok(Arc::new(client))
}

fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Pem { key, file: file.to_owned(), source };
    let found: Vec<_> =
        CertificateDer::pem_file_iter(file).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if found.is_empty() {
        return Err(TlsError::Empty { key, file: file.to_owned() });
    }
    Ok(found)
}

/// Papers that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not readable or not PEM.
    #[error("{} ({key}) cannot be read as PEM; check the path and the file", file.display())]
    Pem {
        /// As the configuration calls it.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// PEM, but of something else.
    #[error("{} ({key}) holds no certificate", file.display())]
    Empty {
        /// As the configuration calls it.
        key: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// Not an authority.
    #[error("{} ([mqtt] ca) holds a certificate that cannot be an authority", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Not a pair.
    #[error(
        "{} ([mqtt] key) does not belong to {} ([mqtt] certificate); they must be made together",
        key.display(), certificate.display()
    )]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The cryptography does not speak TLS 1.3; never so in a released build.
    #[error("this build does not speak TLS 1.3")]
    Version(#[source] rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn wrong_papers_are_named_by_file_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate = CertificateParams::new(["gateway".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(at("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(at("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(at("other.pem"), other.serialize_pem()).unwrap();
        let config = |ca: &str, certificate: &str, key: &str| MqttConfig {
            host: "localhost".into(),
            port: 1,
            ca: at(ca),
            certificate: at(certificate),
            key: at(key),
            group: "gateway".into(),
        };
        assert!(client(&config("cert.pem", "cert.pem", "key.pem")).is_ok());
        for (ca, certificate, key, words) in [
            ("missing.pem", "cert.pem", "key.pem", "missing.pem ([mqtt] ca)"),
            ("key.pem", "cert.pem", "key.pem", "key.pem ([mqtt] ca) holds no certificate"),
            ("cert.pem", "key.pem", "key.pem", "key.pem ([mqtt] certificate) holds no certificate"),
            ("cert.pem", "cert.pem", "cert.pem", "cert.pem ([mqtt] key)"),
            ("cert.pem", "cert.pem", "other.pem", "other.pem ([mqtt] key) does not belong to"),
        ] {
            let error = client(&config(ca, certificate, key)).unwrap_err().to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
