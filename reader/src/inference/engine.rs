//! The handle by which everybody asks the model. Each request gets exactly one answer: an inference, or an error that
//! says that it may be asked again. It loads nothing itself: inference processes do.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use super::batcher::{Admission, BatchPolicy, Priority};
use super::line::{Answer, Line, Request};
use super::runner::{Hire, Runner, Stop};
use super::seat::Seat;
use super::shadow::{self, Pair};
use super::shared::{Shared, Standing};
use super::worker::{Process, Setup};
use super::{EngineConfig, InferError, OpenError};
use crate::model::{ModelInfo, SessionConfig};
use crate::pixels::INPUT_SIDE;

/// Asks the model. Cheap to clone; when the last clone goes, its processes end.
#[derive(Clone)]
pub struct Engine {
    crew: Arc<Crew>,
}

struct Crew {
    shared: Arc<Shared>,
    seats: Vec<JoinHandle<()>>,
    /// Images in one batch at most.
    largest: usize,
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop.ask();
        self.shared.line.close();
        for seat in self.seats.drain(..) {
            // A seat that panicked has told so already.
            let _ = seat.join();
        }
    }
}

impl Engine {
    /// Starts the engine and returns at once: the model is loaded and proved in processes of their own, again and again
    /// until it works; [`Self::standing`] tells how that goes. Requests may be made from the first moment.
    ///
    /// # Errors
    /// Where the machine has no thread left.
    pub fn start(config: EngineConfig) -> Result<Self, OpenError> {
        let (line, largest) = (Line::new(config.batch, config.queue), config.batch.max_batch);
        let (bundle, recycling, workers) = (config.bundle.clone(), config.recycling, config.workers);
        let hire: Box<Hire> = Box::new(move |order, stop, tell| {
            let setup = setup(&config, &order.bundle, order.yielding);
            Ok(Box::new(Process::start(&config.worker, &setup, stop, tell)?) as Box<dyn Runner>)
        });
        Self::with(Shared::new(line, bundle, recycling, hire), workers, largest)
    }

    /// The same around any runner.
    pub(super) fn with(shared: Shared, workers: usize, largest: usize) -> Result<Self, OpenError> {
        let shared = Arc::new(shared);
        let mut crew = Crew { shared: Arc::clone(&shared), seats: Vec::new(), largest };
        for number in 0..workers.max(1) {
            let seat = Seat::new(Arc::clone(&shared));
            let name = format!("inference-{number}");
            crew.seats.push(thread::Builder::new().name(name).spawn(|| seat.work()).map_err(OpenError::Thread)?);
        }
        Ok(Self { crew: Arc::new(crew) })
    }

    /// The model in use; `None` until one was loaded.
    #[must_use]
    pub fn model(&self) -> Option<Arc<ModelInfo>> {
        self.crew.shared.standing().borrow().model.clone()
    }

    /// How the engine stands, now and whenever it changes.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.crew.shared.standing()
    }

    /// Waits until a model was loaded, and gives it. For ever, where none can be: [`Self::standing`] tells why.
    pub async fn ready(&self) -> Result<Arc<ModelInfo>, InferError> {
        let mut standing = self.standing();
        let ready = standing.wait_for(|standing| standing.model.is_some()).await;
        ready.ok().and_then(|standing| standing.model.clone()).ok_or(InferError::Stopped)
    }

    /// Requests waiting.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.crew.shared.line.len()
    }

    /// Gathers batches by another policy from now on. No larger ones than it was started with: its processes have memory for
    /// those.
    pub fn follow(&self, policy: BatchPolicy) {
        self.crew.shared.line.follow(BatchPolicy { max_batch: policy.max_batch.min(self.crew.largest), ..policy });
    }

    /// Lets less through, or all again: the input of whoever watches the device's temperature.
    pub fn admit(&self, admission: Admission) {
        self.crew.shared.line.admit(admission);
    }

    /// How much is let through, now and whenever it changes: whoever holds something for what is held back may give it up.
    #[must_use]
    pub fn admission(&self) -> watch::Receiver<Admission> {
        self.crew.shared.line.admission()
    }

    /// Asks for one image of [`INPUT_SIDE`]² grey bytes. Refuses at once when the queue is full.
    /// Dropping the future gives up the answer.
    pub async fn infer(&self, image: Vec<u8>, priority: Priority) -> Answer {
        self.infer_by(image, priority, None).await
    }

    /// The same for an answer that is wanted by `deadline`: it leaves before others where it would be late otherwise. A
    /// missed deadline changes nothing else.
    pub async fn infer_by(&self, image: Vec<u8>, priority: Priority, deadline: Option<Instant>) -> Answer {
        let expected = INPUT_SIDE * INPUT_SIDE;
        if image.len() != expected {
            return Err(InferError::WrongSize { expected, found: image.len() });
        }
        let (answer, answered) = oneshot::channel();
        self.crew.shared.line.push(priority, Request { image, since: Instant::now(), deadline, answer })?;
        answered.await.unwrap_or(Err(InferError::Stopped))
    }

    /// Loads the model in `bundle` in a process beside the running ones, has it prove itself there, and puts it in force: each
    /// seat changes over after the batch it is at. `tell` hears each step. Blocks for seconds.
    ///
    /// # Errors
    /// Whatever kept it from being loaded and proved; the model in force stays.
    pub fn activate(&self, bundle: &Path, tell: &mut dyn FnMut(&str)) -> Result<Arc<ModelInfo>, OpenError> {
        self.crew.shared.activate(bundle.to_owned(), tell)
    }

    /// Lets the candidate in the given bundle see every image behind the model in force, or ends that. Blocks for seconds.
    ///
    /// # Errors
    /// Whatever kept it from being loaded and proved; a candidate before it goes on.
    pub fn shadow(&self, bundle: Option<&Path>) -> Result<Option<Arc<ModelInfo>>, OpenError> {
        match bundle {
            Some(bundle) => shadow::begin(&self.crew.shared, bundle.to_owned()).map(Some),
            None => {
                self.crew.shared.shadow.end();
                Ok(None)
            }
        }
    }

    /// Whether a candidate sees the images.
    #[must_use]
    pub fn is_shadowed(&self) -> bool {
        self.crew.shared.shadow.is_on()
    }

    /// Images since the start of which there is no pair although there was a candidate.
    #[must_use]
    pub fn shadow_missed(&self) -> u64 {
        self.crew.shared.shadow.missed()
    }

    /// What both models said of each image that the candidate saw. Bounded: who does not read loses pairs and nothing else.
    /// `None` from the second call on.
    #[must_use]
    pub fn pairs(&self) -> Option<mpsc::Receiver<Pair>> {
        self.crew.shared.shadow.pairs()
    }
}

/// Loads the model of `config` in a process, has it prove itself, and ends that: what is built for it on this machine
/// (TensorRT's engines) is there afterwards, and the first image does not wait for it. `tell` hears each step. Blocks for
/// seconds, or for minutes where something is built.
///
/// # Errors
/// Whatever kept the model from being loaded and proved.
pub fn prepare(config: &EngineConfig, tell: &mut dyn FnMut(&str)) -> Result<Arc<ModelInfo>, OpenError> {
    let process = Process::start(&config.worker, &setup(config, &config.bundle, false), &Stop::default(), tell)?;
    Ok(Arc::clone(process.model()))
}

fn setup(config: &EngineConfig, bundle: &Path, yielding: bool) -> Setup {
    let session = SessionConfig { max_batch: config.batch.max_batch.max(1), ..config.session.clone() };
    Setup {
        bundle: bundle.to_owned(),
        trust: config.trust.clone(),
        site: config.site.clone(),
        library: config.onnxruntime.clone(),
        session,
        yielding,
    }
}

#[cfg(test)]
mod tests;
