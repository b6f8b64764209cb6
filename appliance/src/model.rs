//! Which model this device reads with: the slots under its state folder, the switch that changes them while the service
//! runs, and the candidate that watches. Nothing is picked up by itself: a model comes into force by an order, and only after
//! it has proved itself on this very machine.

pub mod fallback;
pub mod layout;
pub mod shadow;
mod switch;
mod tally;

use std::path::{Path, PathBuf};

use reader::model::archive::{self, ArchiveError};
use reader::model::slots::{Name, SlotError, Slots};
use reader::model::{Bundle, LoadError, SignatureError, Trust};

use crate::config::Config;

pub use switch::Switch;

/// Folder of the models in the state folder.
const FOLDER: &str = "models";

/// The device's models and whom it believes about them.
#[derive(Debug)]
pub struct Models {
    /// The slots.
    pub slots: Slots,
    /// The publishers.
    pub trust: Trust,
}

/// What cannot be done with models.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The keys.
    #[error(transparent)]
    Trust(#[from] SignatureError),
    /// The bundle.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The slots.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// The folder to unpack into.
    #[error("cannot unpack into {folder}; check the disk and who may write there")]
    Unpack {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Models {
    /// Opens the models of a configuration's state folder. Changes nothing but makes the folder.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn open(config: &Config) -> Result<Self, ModelError> {
        let trust = Trust::load(&config.model.trusted_keys)?;
        Ok(Self { slots: Slots::open(&config.device.state_dir.join(FOLDER))?, trust })
    }

    /// Verifies a bundle and lays it into a slot; gives it as it was verified. `path` is a folder or an archive.
    ///
    /// # Errors
    /// [`ModelError`]; then there is no new slot.
    pub fn install(&self, path: &Path) -> Result<Bundle, ModelError> {
        let bundle = self.verified(path)?;
        self.slots.install(&bundle)?;
        Ok(bundle)
    }

    /// Verifies a bundle in a folder or an archive.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn verified(&self, path: &Path) -> Result<Bundle, ModelError> {
        opened(path, &self.trust, || self.slots.scratch(&std::process::id().to_string()))
    }

    /// The folder of the model to begin with: the active slot, or, where there is none yet, the factory's bundle, which is
    /// installed first. Where that fails the factory's bundle itself: whoever loads it says what is wrong with it, and
    /// scanners are answered meanwhile. For the service alone, which holds the state folder.
    #[must_use]
    pub fn first(&self, factory: &Path) -> PathBuf {
        self.begin(factory).unwrap_or_else(|error| {
            tracing::error!(error = vitals::exit::chain(&error), "no model could be put into its slot");
            factory.to_owned()
        })
    }

    fn begin(&self, factory: &Path) -> Result<PathBuf, ModelError> {
        self.slots.tidy()?;
        if let Some(active) = self.slots.named(Name::Active) {
            return Ok(self.slots.path(&active));
        }
        let bundle = self.install(factory)?;
        self.slots.put_in_force(&bundle.digest)?;
        tracing::info!(
            model = bundle.manifest.id,
            version = bundle.manifest.version,
            "the factory's model was installed"
        );
        Ok(self.slots.path(&bundle.digest))
    }
}

/// Verifies a bundle in a folder or an archive, without a state folder: for whoever only looks. An archive is unpacked among
/// the machine's temporary files for as long as that takes.
///
/// # Errors
/// [`ModelError`].
pub fn verified(path: &Path, trust: &Trust) -> Result<Bundle, ModelError> {
    let unique = || std::env::temp_dir().join(format!("hilum-bundle-{:032x}", rand::random::<u128>()));
    opened(path, trust, unique)
}

/// `scratch` names a folder that is not there yet.
fn opened(path: &Path, trust: &Trust, scratch: impl FnOnce() -> PathBuf) -> Result<Bundle, ModelError> {
    // What is not there is told in the words for a folder, which most bundles are.
    if path.is_dir() || !path.exists() {
        return Ok(Bundle::open(path, trust)?);
    }
    let scratch = Scratch::make(scratch())?;
    archive::unpack(path, &scratch.0)?;
    Ok(Bundle::open(&scratch.0, trust)?)
}

/// A folder that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn make(folder: PathBuf) -> Result<Self, ModelError> {
        let made = std::fs::create_dir(&folder);
        made.map_err(|source| ModelError::Unpack { folder: folder.clone(), source })?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is hidden, and removed at the service's next start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
