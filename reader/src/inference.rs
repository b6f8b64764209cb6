//! Batched inference behind a bounded queue.
//!
//! ```text
//! Engine::infer ─▶ line (urgent first) ─▶ seat ─▶ inference process: ONNX Runtime, session, golden check
//!                                           └─▶ shadow ─▶ the candidate's process ─▶ Pair
//! ```
//! Everybody holds an [`Engine`]; it never loads ONNX Runtime. Each seat is a thread with one inference process, which is
//! replaced when it dies, hangs, answers nonsense, grows, or when another model is put in force; what it had in hand is run
//! again by the next.

pub mod batcher;
mod engine;
mod line;
pub mod recycling;
mod retry;
mod runner;
mod seat;
mod shadow;
mod shared;
pub mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{ModelInfo, SessionConfig, Trust};
use crate::saliency::Saliency;

pub use batcher::{Admission, BatchPolicy, Priority};
pub use engine::{Engine, prepare};
pub use recycling::Recycling;
pub use shadow::Pair;
pub use shared::Standing;
pub use worker::WorkerConfig;

/// Model, processes, batch and queue.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Directory of the model bundle (`manifest.json`, `model.onnx`, `golden/`).
    pub bundle: PathBuf,
    /// Whose bundles are accepted.
    pub trust: Trust,
    /// The site, whose own calibration and operating point are used where the bundle has them.
    pub site: String,
    /// ONNX Runtime's shared library.
    pub onnxruntime: PathBuf,
    /// The inference processes' program.
    pub worker: WorkerConfig,
    /// Inference processes at the same time, 1 or more.
    pub workers: usize,
    /// When they are replaced although they work.
    pub recycling: Recycling,
    /// Threads and provider, of each process.
    pub session: SessionConfig,
    /// When a batch is full, and how long it waits to become so.
    pub batch: BatchPolicy,
    /// Requests that may wait; one more is refused. 1 or more.
    pub queue: usize,
    /// When an answer is wanted, counted from the beginning of the image's reading; see [`Engine::infer_by`].
    pub answer_within: Duration,
}

impl EngineConfig {
    /// One process with ONNX Runtime's own choice of threads and provider.
    #[must_use]
    pub fn new(bundle: PathBuf, trust: Trust, onnxruntime: PathBuf, worker: WorkerConfig) -> Self {
        Self {
            bundle,
            trust,
            site: String::new(),
            onnxruntime,
            worker,
            workers: 1,
            recycling: Recycling::default(),
            session: SessionConfig::default(),
            batch: BatchPolicy { max_batch: 8, max_delay: Duration::from_millis(5) },
            // 224² grey bytes are 50 KB, so a full queue holds 13 MB.
            queue: 256,
            // What a technician at the scanner still waits for.
            answer_within: Duration::from_secs(2),
        }
    }
}

/// The model's answer for one image.
#[derive(Clone, Debug)]
pub struct Inference {
    /// Before calibration.
    pub logit: f32,
    /// Where the evidence is.
    pub saliency: Saliency,
    /// The model's description of the image, for drift and out-of-distribution checks.
    pub embedding: Vec<f32>,
    /// The model that read it.
    pub model: Arc<ModelInfo>,
    /// Milliseconds from the request to the start of the batch that answered it.
    pub queue_ms: f64,
    /// Milliseconds that its batch took to the process and its outputs back.
    pub transfer_ms: f64,
    /// Milliseconds that its batch took in the session.
    pub infer_ms: f64,
}

/// Why there is no inference process.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The bundle is incomplete or altered, the library is missing, or the model gives wrong answers here.
    #[error("the model cannot be used: {0}")]
    Refused(String),
    /// The program is missing, or the machine is out of processes or memory.
    #[error("the inference process {program} cannot be started")]
    Process {
        /// Which program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The program is something else.
    #[error("{program} is not the inference process of this version; install the programs of one release together")]
    NotAWorker {
        /// Which program.
        program: PathBuf,
    },
    /// It ended before it was ready.
    #[error(
        "the inference process ended while it loaded the model; look for a crash or want of memory in the system's log"
    )]
    Ended,
    /// It stopped telling what it does.
    #[error("the inference process said nothing for {seconds} s while it loaded the model; look at the GPU's driver")]
    Silent {
        /// How long it was waited for.
        seconds: u64,
    },
    /// No thread.
    #[error("a thread of the engine could not be started; the machine may be out of threads or memory")]
    Thread(#[source] std::io::Error),
    /// The engine was closed meanwhile.
    #[error("the engine was closed while the model was being loaded")]
    Stopped,
}

/// Why there is no answer this time. None is proof against the image: ask again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// The queue is full.
    #[error("{capacity} images are waiting for the model already; send fewer at a time or wait")]
    Full {
        /// The bound.
        capacity: usize,
    },
    /// The engine is closed.
    #[error("inference has stopped with the service; the image will be read at the next start")]
    Stopped,
    /// Several processes in a row failed on this image alone, each of which had just proved the model.
    #[error("{times} inference processes failed on this image alone: {problem}; the image will be tried again")]
    Fatal {
        /// How many.
        times: u32,
        /// How the last one failed.
        problem: String,
    },
    /// The image is not of the model's size: a caller's mistake.
    #[error("the model takes {expected} bytes and was given {found}")]
    WrongSize {
        /// Rows × columns.
        expected: usize,
        /// Given.
        found: usize,
    },
}
