//! Objects over HTTP: the store transaction of DICOMweb (STOW-RS, PS3.18 10.5), one more face of [`crate::intake`]. It
//! answers nobody whom `[[stow.client]]` does not name, and gives nothing back but what became of each object.
//!
//! ```text
//! door (connection, TLS) ─▶ clients (who) ─▶ request (what, how much) ─▶ multipart ─▶ object ─▶ crate::intake
//!                                                                          answer ◀─────┘
//! ```

pub mod answer;
mod clients;
mod door;
pub mod media_type;
pub mod multipart;
mod object;
mod request;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::config::Mistakes;
use vitals::listen;

use crate::dicom::tls::Acceptor;
use crate::dicom::{AeTitle, PortError, TlsConfig};
use crate::intake::Intake;
pub use clients::{ClientError, Clients};

/// `[stow]` of the configuration. With `[dicom.tls]` the port speaks TLS with the same papers, and in the clear without.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StowConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// MiB that one request may have, 1 to 4096.
    #[serde(default = "StowConfig::default_max_body_mib")]
    pub max_body_mib: u64,
    /// Requests at the same time, 1 to 64.
    #[serde(default = "StowConfig::default_max_requests")]
    pub max_requests: usize,
    /// Who may send. Nobody else is answered.
    #[serde(default)]
    pub client: Vec<ClientConfig>,
}

/// `[[stow.client]]`: a token, a certificate, or both, and then both are asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// The name that results of its images bear, as a scanner's AE title would be.
    pub name: AeTitle,
    /// File with the token that it shows, 32 to 512 characters.
    pub token_file: Option<PathBuf>,
    /// A name that its certificate bears.
    pub certificate: Option<String>,
}

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a body.
    pub body: u64,
    /// Objects in a body.
    pub parts: usize,
    /// Requests at the same time.
    pub requests: usize,
    /// Longest silence within a body.
    pub idle: Duration,
}

impl Limits {
    /// More than any study of radiographs has; each takes an entry in the answer.
    pub const PARTS: usize = 1000;
    /// A sender that reads its next film from a slow disk takes seconds.
    pub const IDLE: Duration = Duration::from_secs(60);
    /// Bytes of a request line with its headers.
    pub const HEAD: usize = 64 * 1024;
}

/// The port, opened and not yet answering.
pub struct Service {
    socket: TcpListener,
    tls: Option<Acceptor>,
    clients: watch::Sender<Arc<Clients>>,
    limits: Limits,
}

/// Why it could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The port cannot be had, or the papers of `[dicom.tls]` cannot be used.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A client cannot be known.
    #[error("[[stow.client]] cannot be used")]
    Client(#[from] ClientError),
}

impl Service {
    /// Takes the port, the papers and the tokens; none of them without `[stow]`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(config: Option<&StowConfig>, tls: Option<&TlsConfig>) -> Result<Option<Self>, OpenError> {
        let Some(config) = config else { return Ok(None) };
        let tls = tls.map(Acceptor::load).transpose().map_err(PortError::from)?;
        let clients = watch::Sender::new(Arc::new(Clients::load(&config.client)?));
        let socket = listen::bind("[stow] listen", config.listen).await.map_err(PortError::from)?;
        let limits = Limits {
            body: config.max_body_mib << 20,
            parts: Limits::PARTS,
            requests: config.max_requests,
            idle: Limits::IDLE,
        };
        Ok(Some(Self { socket, tls, clients, limits }))
    }

    /// Who may send, to change it while requests are answered.
    #[must_use]
    pub fn clients(&self) -> watch::Sender<Arc<Clients>> {
        self.clients.clone()
    }

    /// The same with other limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// What a request may cost.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The address, as the system gave it.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until `stop`, then until every request in hand is answered.
    pub async fn serve(self, intake: Arc<Intake>, stop: CancellationToken) {
        let desk = request::Desk::new(self.clients, self.limits, intake);
        door::serve(self.socket, self.tls, Arc::new(desk), stop).await;
    }
}

impl StowConfig {
    /// What cannot work in `[stow]`, and what is unwise. `secured`: there is a `[dicom.tls]`.
    pub(crate) fn mistakes(&self, secured: bool, mistakes: &mut Mistakes<'_>) {
        mistakes.require((1..=4096).contains(&self.max_body_mib), "max_body_mib", "use 1 to 4096");
        mistakes.require((1..=64).contains(&self.max_requests), "max_requests", "use 1 to 64");
        let remedy = "list at least one sender with [[stow.client]]: nobody else may send";
        mistakes.require(!self.client.is_empty(), "client", remedy);
        for (index, client) in self.client.iter().enumerate() {
            let mut entry = mistakes.item("client", index);
            let known = client.token_file.is_some() || client.certificate.is_some();
            entry.require(known, "name", "say how it is known: token_file, certificate, or both");
            let shown = client.certificate.is_none() || secured;
            entry.require(shown, "certificate", "add [dicom.tls]: a certificate is shown over TLS only");
            let twice = self.client[..index].iter().any(|other| other.name == client.name);
            entry.require(!twice, "name", "this sender is listed above already; remove one");
        }
        if !secured && !self.listen.ip().is_loopback() {
            let advice = "images and tokens come unencrypted; add [dicom.tls], or listen on 127.0.0.1 behind a proxy";
            mistakes.warning("listen", advice);
        }
    }

    /// A study of radiographs has tens of megabytes; this leaves room for a few in one request.
    fn default_max_body_mib() -> u64 {
        512
    }

    /// A PACS forwards with a handful of workers.
    fn default_max_requests() -> usize {
        4
    }
}
