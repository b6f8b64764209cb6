//! What the engine's handle, its seats and its shadow have in common: the line, the model in force, and how things stand.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::OpenError;
use super::line::Line;
use super::recycling::{Due, Recycling};
use super::runner::{Hire, Order, Runner, Stop};
use super::shadow::Shadow;
use crate::model::ModelInfo;

/// How the engine stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The model in use; `None` until one was loaded. It stays named while a process is being replaced.
    pub model: Option<Arc<ModelInfo>>,
    /// What is being done or what is wrong, while no process takes batches; `None` while one does.
    pub trouble: Option<String>,
    /// Why the model to begin with is refused; `None` where none was, and once any was loaded.
    pub refused: Option<String>,
}

/// Which model seats shall have.
struct Force {
    generation: u64,
    bundle: PathBuf,
    /// Proved already, for the first seat that looks.
    spare: Option<Hired>,
    staffed: usize,
}

/// A runner in a seat, or on the way to one.
pub(super) struct Hired {
    pub(super) runner: Box<dyn Runner>,
    pub(super) generation: u64,
    warm_bytes: Option<u64>,
}

pub(super) struct Shared {
    pub(super) line: Line,
    pub(super) stop: Stop,
    pub(super) shadow: Shadow,
    standing: watch::Sender<Standing>,
    force: Mutex<Force>,
    recycling: Recycling,
    hire: Box<Hire>,
}

impl Shared {
    pub(super) fn new(line: Line, bundle: PathBuf, recycling: Recycling, hire: Box<Hire>) -> Self {
        let trouble = Some("the inference process is being started".to_owned());
        Self {
            line,
            stop: Stop::default(),
            shadow: Shadow::default(),
            standing: watch::Sender::new(Standing { model: None, trouble, refused: None }),
            force: Mutex::new(Force { generation: 0, bundle, spare: None, staffed: 0 }),
            recycling,
            hire,
        }
    }

    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// A runner for the model in force: the spare one, or a new one, which takes seconds.
    pub(super) fn hire(&self) -> Result<Hired, OpenError> {
        let (generation, bundle) = {
            let mut force = self.lock();
            if let Some(spare) = force.spare.take() {
                return Ok(spare);
            }
            (force.generation, force.bundle.clone())
        };
        let tell = &mut |step: &str| self.tell(step);
        self.prove(&Order { bundle, yielding: false }, generation, tell)
    }

    /// A runner for the candidate in `bundle`.
    pub(super) fn hire_candidate(&self, bundle: PathBuf) -> Result<Hired, OpenError> {
        self.prove(&Order { bundle, yielding: true }, 0, &mut |_| ())
    }

    fn prove(&self, order: &Order, generation: u64, tell: &mut dyn FnMut(&str)) -> Result<Hired, OpenError> {
        let runner = (self.hire)(order, &self.stop, tell)?;
        let warm_bytes = runner.resident_bytes();
        Ok(Hired { runner, generation, warm_bytes })
    }

    /// Puts the model in `bundle` in force once a runner has proved it; otherwise everything stays as it is.
    pub(super) fn activate(&self, bundle: PathBuf, tell: &mut dyn FnMut(&str)) -> Result<Arc<ModelInfo>, OpenError> {
        let mut hired = self.prove(&Order { bundle: bundle.clone(), yielding: false }, 0, tell)?;
        let model = Arc::clone(hired.runner.model());
        let mut force = self.lock();
        force.generation += 1;
        hired.generation = force.generation;
        force.bundle = bundle;
        let unused = force.spare.replace(hired);
        drop(force);
        drop(unused);
        self.line.call();
        Ok(model)
    }

    /// The runner that waits for a seat whose own is of an older generation.
    pub(super) fn spare_for(&self, generation: u64) -> Option<Hired> {
        let mut force = self.lock();
        if force.generation == generation { None } else { force.spare.take() }
    }

    /// Why a runner shall be replaced, if it shall.
    pub(super) fn due(&self, hired: &Hired) -> Option<&'static str> {
        if self.lock().generation != hired.generation {
            return Some("another model");
        }
        match self.recycling.due(hired.runner.batches(), hired.warm_bytes, hired.runner.resident_bytes())? {
            Due::Growth(_) => Some("memory"),
            Due::Batches(_) => Some("age"),
        }
    }

    /// A seat has a runner; `before` where it had one already.
    pub(super) fn seated(&self, hired: &Hired, before: bool) {
        self.lock().staffed += usize::from(!before);
        let model = Arc::clone(hired.runner.model());
        tracing::info!(
            model = model.manifest.id,
            version = model.manifest.version,
            provider = %model.provider,
            "an inference process takes images"
        );
        self.standing.send_replace(Standing { model: Some(model), trouble: None, refused: None });
    }

    /// A seat has lost its runner.
    pub(super) fn lost(&self) {
        let mut force = self.lock();
        force.staffed = force.staffed.saturating_sub(1);
    }

    /// A seat finds no runner.
    pub(super) fn vacant(&self, error: &OpenError) {
        tracing::warn!(error = %error, "no inference process; it is tried again");
        self.tell(&error.to_string());
        if let OpenError::Refused(why) = error {
            let begun = |standing: &mut Standing| standing.refused = standing.model.is_none().then(|| why.clone());
            self.standing.send_modify(begun);
        }
    }

    /// Tells `words` as the trouble, unless another seat works.
    fn tell(&self, words: &str) {
        if self.lock().staffed == 0 {
            self.standing.send_modify(|standing| standing.trouble = Some(words.to_owned()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Force> {
        // Each change of it is one assignment.
        self.force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
