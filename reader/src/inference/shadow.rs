//! A candidate that sees what the model in force saw, behind it: at the lowest priority, bounded, and droppable. Its answers
//! go out as pairs and nowhere else.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use metrics::counter;
use tokio::sync::mpsc;

use super::OpenError;
use super::retry;
use super::shared::{Hired, Shared};
use crate::model::ModelInfo;

/// Images that wait for the candidate; what comes on top is not seen by it. 32 of 50 KB.
const WAITING: usize = 32;

/// Pairs that wait for whoever counts them; what comes on top is lost. Each is some bytes.
const PAIRS: usize = 1024;

/// How long a waiting shadow takes to notice that it is not wanted any more, or that the line is empty.
const GLANCE: Duration = Duration::from_millis(50);

/// The same image read by two models.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Logit of the model in force.
    pub active: f32,
    /// Logit of the candidate.
    pub candidate: f32,
    /// The model in force then.
    pub active_model: Arc<ModelInfo>,
    /// The candidate.
    pub candidate_model: Arc<ModelInfo>,
}

/// What the model in force saw and said.
pub(super) struct Seen {
    pub(super) image: Vec<u8>,
    pub(super) logit: f32,
    pub(super) model: Arc<ModelInfo>,
}

pub(super) struct Shadow {
    candidate: Mutex<Option<SyncSender<Seen>>>,
    pairs: mpsc::Sender<Pair>,
    unread: Mutex<Option<mpsc::Receiver<Pair>>>,
    missed: AtomicU64,
}

impl Default for Shadow {
    fn default() -> Self {
        let (pairs, unread) = mpsc::channel(PAIRS);
        Self { candidate: Mutex::new(None), pairs, unread: Mutex::new(Some(unread)), missed: AtomicU64::new(0) }
    }
}

impl Shadow {
    /// Offers an image to the candidate, if there is one and it keeps up.
    pub(super) fn offer(&self, seen: impl FnOnce() -> Seen) {
        let candidate = self.candidate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(candidate) = &*candidate
            && candidate.try_send(seen()).is_err()
        {
            self.missed.fetch_add(1, Ordering::Relaxed);
            counter!("shadow_images_dropped_total").increment(1);
        }
    }

    /// The pairs, for one reader.
    pub(super) fn pairs(&self) -> Option<mpsc::Receiver<Pair>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn is_on(&self) -> bool {
        self.candidate.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// No candidate any more; its thread ends with its next look.
    pub(super) fn end(&self) {
        *self.candidate.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Loads and proves the candidate in `bundle` and lets it see what comes, instead of any other.
pub(super) fn begin(shared: &Arc<Shared>, bundle: PathBuf) -> Result<Arc<ModelInfo>, OpenError> {
    let hired = shared.hire_candidate(bundle.clone())?;
    let model = Arc::clone(hired.runner.model());
    let (offers, seen) = sync_channel(WAITING);
    let theirs = Arc::clone(shared);
    thread::Builder::new()
        .name("inference-shadow".into())
        .spawn(move || follow(&theirs, &bundle, hired, &seen))
        .map_err(OpenError::Thread)?;
    *shared.shadow.candidate.lock().unwrap_or_else(PoisonError::into_inner) = Some(offers);
    Ok(model)
}

fn follow(shared: &Shared, bundle: &std::path::Path, first: Hired, seen: &Receiver<Seen>) {
    let (mut hired, mut failures) = (Some(first), 0u32);
    while !shared.stop.is_asked() {
        let one = match seen.recv_timeout(GLANCE) {
            Ok(one) => one,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // Patients' images first.
        while shared.line.len() > 0 && !shared.stop.is_asked() {
            thread::sleep(GLANCE);
        }
        match hired.as_mut().map(|hired| (hired.runner.run(&[&one.image]), Arc::clone(hired.runner.model()))) {
            Some((Ok(ran), model)) => {
                failures = 0;
                tell(&shared.shadow, &one, &ran.outputs, model);
            }
            Some((Err(fault), _)) => {
                failures = failures.saturating_add(1);
                tracing::warn!(error = %fault, "the candidate failed on an image; the model in force is not touched");
                hired = None;
            }
            None => {
                thread::sleep(retry::pause(failures).min(retry::LONGEST_PAUSE));
                hired = shared.hire_candidate(bundle.to_owned()).ok();
                failures = failures.saturating_add(u32::from(hired.is_none()));
            }
        }
    }
}

fn tell(shadow: &Shadow, seen: &Seen, outputs: &[crate::model::session::Output], model: Arc<ModelInfo>) {
    let Some(output) = outputs.first() else { return };
    let active_model = Arc::clone(&seen.model);
    let pair = Pair { active: seen.logit, candidate: output.logit, active_model, candidate_model: model };
    if shadow.pairs.try_send(pair).is_err() {
        shadow.missed.fetch_add(1, Ordering::Relaxed);
        counter!("shadow_pairs_dropped_total").increment(1);
    }
}
