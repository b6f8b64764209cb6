//! The device's side of mutual TLS 1.3. It never falls back to an older version or to no certificate.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::identity::Identity;

/// Makes the TLS configuration from the device's papers.
///
/// # Errors
/// [`CredentialsError`], naming the paper that is wrong.
pub fn client(identity: &Identity) -> Result<Arc<ClientConfig>, CredentialsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("authorities", &identity.enrolment.authorities)? {
        roots.add(authority).map_err(CredentialsError::Authority)?;
    }
    let chain = certificates("certificate", &identity.enrolment.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(identity.tls_key.as_bytes()).map_err(CredentialsError::Key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(CredentialsError::Version)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(CredentialsError::Pair)?;
    Ok(Arc::new(client))
}

fn certificates(field: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let failed = |source| CredentialsError::Paper { field, source };
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(failed)?;
    if found.is_empty() { Err(failed(pem::Error::NoItemsFound)) } else { Ok(found) }
}

/// Papers that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Not a certificate.
    #[error("the \"{field}\" of enrolment.json cannot be read; enrol the device again")]
    Paper {
        /// Its field.
        field: &'static str,
        /// Why.
        source: pem::Error,
    },
    /// Not an authority.
    #[error("an authority in enrolment.json cannot be used; enrol the device again")]
    Authority(#[source] rustls::Error),
    /// Not a key.
    #[error("the device's key is not a private key; enrol the device again")]
    Key(#[source] pem::Error),
    /// Not a pair.
    #[error("the device's key does not belong to the certificate in enrolment.json; enrol the device again")]
    Pair(#[source] rustls::Error),
    /// The cryptography does not speak TLS 1.3; never so in a released build.
    #[error("this build does not speak TLS 1.3")]
    Version(#[source] rustls::Error),
}
