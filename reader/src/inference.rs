//! Batched inference behind a bounded queue. One worker thread owns the session; everybody else holds an [`Engine`].

pub mod batcher;
pub mod worker;

use std::time::Duration;

use crate::model::{LoadError, SessionConfig};
use crate::saliency::Saliency;

pub use batcher::{BatchPolicy, Priority};
pub use worker::Engine;

/// Session, batch and queue.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Threads and provider.
    pub session: SessionConfig,
    /// When a batch is full, and how long it waits to become so.
    pub batch: BatchPolicy,
    /// Requests that may wait; one more is refused. 1 or more.
    pub queue: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            session: SessionConfig::default(),
            batch: BatchPolicy { max_batch: 8, max_delay: Duration::from_millis(5) },
            // 224² grey bytes are 50 KB, so a full queue holds 13 MB.
            queue: 256,
        }
    }
}

/// The model's answer for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Inference {
    /// Before calibration.
    pub logit: f32,
    /// Where the evidence is.
    pub saliency: Saliency,
    /// The model's description of the image, for drift and out-of-distribution checks.
    pub embedding: Vec<f32>,
    /// Milliseconds from the request to its batch's start.
    pub queue_ms: f64,
    /// Milliseconds that its batch took.
    pub infer_ms: f64,
}

/// Why the model cannot be put to work.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The bundle is incomplete or altered, the library is missing, or the model gives wrong answers here.
    #[error("the model cannot be used")]
    Model(#[from] LoadError),
    /// No thread for the worker.
    #[error("the inference worker could not be started; the machine may be out of threads or memory")]
    Thread(#[from] std::io::Error),
}

/// Why there is no answer this time. None is the image's fault: ask again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// The queue is full.
    #[error("{capacity} images are waiting for the model already; send fewer at a time or wait")]
    Full {
        /// The bound.
        capacity: usize,
    },
    /// The worker has stopped.
    #[error("the inference worker has stopped; restart the service, and see its log for the reason")]
    Stopped,
    /// The session failed on this batch.
    #[error("the model failed: {0}; the image will be tried again")]
    Session(String),
    /// The image is not of the model's size: a caller's mistake.
    #[error("the model takes {expected} bytes and was given {found}")]
    WrongSize {
        /// Rows × columns.
        expected: usize,
        /// Given.
        found: usize,
    },
}
