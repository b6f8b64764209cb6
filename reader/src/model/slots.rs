//! The models that a device holds: one folder for each, and three names for which of them is which.
//!
//! ```text
//! FOLDER/slots/DIGEST/     a whole bundle as it was verified; DIGEST is its manifest's SHA-256; never changed, only removed
//! FOLDER/active            ─▶ slots/DIGEST     the model in force
//! FOLDER/candidate         ─▶ slots/DIGEST     the one that watches, if any
//! FOLDER/previous          ─▶ slots/DIGEST     the one before the active, to go back to
//! ```
//! A slot appears by one rename of a synced folder, a name changes by one rename of a symbolic link, and each folder is
//! synced afterwards: whatever moment the power goes, every name means a whole bundle or is not there, and `active`, once it
//! was there, stays. It decides nothing about models, and never removes one that has a name.

mod disk;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::bundle::Bundle;
use disk::Disk;

/// Slots kept without a name before the oldest of them goes: a handful to go back to by hand, each some tens of MB.
const UNNAMED: usize = 4;

/// What a slot is, beside being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// In force.
    Active,
    /// Watching.
    Candidate,
    /// In force before.
    Previous,
}

/// One model on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// SHA-256 of its manifest, hexadecimal.
    pub digest: String,
    /// Its names.
    pub names: Vec<Name>,
}

/// Why the slots are not as they should be.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// The disk refused.
    #[error("could not {attempt} in {folder}; check the disk and who may write there")]
    Disk {
        /// What was attempted.
        attempt: &'static str,
        /// Where.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No such slot.
    #[error(
        "no installed model begins with {wanted}; `hilum-appliance model list` shows them, `model install` adds one"
    )]
    Unknown {
        /// What was asked for.
        wanted: String,
    },
    /// More than one.
    #[error("several installed models begin with {wanted}; give more of the digest")]
    Ambiguous {
        /// What was asked for.
        wanted: String,
    },
    /// Nothing to go back to.
    #[error(
        "there is no model before the one in force to go back to; `hilum-appliance model list` shows what is installed"
    )]
    NoPrevious,
}

/// The folder with the models. One process changes names at a time: the service, or a command while it does not run.
#[derive(Debug)]
pub struct Slots {
    folder: PathBuf,
    disk: Disk,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Candidate, Self::Previous];

    /// As the link is called.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Candidate => "candidate",
            Self::Previous => "previous",
        }
    }
}

impl Slots {
    /// Opens the folder, making it where it is not there.
    ///
    /// # Errors
    /// [`SlotError::Disk`].
    pub fn open(folder: &Path) -> Result<Self, SlotError> {
        let slots = Self { folder: folder.to_owned(), disk: Disk::default() };
        let made = fs::create_dir_all(folder.join("slots"));
        made.map_err(slots.failed("make the folder of the models"))?;
        Ok(slots)
    }

    /// Removes what an installation or a change of names left behind when it was cut short. For whoever holds the device.
    ///
    /// # Errors
    /// [`SlotError::Disk`].
    pub fn tidy(&self) -> Result<(), SlotError> {
        for folder in [self.folder.clone(), self.folder.join("slots")] {
            for entry in fs::read_dir(folder).map_err(self.failed("look for leftovers"))? {
                let entry = entry.map_err(self.failed("look for leftovers"))?;
                if entry.file_name().to_string_lossy().starts_with('.') {
                    remove(&entry.path()).map_err(self.failed("remove what was left behind"))?;
                }
            }
        }
        Ok(())
    }

    /// Where an unpacked archive may lie until it is installed; [`Self::tidy`] removes what is left of it.
    #[must_use]
    pub fn scratch(&self, unique: &str) -> PathBuf {
        self.folder.join(format!(".unpacked-{unique}"))
    }

    /// Lays a verified bundle into its slot, exactly the bytes that were verified. Nothing happens where it is there already.
    ///
    /// # Errors
    /// [`SlotError::Disk`]; then there is no new slot.
    pub fn install(&self, bundle: &Bundle) -> Result<(), SlotError> {
        let (slot, coming) = (self.path(&bundle.digest), self.folder.join("slots").join(format!(".{}", bundle.digest)));
        if slot.is_dir() {
            return Ok(());
        }
        self.lay(bundle, &coming, &slot).map_err(self.failed("install the model"))?;
        self.prune()
    }

    fn lay(&self, bundle: &Bundle, coming: &Path, slot: &Path) -> io::Result<()> {
        remove(coming)?;
        self.disk.make_folder(coming)?;
        for (name, bytes) in bundle.files() {
            let file = coming.join(name);
            if let Some(folder) = file.parent().filter(|folder| *folder != coming && !folder.is_dir()) {
                self.disk.make_folder(folder)?;
            }
            self.disk.write(&file, bytes)?;
        }
        let folders: std::collections::BTreeSet<PathBuf> =
            bundle.files().filter_map(|(name, _)| coming.join(name).parent().map(Path::to_owned)).collect();
        folders.iter().try_for_each(|folder| self.disk.sync_folder(folder))?;
        self.disk.rename(coming, slot)?;
        self.disk.sync_folder(&self.folder.join("slots"))
    }

    /// A slot's folder.
    #[must_use]
    pub fn path(&self, digest: &str) -> PathBuf {
        self.folder.join("slots").join(digest)
    }

    /// The digest that a name means, if the name is given and its slot is there.
    #[must_use]
    pub fn named(&self, name: Name) -> Option<String> {
        let target = fs::read_link(self.folder.join(name.as_str())).ok()?;
        let digest = target.file_name()?.to_str()?.to_owned();
        self.path(&digest).is_dir().then_some(digest)
    }

    /// The one slot whose digest begins with `prefix`.
    ///
    /// # Errors
    /// [`SlotError::Unknown`] or [`SlotError::Ambiguous`].
    pub fn find(&self, prefix: &str) -> Result<String, SlotError> {
        let fitting: Vec<Slot> = self.list()?.into_iter().filter(|slot| slot.digest.starts_with(prefix)).collect();
        match &fitting[..] {
            [one] if !prefix.is_empty() => Ok(one.digest.clone()),
            [] => Err(SlotError::Unknown { wanted: prefix.to_owned() }),
            _ => Err(SlotError::Ambiguous { wanted: prefix.to_owned() }),
        }
    }

    /// Every slot with its names, in no order that means anything.
    ///
    /// # Errors
    /// [`SlotError::Disk`].
    pub fn list(&self) -> Result<Vec<Slot>, SlotError> {
        let names = Name::ALL.map(|name| (name, self.named(name)));
        let mut slots = Vec::new();
        for entry in fs::read_dir(self.folder.join("slots")).map_err(self.failed("list the models"))? {
            let digest = entry.map_err(self.failed("list the models"))?.file_name().to_string_lossy().into_owned();
            if !digest.starts_with('.') {
                let given = names.iter().filter(|(_, named)| named.as_deref() == Some(&digest));
                slots.push(Slot { names: given.map(|(name, _)| *name).collect(), digest });
            }
        }
        slots.sort_by(|a, b| a.digest.cmp(&b.digest));
        Ok(slots)
    }

    /// Makes a slot the active one, and the active one the previous. A candidate that becomes active is no candidate any more.
    ///
    /// # Errors
    /// [`SlotError::Disk`].
    pub fn put_in_force(&self, digest: &str) -> Result<(), SlotError> {
        let before = self.named(Name::Active);
        if before.as_deref() == Some(digest) {
            return Ok(());
        }
        // First where to go back to, then the step: cut between the two, the active model is its own predecessor.
        if let Some(before) = before {
            self.give(Name::Previous, &before)?;
        }
        self.give(Name::Active, digest)?;
        if self.named(Name::Candidate).as_deref() == Some(digest) { self.set_candidate(None) } else { Ok(()) }
    }

    /// The slot to go back to.
    ///
    /// # Errors
    /// [`SlotError::NoPrevious`].
    pub fn previous(&self) -> Result<String, SlotError> {
        let previous =
            self.named(Name::Previous).filter(|previous| Some(previous) != self.named(Name::Active).as_ref());
        previous.ok_or(SlotError::NoPrevious)
    }

    /// Lets a slot watch, or none.
    ///
    /// # Errors
    /// [`SlotError::Disk`].
    pub fn set_candidate(&self, digest: Option<&str>) -> Result<(), SlotError> {
        if let Some(digest) = digest {
            return self.give(Name::Candidate, digest);
        }
        let failed = || self.failed("end the candidate");
        match self.disk.remove(&self.folder.join(Name::Candidate.as_str())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed()(error)),
            _ => self.disk.sync_folder(&self.folder).map_err(failed()),
        }
    }

    /// One rename of a link made beside it.
    fn give(&self, name: Name, digest: &str) -> Result<(), SlotError> {
        let coming = self.folder.join(format!(".{}", name.as_str()));
        let given = remove(&coming)
            .and_then(|()| self.disk.link(&Path::new("slots").join(digest), &coming))
            .and_then(|()| self.disk.rename(&coming, &self.folder.join(name.as_str())))
            .and_then(|()| self.disk.sync_folder(&self.folder));
        given.map_err(self.failed("change which model is which"))
    }

    /// Removes the oldest slots without a name beyond [`UNNAMED`].
    fn prune(&self) -> Result<(), SlotError> {
        let unnamed = self.list()?.into_iter().filter(|slot| slot.names.is_empty()).map(|slot| self.path(&slot.digest));
        let mut unnamed: Vec<_> = unnamed.map(|path| (path.metadata().and_then(|m| m.modified()).ok(), path)).collect();
        unnamed.sort();
        let surplus = unnamed.len().saturating_sub(UNNAMED);
        for (_, path) in &unnamed[..surplus] {
            // Hidden first: what is half removed must not look like a slot.
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let hidden = self.folder.join("slots").join(format!(".{name}"));
            let removed = self.disk.rename(path, &hidden).and_then(|()| remove(&hidden));
            removed.map_err(self.failed("remove the oldest model without a name"))?;
        }
        Ok(())
    }

    fn failed(&self, attempt: &'static str) -> impl Fn(io::Error) -> SlotError + '_ {
        move |source| SlotError::Disk { attempt, folder: self.folder.clone(), source }
    }
}

/// Removes a file, a link or a folder, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests;
