//! The one thread that owns the session, and the handle by which everybody else asks it. Each request gets exactly one
//! answer: an inference, or an error that says that it may be asked again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::oneshot;

use super::batcher::{Next, Priority, Queue};
use super::{EngineConfig, InferError, Inference, OpenError};
use crate::model::session::{ModelSession, Output};
use crate::model::{LoadError, Loaded, ModelInfo};
use crate::pixels::INPUT_SIDE;

type Answer = Result<Inference, InferError>;

struct Request {
    image: Vec<u8>,
    since: Instant,
    answer: oneshot::Sender<Answer>,
}

struct State {
    queue: Queue<Request>,
    closed: bool,
}

/// What the handle and the worker share. The lock is held for queue operations only, never while the model runs.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// The queue stays sound when a holder panics, because each operation on it is complete or not begun.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the model. Cheap to clone; when the last clone goes, the worker finishes its batch and stops.
#[derive(Clone)]
pub struct Engine {
    info: Arc<ModelInfo>,
    worker: Arc<Worker>,
}

struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // The loop catches panics of the session, so there is nothing to learn from the join.
            let _ = thread.join();
        }
    }
}

impl Engine {
    /// Warms the session up with a full batch and starts the worker.
    pub fn start(loaded: Loaded, config: &EngineConfig) -> Result<Self, OpenError> {
        let Loaded { info, mut session } = loaded;
        let started = Instant::now();
        let batch = vec![[0u8; INPUT_SIDE * INPUT_SIDE]; config.batch.max_batch.max(1)];
        session.run(&batch)?;
        tracing::info!(batch = batch.len(), elapsed_ms = elapsed_ms(started), "model warmed up");
        Ok(Self::with_model(info, config, move |images| session_answers(&mut session, images))?)
    }

    /// The same around any function from images to outputs.
    fn with_model(
        info: ModelInfo,
        config: &EngineConfig,
        model: impl FnMut(&[Vec<u8>]) -> Result<Vec<Output>, String> + Send + 'static,
    ) -> Result<Self, std::io::Error> {
        let state = State { queue: Queue::new(config.batch, config.queue), closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("inference".into()).spawn(move || work(&theirs, model))?;
        Ok(Self { info: Arc::new(info), worker: Arc::new(Worker { shared, thread: Some(thread) }) })
    }

    /// The model behind it.
    #[must_use]
    pub fn model(&self) -> &ModelInfo {
        &self.info
    }

    /// Requests waiting.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.worker.shared.lock().queue.len()
    }

    /// Asks for one image of [`INPUT_SIDE`]² grey bytes. Refuses at once when the queue is full.
    /// Dropping the future gives up the answer, not the work.
    pub async fn infer(&self, image: Vec<u8>, priority: Priority) -> Answer {
        let expected = INPUT_SIDE * INPUT_SIDE;
        if image.len() != expected {
            return Err(InferError::WrongSize { expected, found: image.len() });
        }
        let (answer, answered) = oneshot::channel();
        let since = Instant::now();
        {
            let mut state = self.worker.shared.lock();
            if state.closed {
                return Err(InferError::Stopped);
            }
            let capacity = state.queue.capacity();
            let pushed = state.queue.push(priority, since, Request { image, since, answer });
            pushed.map_err(|_| InferError::Full { capacity })?;
        }
        self.worker.shared.changed.notify_one();
        answered.await.unwrap_or(Err(InferError::Stopped))
    }
}

fn session_answers(session: &mut ModelSession, images: &[Vec<u8>]) -> Result<Vec<Output>, String> {
    session.run(images).map_err(|error| match error {
        LoadError::Session { attempt, source } => format!("{attempt}: {source}"),
        other => other.to_string(),
    })
}

fn work(shared: &Shared, mut model: impl FnMut(&[Vec<u8>]) -> Result<Vec<Output>, String>) {
    while let Some(requests) = next_batch(shared) {
        answer(requests, &mut model);
    }
    // Closed: dropping a request's sender tells its caller `Stopped`.
    drop(shared.lock().queue.drain());
}

/// Waits for a batch; `None` once the engine is closed.
fn next_batch(shared: &Shared) -> Option<Vec<Request>> {
    let mut state = shared.lock();
    loop {
        if state.closed {
            return None;
        }
        let now = Instant::now();
        state = match state.queue.next(now) {
            Next::Run(requests) => return Some(requests),
            Next::Idle => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Next::WaitUntil(due) => {
                let timeout = due.saturating_duration_since(now);
                shared.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

fn answer(requests: Vec<Request>, model: &mut impl FnMut(&[Vec<u8>]) -> Result<Vec<Output>, String>) {
    let started = Instant::now();
    let (images, waiting): (Vec<_>, Vec<_>) = requests.into_iter().map(|r| (r.image, (r.since, r.answer))).unzip();
    let ran = catch_unwind(AssertUnwindSafe(|| model(&images)));
    let infer_ms = elapsed_ms(started);
    let outputs = match ran {
        Ok(Ok(outputs)) if outputs.len() == images.len() => Ok(outputs),
        Ok(Ok(outputs)) => Err(format!("{} answers for {} images", outputs.len(), images.len())),
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err("it panicked".to_owned()),
    };
    if let Err(problem) = &outputs {
        tracing::error!(batch = images.len(), problem, "the model failed on a batch; each request is told so");
    }
    let mut outputs = outputs.map(Vec::into_iter);
    for (since, answer) in waiting {
        let queue_ms = started.saturating_duration_since(since).as_secs_f64() * 1e3;
        let one = match &mut outputs {
            Ok(outputs) => outputs.next().ok_or(InferError::Stopped).map(|o| inference(o, queue_ms, infer_ms)),
            Err(problem) => Err(InferError::Session(problem.clone())),
        };
        // A caller that gave up has dropped its end; its answer is dropped with it.
        let _ = answer.send(one);
    }
}

fn inference(output: Output, queue_ms: f64, infer_ms: f64) -> Inference {
    let Output { logit, saliency, embedding } = output;
    Inference { logit, saliency, embedding, queue_ms, infer_ms }
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests;
