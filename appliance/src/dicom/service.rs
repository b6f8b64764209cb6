//! The DICOM side as one thing to open, serve and close: its ports, its listener, and the reports that it owes.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use vitals::listen::{self, ListenError};

use super::commitment::{Desk, Notice, Provider, Reporter};
use super::listener::{Listener, Ports};
use super::tls::{Acceptor, Connector, TlsError};
use super::{DicomConfig, Rules, Timeouts};
use crate::intake::Intake;

/// The DICOM side, opened and not yet answering.
pub struct Service {
    config: DicomConfig,
    ports: Ports,
    rules: watch::Sender<Rules>,
    tls: Option<Connector>,
}

/// Why a port that takes images could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The port cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The papers of `[dicom.tls]` cannot be used.
    #[error("[dicom.tls] cannot be used")]
    Tls(#[from] TlsError),
}

impl Service {
    /// Takes the ports and loads the papers, so that a mistake is told before anything slow.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn open(config: &DicomConfig) -> Result<Self, PortError> {
        let plain = listen::bind("[dicom] listen", config.listen).await?;
        let (secured, tls) = match &config.tls {
            None => (None, None),
            Some(tls) => {
                let acceptor = Acceptor::load(tls)?;
                let own = (tls.certificate.as_path(), tls.key.as_path());
                let connector = Connector::load(Some(own), &tls.client_ca, None)?;
                (Some((listen::bind("[dicom.tls] listen", tls.listen).await?, acceptor)), Some(connector))
            }
        };
        let rules = Rules { ae_title: config.ae_title.clone(), allow: config.allow.clone() };
        Ok(Self { config: config.clone(), ports: Ports { plain, secured }, rules: watch::Sender::new(rules), tls })
    }

    /// For associations of our own over TLS, where there are papers for it.
    #[must_use]
    pub fn connector(&self) -> Option<Connector> {
        self.tls.clone()
    }

    /// Answers scanners until `stop`; reports of PACSs go to `notices`.
    pub async fn serve(self, intake: Arc<Intake>, notices: mpsc::Sender<Notice>, stop: CancellationToken) {
        let provider = Arc::new(Provider::new(Arc::clone(&intake)));
        let reporter = Reporter { provider: Arc::clone(&provider), rules: self.rules.clone(), tls: self.tls };
        let listener = Listener {
            rules: self.rules,
            intake,
            desk: Desk { provider, notices },
            max_associations: self.config.max_associations,
            timeouts: Timeouts::default(),
        };
        tokio::join!(listener.serve(self.ports, stop.clone()), reporter.run(stop));
    }

    /// Who may call, to change it while scanners are answered.
    #[must_use]
    pub fn rules(&self) -> watch::Sender<Rules> {
        self.rules.clone()
    }

    /// The port in the clear, as the system gave it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.plain.local_addr().map_or(self.config.listen.port(), |address| address.port())
    }
}
