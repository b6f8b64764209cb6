//! What the rooms of a running service have in common: each room writes its own part, and the status page reads all.

use std::sync::Arc;

use reader::inference::BatchPolicy;
use reader::model::ModelInfo;
use tokio::sync::{Notify, watch};
use vitals::health::{Health, Part};

use crate::config::Config;
use crate::health::certificates::Certificate;
use crate::health::machine::Machine;
use crate::health::thermal::Sensed;
use crate::journal::{DeliveryLevels, Levels};
use crate::ledger::LookupConfig;
use crate::output::OutputConfig;
use crate::refusals::Refusals;
use crate::reload::Reloaded;
use crate::spans::Spans;
use crate::world::World;

/// What the rooms have in common.
pub(super) struct Shared {
    pub(super) health: Health,
    pub(super) reader: Part,
    pub(super) dicom: Part,
    pub(super) refusals: Refusals,
    pub(super) arrived: Arc<Notify>,
    pub(super) levels: watch::Sender<Levels>,
    pub(super) deliveries: watch::Sender<DeliveryLevels>,
    pub(super) model: watch::Sender<Option<Arc<ModelInfo>>>,
    pub(super) machine: watch::Sender<Machine>,
    pub(super) certificates: watch::Sender<Vec<Certificate>>,
    pub(super) reloaded: watch::Sender<Reloaded>,
    pub(super) output: watch::Sender<Arc<OutputConfig>>,
    pub(super) lookup: watch::Sender<LookupConfig>,
    pub(super) batch: watch::Sender<BatchPolicy>,
    pub(super) sensed: watch::Sender<Sensed>,
    pub(super) spans: Spans,
    pub(super) world: World,
}

impl Shared {
    pub(super) fn new(config: &Config, world: World, spans: Spans) -> Self {
        let health = Health::default();
        Self {
            reader: health.part("reader", "the inference process is being started"),
            dicom: health.part("dicom", "not listening yet"),
            health,
            refusals: Refusals::default(),
            arrived: Arc::new(Notify::new()),
            levels: watch::Sender::default(),
            deliveries: watch::Sender::default(),
            model: watch::Sender::default(),
            machine: watch::Sender::default(),
            certificates: watch::Sender::default(),
            reloaded: watch::Sender::default(),
            output: watch::Sender::new(Arc::new(config.output())),
            lookup: watch::Sender::new(config.lookup.clone()),
            batch: watch::Sender::new(config.model.batch()),
            sensed: watch::Sender::default(),
            spans,
            world,
        }
    }
}
