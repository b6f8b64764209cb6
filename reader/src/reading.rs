//! The whole of it: prepare in the sandbox, gate, infer, find. One call per image; every image gets exactly one answer.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::finding::Finding;
use crate::inference::{Engine, EngineConfig, InferError, Inference, OpenError, Priority};
use crate::model::{Loaded, ModelInfo};
use crate::pixels::sandbox::{Sandbox, SandboxConfig, SandboxError};
use crate::pixels::{About, Prepared, Preview, suitability};
use crate::reason::Reason;
use crate::saliency::Saliency;

/// What a reader needs to start.
#[derive(Clone, Debug)]
pub struct ReaderConfig {
    /// Directory of the model bundle (`manifest.json`, `model.onnx`, `golden/`).
    pub bundle: PathBuf,
    /// ONNX Runtime's shared library.
    pub onnxruntime: PathBuf,
    /// Session, batch and queue.
    pub engine: EngineConfig,
    /// The pool of decoding processes.
    pub sandbox: SandboxConfig,
}

/// Why an image got no answer *this time*. It is not the image's fault: keep it and ask again.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The decoding processes cannot be started.
    #[error("the image could not be prepared for now")]
    Sandbox(#[from] SandboxError),
    /// The queue is full, or the session failed.
    #[error("the image could not be read for now")]
    Infer(#[from] InferError),
    /// The thread that ran the preparation ended early.
    #[error(
        "the preparation was cut short, most likely by the service's shutdown; the image will be read at the next start"
    )]
    Interrupted,
}

/// Milliseconds per stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageTimes {
    /// Decode, grey-scale, resize.
    pub decode_ms: f64,
    /// Waiting for a batch.
    pub queue_ms: f64,
    /// In the model.
    pub infer_ms: f64,
    /// The whole call.
    pub total_ms: f64,
}

/// What came of one image.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The model read it.
    Read {
        /// Calibrated, at the operating point in force.
        finding: Finding,
        /// Where the evidence is.
        saliency: Saliency,
        /// Execution provider really in use: `TensorRT`, `CUDA` or `CPU`.
        provider: String,
    },
    /// It is an image, but not one for this model.
    Abstained(Reason),
    /// It could not be made into an image.
    Unreadable(Reason),
}

/// The answer for one image.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Header facts and identity; absent where not even the header could be read.
    pub about: Option<About>,
    /// What a reviewer sees; absent where there are no pixels.
    pub preview: Option<Preview>,
    /// What came of it.
    pub outcome: Outcome,
    /// Reservations that a reviewer must see beside the outcome.
    pub caveats: Vec<Reason>,
    /// How long each stage took.
    pub times: StageTimes,
}

/// Reads images. Cheap to clone; clones share the pool and the session.
#[derive(Clone)]
pub struct Reader {
    sandbox: Arc<Sandbox>,
    engine: Engine,
}

impl Reader {
    /// Verifies and loads the model, runs its golden radiographs, warms the session up and readies the sandbox.
    /// Blocks for a second or more: call it before serving.
    pub fn open(config: ReaderConfig) -> Result<Self, OpenError> {
        let loaded = Loaded::open(&config.bundle, &config.onnxruntime, config.engine.session)?;
        let engine = Engine::start(loaded, &config.engine)?;
        Ok(Self { sandbox: Arc::new(Sandbox::new(config.sandbox)), engine })
    }

    /// The model in use, for each result and for the status page.
    #[must_use]
    pub fn model(&self) -> &ModelInfo {
        self.engine.model()
    }

    /// Why the decoding processes' system calls are not filtered, where they are not; known from the first image on.
    #[must_use]
    pub fn unconfined(&self) -> Option<&str> {
        self.sandbox.unconfined()
    }

    /// Requests waiting for the session, for metrics.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.engine.queued()
    }

    /// Reads `object`, an open file of plaintext Part 10 bytes: a file or a memfd. `Err` means "not this time": the image
    /// stays the caller's to retry.
    /// Needs a tokio runtime; the blocking part runs on its blocking pool.
    pub async fn read(&self, object: File, priority: Priority) -> Result<Reading, ReadingError> {
        let started = Instant::now();
        let sandbox = Arc::clone(&self.sandbox);
        let prepared = tokio::task::spawn_blocking(move || sandbox.prepare(&object))
            .await
            .map_err(|_| ReadingError::Interrupted)??;
        let mut reading = self.conclude(prepared, priority).await?;
        reading.times.total_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(reading)
    }

    /// Gate, infer and find for an image that is prepared already.
    pub async fn conclude(&self, prepared: Prepared, priority: Priority) -> Result<Reading, ReadingError> {
        let use_ = &self.model().manifest.intended_use;
        let facts = prepared.about.as_ref().map(|about| &about.facts);
        let verdict = suitability::gate(facts, prepared.pixels.as_ref(), use_);
        let mut times = StageTimes { decode_ms: prepared.decode_ms, ..StageTimes::default() };
        let (preview, outcome) = match (prepared.pixels, verdict.abstain) {
            (pixels, Some(reason)) => (pixels.ok().map(|p| p.preview), Outcome::Abstained(reason)),
            (Err(unreadable), None) => (None, Outcome::Unreadable(unreadable.reason())),
            (Ok(pixels), None) => {
                let inference = self.engine.infer(pixels.input, priority).await?;
                (times.queue_ms, times.infer_ms) = (inference.queue_ms, inference.infer_ms);
                (Some(pixels.preview), self.outcome(inference))
            }
        };
        Ok(Reading { about: prepared.about, preview, outcome, caveats: verdict.caveats, times })
    }

    fn outcome(&self, inference: Inference) -> Outcome {
        let model = self.model();
        let finding = Finding::new(inference.logit, &model.manifest.calibration, model.operating_point());
        Outcome::Read { finding, saliency: inference.saliency, provider: model.provider.to_string() }
    }
}
