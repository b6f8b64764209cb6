//! What of the configuration may change while the service runs. A new version is made ready whole, with every file that it
//! names, before any of it is in force: what cannot be made ready changes nothing.

use std::sync::Arc;

use reader::inference::BatchPolicy;
use tokio::sync::watch;
use vitals::logging::{LogLevel, LoggingError};

use crate::config::{Config, ModelConfig};
use crate::dicom::Rules;
use crate::ledger::LookupConfig;
use crate::output::OutputConfig;
use crate::output::peer::{self, Unusable};
use crate::stow::{ClientError, Clients};

/// What may change, in the hands of those who live by it.
pub struct Live {
    /// `[log] level`.
    pub log: LogLevel,
    /// `[[dicom.allow]]`.
    pub rules: watch::Sender<Rules>,
    /// `[[destination]]` and `[[route]]`.
    pub output: watch::Sender<Arc<OutputConfig>>,
    /// `[[stow.client]]`; none where the service was started without `[stow]`.
    pub clients: Option<watch::Sender<Arc<Clients>>>,
    /// `[lookup]`.
    pub lookup: watch::Sender<LookupConfig>,
    /// `[model] max_batch` and `max_delay_ms`.
    pub batch: watch::Sender<BatchPolicy>,
    /// Images in one batch at the start: the inference processes have memory for so many.
    pub largest_batch: usize,
    /// The service was started with the papers of `[dicom.tls]`.
    pub has_papers: bool,
}

/// Whether a key may change to what the new configuration says.
type May = fn(&Live, &Config) -> bool;

/// Each key that may change, and when.
const KEYS: [(&str, May); 8] = [
    ("log.level", |_, _| true),
    ("dicom.allow", |_, _| true),
    ("destination", |_, _| true),
    ("route", |_, _| true),
    ("stow.client", |live, config| live.clients.is_some() && config.stow.is_some()),
    ("lookup.keep_days", |_, _| true),
    ("model.max_batch", |live, config| config.model.layout().max_batch <= live.largest_batch),
    ("model.max_delay_ms", |_, _| true),
];

/// Why a configuration without mistakes cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// A client of STOW-RS.
    #[error("[[stow.client]] cannot be used")]
    Client(#[from] ClientError),
    /// A destination's papers or token.
    #[error("[[destination]] {name} cannot be used")]
    Destination {
        /// Which.
        name: String,
        /// Why.
        source: Unusable,
    },
    /// The papers for a destination are taken at the start only.
    #[error("[[destination]] {0} is spoken to over TLS, and the service was started without [dicom.tls]; restart it")]
    Papers(String),
    /// The log.
    #[error(transparent)]
    Log(#[from] LoggingError),
}

/// A configuration that can be put in force without anything that might fail.
struct Ready {
    output: Arc<OutputConfig>,
    clients: Option<Arc<Clients>>,
}

impl Live {
    /// True where this key need not wait for a restart.
    pub(super) fn may_change(&self, key: &str, config: &Config) -> bool {
        KEYS.iter().any(|(known, may)| *known == key && may(self, config))
    }

    /// Puts all of it in force that may be, or none.
    ///
    /// # Errors
    /// [`NotReady`]; nothing has changed then.
    pub(super) fn put_in_force(&self, config: &Config) -> Result<(), NotReady> {
        let ready = self.make_ready(config)?;
        // The only step that may fail, so it comes first.
        self.log.set(&config.log.level)?;
        self.rules.send_modify(|rules| rules.allow.clone_from(&config.dicom.allow));
        self.output.send_if_modified(|output| replaced(output, ready.output));
        if let (Some(theirs), Some(clients)) = (&self.clients, ready.clients) {
            theirs.send_replace(clients);
        }
        self.lookup.send_replace(config.lookup.clone());
        self.batch.send_if_modified(|batch| replaced(batch, self.policy(&config.model)));
        Ok(())
    }

    fn make_ready(&self, config: &Config) -> Result<Ready, NotReady> {
        let output = config.output();
        for destination in &output.destination {
            let name = || destination.name().to_owned();
            if destination.needs_papers() && !self.has_papers {
                return Err(NotReady::Papers(name()));
            }
            peer::check(destination).map_err(|source| NotReady::Destination { name: name(), source })?;
        }
        // Always anew: a token may have changed in its file while the configuration did not.
        let clients = match (&self.clients, &config.stow) {
            (Some(_), Some(stow)) => Some(Arc::new(Clients::load(&stow.client)?)),
            _ => None,
        };
        Ok(Ready { output: Arc::new(output), clients })
    }

    fn policy(&self, model: &ModelConfig) -> BatchPolicy {
        let policy = model.batch();
        BatchPolicy { max_batch: policy.max_batch.min(self.largest_batch), ..policy }
    }
}

fn replaced<T: PartialEq>(value: &mut T, new: T) -> bool {
    let is_new = *value != new;
    *value = new;
    is_new
}
