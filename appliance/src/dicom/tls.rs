//! DICOM over TLS with certificates on both sides: the BCP 195 secure transport connection profiles of PS3.15 (B.9, B.10 and
//! B.12, after RFC 9325). TLS 1.2 and 1.3 only; a peer without a certificate of the configured authority gets no byte in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::transport::Connection;

/// The suites of RFC 9325 4.2 and, for TLS 1.3, of RFC 8446 9.1: forward secrecy and authenticated encryption, nothing else.
/// PS3.15 B.10 and B.12 forbid negotiating below them.
pub const SUITES: [SupportedCipherSuite; 7] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// `[dicom.tls]`, and the same three papers wherever TLS is spoken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Our certificate and those between it and its authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authority that signs for the peers, PEM; nobody else's certificate counts.
    pub client_ca: PathBuf,
    /// Address and port of DICOM over TLS; 2762 is the registered one.
    pub listen: SocketAddr,
}

/// Papers that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or no PEM of its kind.
    #[error("{} has no usable {what}; name a PEM file that the service's user can read", file.display())]
    Paper {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// They do not fit each other.
    #[error(
        "the certificate, its key and the authority cannot be used together; was the key made for another certificate?"
    )]
    Papers(#[source] rustls::Error),
    /// The authority cannot be one.
    #[error("{} holds no certificate that can be an authority", .0.display())]
    Authority(PathBuf, #[source] rustls::server::VerifierBuilderError),
}

/// The answering side.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

/// The calling side.
#[derive(Clone)]
pub struct Connector {
    connector: TlsConnector,
    /// The name that the peer's certificate must bear, where it is another than its host's.
    name: Option<ServerName<'static>>,
}

/// Who a peer is by its certificate: its common name and its alternative names, each as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity(pub Vec<String>);

impl Acceptor {
    /// # Errors
    /// [`TlsError`].
    pub fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let provider = provider();
        let roots = roots(&config.client_ca)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        let verifier = verifier.map_err(|source| TlsError::Authority(config.client_ca.clone(), source))?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Papers)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain(&config.certificate)?, key(&config.key)?)
            .map_err(TlsError::Papers)?;
        Ok(Self(TlsAcceptor::from(Arc::new(server))))
    }

    /// The handshake; who the peer is comes out of it.
    ///
    /// # Errors
    /// What rustls says: no certificate, another authority's, no common version or suite.
    pub(crate) async fn accept(&self, socket: TcpStream) -> std::io::Result<(Connection, Identity)> {
        let stream = self.0.accept(socket).await?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let identity = certificates.first().map(Identity::of).unwrap_or_default();
        Ok((Box::new(stream), identity))
    }
}

impl Connector {
    /// With a certificate of our own where `own` is given as (certificate, key), for peers whose certificate `ca` signed.
    /// `name` is what that certificate must bear; the host's name if absent.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(own: Option<(&Path, &Path)>, ca: &Path, name: Option<ServerName<'static>>) -> Result<Self, TlsError> {
        let provider = provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca)?), Arc::clone(&provider)).build();
        let verifier = verifier.map_err(|source| TlsError::Authority(ca.to_owned(), source))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Papers)?
            .with_webpki_verifier(verifier);
        let client = match own {
            None => client.with_no_client_auth(),
            Some((certificate, own)) => {
                client.with_client_auth_cert(chain(certificate)?, key(own)?).map_err(TlsError::Papers)?
            }
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(client)), name })
    }

    /// For a peer whose certificate bears this name, where that can be checked: a host's name or an address.
    #[must_use]
    pub fn expecting(&self, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).ok();
        Self { connector: self.connector.clone(), name: name.or_else(|| self.name.clone()) }
    }

    /// The handshake with `host`, which is a name or an address with a port.
    ///
    /// # Errors
    /// What rustls says.
    pub(super) async fn connect(&self, host: &str, socket: TcpStream) -> std::io::Result<Connection> {
        let bare = host.rsplit_once(':').map_or(host, |(host, _)| host).trim_matches(['[', ']']).to_owned();
        let named = || ServerName::try_from(bare).map_err(std::io::Error::other);
        let name = self.name.clone().map_or_else(named, Ok)?;
        Ok(Box::new(self.connector.connect(name, socket).await?))
    }
}

impl Identity {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Self::default() };
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        let mut names: Vec<String> = common.map(str::to_owned).collect();
        if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
            names.extend(alternative.value.general_names.iter().filter_map(alternative_name));
        }
        Self(names)
    }

    /// Whether the certificate bears this name.
    #[must_use]
    pub fn bears(&self, name: &str) -> bool {
        // DNS names are written in any case (RFC 4343).
        self.0.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress([a, b, c, d]) => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
        GeneralName::IPAddress(bytes) => {
            <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())
        }
        _ => None,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { cipher_suites: SUITES.to_vec(), ..aws_lc_rs::default_provider() })
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots.add(certificate).map_err(TlsError::Papers)?;
    }
    Ok(roots)
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |source| TlsError::Paper { file: file.to_owned(), what: "certificate", source };
    let found =
        CertificateDer::pem_file_iter(file).map_err(unusable)?.collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    if found.is_empty() { Err(unusable(rustls_pki_types::pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|source| TlsError::Paper {
        file: file.to_owned(),
        what: "private key",
        source,
    })
}
