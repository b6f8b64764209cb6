//! What a seat needs of whatever computes its batches, and how that may fail. The inference process is the one in
//! service; tests of the seats use others.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::OpenError;
use crate::model::ModelInfo;
use crate::model::session::Output;

/// Computes batches, one at a time.
pub(super) trait Runner: Send {
    /// The model that it proved when it started.
    fn model(&self) -> &Arc<ModelInfo>;
    /// One output per image, in order. After a fault it is not asked again.
    fn run(&mut self, images: &[&[u8]]) -> Result<Ran, Fault>;
    /// Has not ended by itself.
    fn alive(&mut self) -> bool;
    /// Its memory; `None` where the system does not tell.
    fn resident_bytes(&self) -> Option<u64>;
    /// Batches that it was given.
    fn batches(&self) -> u64;
}

/// What a runner is wanted for.
pub(super) struct Order {
    /// Bundle directory.
    pub(super) bundle: PathBuf,
    /// It shall yield the processor to everything else.
    pub(super) yielding: bool,
}

/// Gets a runner, proved and warm, or says why there is none; the last argument hears each step. Takes seconds.
pub(super) type Hire = dyn Fn(&Order, &Stop, &mut dyn FnMut(&str)) -> Result<Box<dyn Runner>, OpenError> + Send + Sync;

/// A batch that worked.
#[derive(Debug)]
pub(super) struct Ran {
    /// One per image.
    pub(super) outputs: Vec<Output>,
    /// In the session.
    pub(super) compute_ms: f64,
    /// To it and back.
    pub(super) transfer_ms: f64,
}

/// Why a batch has no outputs. Its runner is thrown away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It ended: killed, crashed, or out of memory.
    #[error("the inference process ended in the middle of a batch")]
    Died,
    /// No answer in time.
    #[error("the inference process gave no answer within {} s", .0.as_secs_f64())]
    Hung(Duration),
    /// What it answered is none.
    #[error("the inference process answered nonsense ({0})")]
    Nonsense(String),
    /// The session failed.
    #[error("the session failed: {0}")]
    Failed(String),
    /// Nobody waits for it any more.
    #[error("the engine was closed")]
    Stopped,
}

/// Whether a wait is still wanted. Clones share it; once asked to, it stays so.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
