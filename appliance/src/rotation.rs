//! One at-rest key in another's place: everything in the state folder that the old key opens is put under the new one, piece by
//! piece, each by one rename. It may end at any moment and is gone on with by whoever comes next with the new key, at the service's
//! start too; in the end the old key opens nothing. It makes no key and hands none on.
//!
//! ```text
//! old key noted, sealed with the new one ─▶ folder is the new one's ─▶ database ─▶ spool, quarantine ─▶ note removed
//! ```
//! Until the second step all is as it was, and the old key is good. From there on it is refused, and the new one finds the old
//! in the note.

mod files;

use std::path::{Path, PathBuf};

use fail_points::Point;
use outbox::encryption::{self, Sealed};
use outbox::{DatabaseKey, OutboxError};

use crate::at_rest::{AtRest, AtRestError, RootKey, forget_replaced};
use crate::{ledger, output};

pub use files::FileError;

/// The database's name in the state folder, and what `SQLite` puts beside it.
const DATABASE: [&str; 4] = ["outbox.sqlite", "outbox.sqlite-wal", "outbox.sqlite-shm", "outbox.sqlite.door"];

/// The old key and the new one.
#[derive(Clone, Debug)]
pub struct Keys {
    /// In whose place.
    pub old: AtRest,
    /// What takes it.
    pub new: AtRest,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Files that are under the new key now and were not before.
    pub files: usize,
    /// Files that open with neither key, left as they were.
    pub damaged: Vec<PathBuf>,
    /// Values of the database that did not open, left as they were.
    pub damaged_values: usize,
    /// Databases that were set aside before, which nobody opens again by himself and which are still under the old key.
    pub set_aside: Vec<PathBuf>,
}

/// Why it did not come to its end; ordered again, it goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The key's own record.
    #[error(transparent)]
    AtRest(#[from] AtRestError),
    /// The database.
    #[error("the device database could not be put under the new key")]
    Database(#[source] OutboxError),
    /// A file.
    #[error("a stored file could not be put under the new key")]
    File(#[from] FileError),
}

/// Begins a change of key; nothing but the note is written.
///
/// # Errors
/// [`AtRestError`]; [`AtRestError::Changing`] where `old` itself is still taking another's place, whose note this would be written
/// over.
pub fn note(state_dir: &Path, old: &RootKey, new: &AtRest) -> Result<(), AtRestError> {
    old.at_rest(rand::random).opens(state_dir)?;
    new.replaces(old, state_dir)?;
    fail_points::reach(Point::RotationNoted);
    Ok(())
}

/// Goes on with a change of key that was begun, to its end, or takes it back where `given` is the old key, which it is only as long
/// as nothing was changed. `None` where there is nothing to be done. `step` is called before each step that may take a while.
///
/// # Errors
/// [`RotationError`].
pub fn resume(state_dir: &Path, given: &AtRest, step: &mut dyn FnMut()) -> Result<Option<Done>, RotationError> {
    if !given.is_key_of(state_dir)? {
        return Ok(None);
    }
    let Some(old) = given.replaced(state_dir)? else {
        forget_replaced(state_dir)?;
        return Ok(None);
    };
    let keys = Keys { old: old.at_rest(rand::random), new: given.clone() };
    keys.new.take_over(state_dir)?;
    fail_points::reach(Point::RotationClaimed);
    let mut done = Done { set_aside: set_aside(state_dir), ..Done::default() };
    step();
    keys.database(state_dir, &mut done)?;
    fail_points::reach(Point::RotationDatabase);
    keys.files(&state_dir.join("spool"), &state_dir.join("quarantine"), &mut done, step)?;
    fail_points::reach(Point::RotationDone);
    forget_replaced(state_dir)?;
    Ok(Some(done))
}

impl Keys {
    /// The database's own key, and what was sealed before it was written there.
    fn database(&self, state_dir: &Path, done: &mut Done) -> Result<(), RotationError> {
        let (old, new): (DatabaseKey, DatabaseKey) = (self.old.database_key()?, self.new.database_key()?);
        let mut reseal = |what, value: &[u8]| {
            let purpose = match what {
                Sealed::Identity => ledger::PURPOSE,
                Sealed::Report => output::dispatch::PURPOSE,
            };
            let sealed = self.old.open(purpose, value).and_then(|plain| self.new.seal(purpose, &plain));
            done.damaged_values += usize::from(sealed.is_err());
            sealed.ok()
        };
        encryption::change_key(&state_dir.join(DATABASE[0]), (&old, &new), &mut reseal)
            .map_err(RotationError::Database)?;
        Ok(())
    }
}

/// What lies in the folder under the database's name with something after it, and databases that were found damaged.
fn set_aside(state_dir: &Path) -> Vec<PathBuf> {
    let damaged =
        std::fs::read_dir(state_dir.join("damaged")).into_iter().flatten().flatten().map(|entry| entry.path());
    let entries = std::fs::read_dir(state_dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let temporary = format!("{}.new", DATABASE[0]);
    let aside = |name: &String| {
        name.starts_with("outbox") && !DATABASE.contains(&name.as_str()) && !name.starts_with(&temporary)
    };
    names.filter(aside).map(|name| state_dir.join(name)).chain(damaged).collect()
}

#[cfg(test)]
mod tests;
