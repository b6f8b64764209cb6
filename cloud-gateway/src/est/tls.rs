//! The EST port's side of TLS: 1.3 and nothing older. A client may come without a certificate, to bring a token; one that it
//! brings must be of the authority and in its time. Whether it was revoked is asked of the database, which can say so in words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::EstConfig;

/// Reads `[est]`; `authority` signed for those who may renew.
///
/// # Errors
/// [`TlsError`].
pub fn acceptor(config: &EstConfig, authority: &[CertificateDer<'static>]) -> Result<TlsAcceptor, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in authority {
        roots.add(certificate.clone()).map_err(TlsError::Authority)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(TlsError::Verifier)?;
    let pem = |key, file: &Path| {
        let file = file.to_owned();
        move |source| TlsError::Pem { key, file, source }
    };
    let chain = CertificateDer::pem_file_iter(&config.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem("certificate", &config.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&config.key).map_err(pem("key", &config.key))?;
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Pair)?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// Papers that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not readable or not PEM.
    #[error("{} ([est] {key}) cannot be read as PEM; check the path and the file", file.display())]
    Pem {
        /// As the configuration calls it.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// Not an authority.
    #[error("[ca] certificate cannot be an authority")]
    Authority(#[source] rustls::Error),
    /// Nothing to check clients against.
    #[error("[ca] certificate holds nothing that devices can be checked against")]
    Verifier(#[source] VerifierBuilderError),
    /// Not a pair.
    #[error("[est] certificate and key cannot be used; they must be made together")]
    Pair(#[source] rustls::Error),
}
