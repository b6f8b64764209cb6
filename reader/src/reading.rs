//! The whole of it: prepare in the sandbox, gate, infer, find. One call per image; every image gets exactly one answer.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::finding::Finding;
use crate::inference::{Engine, EngineConfig, InferError, Inference, OpenError, Priority};
use crate::model::{Likeness, ModelInfo};
use crate::pixels::sandbox::{Sandbox, SandboxConfig, SandboxError};
use crate::pixels::suitability::{self, OutsideAge};
use crate::pixels::{About, Prepared, Preview};
use crate::reason::Reason;
use crate::saliency::Saliency;

/// What a reader needs to start.
#[derive(Clone, Debug)]
pub struct ReaderConfig {
    /// Model, inference processes, batch and queue.
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
    /// To the inference process and back.
    pub transfer_ms: f64,
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
        /// The model that read it, with the execution provider really in use.
        model: Arc<ModelInfo>,
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
    outside_age: OutsideAge,
    answer_within: Duration,
}

impl Reader {
    /// Starts the engine and readies the sandbox. Returns at once; the model loads meanwhile: [`Engine::standing`].
    ///
    /// # Errors
    /// Where the machine has no thread left.
    pub fn open(config: ReaderConfig) -> Result<Self, OpenError> {
        let answer_within = config.engine.answer_within;
        let engine = Engine::start(config.engine)?;
        let (sandbox, outside_age) = (Arc::new(Sandbox::new(config.sandbox)), OutsideAge::default());
        Ok(Self { sandbox, engine, outside_age, answer_within })
    }

    /// The engine, to look at and to give another model.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// With another rule for patients outside the intended ages than abstaining.
    #[must_use]
    pub fn outside_age(self, outside_age: OutsideAge) -> Self {
        Self { outside_age, ..self }
    }

    /// Why the decoding processes' system calls are not filtered, where they are not; known from the first image on.
    #[must_use]
    pub fn unconfined(&self) -> Option<&str> {
        self.sandbox.unconfined()
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
        // Nobody waits for the backlog; what took long to decode leaves before what did not.
        let deadline = (priority != Priority::Backlog).then(|| started + self.answer_within);
        let mut reading = self.conclude(prepared, priority, deadline).await?;
        reading.times.total_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(reading)
    }

    /// Gate, infer and find for an image that is prepared already. Waits for a model where none is loaded yet.
    async fn conclude(
        &self,
        prepared: Prepared,
        priority: Priority,
        deadline: Option<Instant>,
    ) -> Result<Reading, ReadingError> {
        let Prepared { about, pixels, decode_ms } = prepared;
        let model = self.engine.ready().await?;
        let facts = about.as_ref().map(|about| &about.facts);
        let mut verdict = suitability::gate(facts, pixels.as_ref(), &model.manifest.intended_use, self.outside_age);
        let mut times = StageTimes { decode_ms, ..StageTimes::default() };
        let (preview, outcome) = match (pixels, verdict.abstain) {
            (pixels, Some(reason)) => (pixels.ok().map(|p| p.preview), Outcome::Abstained(reason)),
            (Err(unreadable), None) => (None, Outcome::Unreadable(unreadable.reason())),
            (Ok(pixels), None) => {
                let inference = self.engine.infer_by(pixels.input, priority, deadline).await?;
                (times.queue_ms, times.transfer_ms) = (inference.queue_ms, inference.transfer_ms);
                times.infer_ms = inference.infer_ms;
                verdict.caveats.extend(doubt(&inference));
                (Some(pixels.preview), outcome(inference))
            }
        };
        Ok(Reading { about, preview, outcome, caveats: verdict.caveats, times })
    }
}

fn outcome(inference: Inference) -> Outcome {
    if likeness(&inference) == Likeness::Unlike {
        let words = "the image lies farther from the model's training radiographs than any of them from each other; \
                     it is not read: look whether it is a frontal chest radiograph, upright and not inverted";
        return Outcome::Abstained(Reason::new("out_of_distribution", words));
    }
    let Inference { logit, saliency, model, .. } = inference;
    Outcome::Read { finding: Finding::new(logit, &model.rule), saliency, model }
}

fn doubt(inference: &Inference) -> Option<Reason> {
    let words =
        "the image is unlike almost all of the model's training radiographs; its answer is less reliable than measured";
    (likeness(inference) == Likeness::Doubtful).then(|| Reason::new("unlike_training", words))
}

/// A bundle that does not say where its training images lie cannot tell others apart.
fn likeness(inference: &Inference) -> Likeness {
    inference
        .model
        .distribution
        .as_ref()
        .map_or(Likeness::Alike, |distribution| distribution.judge(&inference.embedding))
}
