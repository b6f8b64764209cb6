//! Changes models while the service reads: loads and proves first, renames second. One change at a time. It never stops the
//! model in force before another has proved itself.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use reader::inference::{Engine, OpenError};
use reader::model::ModelInfo;
use reader::model::slots::{Name, SlotError, Slots};
use vitals::health::Part;

/// The switch. Blocks for seconds: for a thread of its own.
#[derive(Clone)]
pub struct Switch {
    slots: Arc<Mutex<Slots>>,
    engine: Engine,
    part: Part,
}

/// What was not changed, and why.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The slots.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// The model did not prove itself.
    #[error("the model was not put in force, and nothing has changed")]
    Refused(#[source] OpenError),
    /// The candidate did not prove itself.
    #[error("the candidate was not taken, and nothing has changed")]
    NoCandidate(#[source] OpenError),
    /// The model in force cannot be its own candidate.
    #[error("this model is in force already; a candidate is another one")]
    Itself,
}

impl Switch {
    /// Over the given slots and engine; `part` is well until [`super::fallback`] has something to say.
    #[must_use]
    pub fn new(slots: Slots, engine: Engine, part: Part) -> Self {
        part.up();
        Self { slots: Arc::new(Mutex::new(slots)), engine, part }
    }

    /// The health of the choice of models.
    #[must_use]
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// Puts the slot whose digest begins with `prefix` in force. `tell` hears each step.
    ///
    /// # Errors
    /// [`SwitchError`]; the model in force stays.
    pub fn activate(&self, prefix: &str, tell: &mut dyn FnMut(&str)) -> Result<Arc<ModelInfo>, SwitchError> {
        let slots = self.lock();
        let digest = slots.find(prefix)?;
        self.change(&slots, &digest, tell)
    }

    /// Puts the model before the one in force in force again.
    ///
    /// # Errors
    /// [`SwitchError`]; the model in force stays.
    pub fn roll_back(&self, tell: &mut dyn FnMut(&str)) -> Result<Arc<ModelInfo>, SwitchError> {
        let slots = self.lock();
        let digest = slots.previous()?;
        self.change(&slots, &digest, tell)
    }

    /// Lets the slot whose digest begins with `prefix` watch, or none.
    ///
    /// # Errors
    /// [`SwitchError`]; a candidate before it goes on.
    pub fn shadow(&self, prefix: Option<&str>) -> Result<Option<Arc<ModelInfo>>, SwitchError> {
        let slots = self.lock();
        let digest = prefix.map(|prefix| slots.find(prefix)).transpose()?;
        if digest.is_some() && digest == slots.named(Name::Active) {
            return Err(SwitchError::Itself);
        }
        let folder: Option<PathBuf> = digest.as_deref().map(|digest| slots.path(digest));
        let candidate = self.engine.shadow(folder.as_deref()).map_err(SwitchError::NoCandidate)?;
        slots.set_candidate(digest.as_deref())?;
        Ok(candidate)
    }

    /// Lets the candidate of before the service's start watch again, if there was one.
    ///
    /// # Errors
    /// [`SwitchError::NoCandidate`].
    pub fn resume_shadow(&self) -> Result<Option<Arc<ModelInfo>>, SwitchError> {
        let slots = self.lock();
        let Some(digest) = slots.named(Name::Candidate) else { return Ok(None) };
        self.engine.shadow(Some(&slots.path(&digest))).map_err(SwitchError::NoCandidate)
    }

    fn change(&self, slots: &Slots, digest: &str, tell: &mut dyn FnMut(&str)) -> Result<Arc<ModelInfo>, SwitchError> {
        let before = slots.named(Name::Active);
        let model = self.engine.activate(&slots.path(digest), tell).map_err(SwitchError::Refused)?;
        if let Err(error) = slots.put_in_force(digest) {
            // What the next start would load and what reads now must not part.
            if let Some(before) = before {
                let _ = self.engine.activate(&slots.path(&before), tell);
            }
            return Err(error.into());
        }
        if slots.named(Name::Candidate).is_none() {
            // It was the candidate, or there was none.
            let _ = self.engine.shadow(None);
        }
        self.part.up();
        tracing::info!(model = model.manifest.id, version = model.manifest.version, "another model was put in force");
        Ok(model)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slots> {
        // The slots' state is on the disk, whole at every moment.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
