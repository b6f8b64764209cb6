//! A damaged database: found out, put aside whole, and what can still be read of it brought into a new one. It never deletes the
//! damaged one, never changes it, and never takes a wrong key for damage.
//!
//! ```text
//! condemned ─▶ moved aside ─▶ salvaged, its account written ─▶ the new one in place ─▶ (files without a row) ─▶ noted, released
//! ```
//! The first step leaves a file, the order, and the last one takes it away: while it is there nobody else opens a database of this
//! name, so that no log of one file is ever taken for another's, and each start goes on where the one before was cut off. Where
//! that was is told by which files there are ([`next`]).
//!
//! Who has the old file open may go on for a moment: what it settles there comes again from the new one, and the gateway gives the
//! same receipt again.

mod aside;
mod salvage;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{BUSY_WAIT, DatabaseKey, Outbox, OutboxError};
pub use aside::{noted, unfinished};
pub use salvage::{Account, Salvaged};

/// Files up to this size are read whole at each start, which takes seconds; of a larger one the damage shows when it is met.
const CHECKED: u64 = 1 << 30;

/// What a rescue has done when the power may go; for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The order is there.
    Condemned,
    /// The damaged file lies aside, nothing in its place.
    Moved,
    /// A new file has what could be read; it is not in its place.
    Salvaged,
    /// It is in its place.
    Placed,
}

/// A rescue that is done but for what its caller does: see [`Rescue::conclude`].
#[derive(Debug)]
pub struct Rescue {
    path: PathBuf,
    key: DatabaseKey,
    /// Where the damaged file lies.
    pub folder: PathBuf,
    /// What could be read of it.
    pub account: Account,
}

/// What is to be done, by which files there are: the damaged one aside, one of the database's name.
fn next(aside: bool, here: bool) -> Option<Step> {
    match (aside, here) {
        // An order without a database: its folder was given away by hand, and there is nothing to rescue.
        (false, false) => None,
        (false, true) => Some(Step::Condemned),
        (true, false) => Some(Step::Moved),
        (true, true) => Some(Step::Placed),
    }
}

/// Whether a database of this name is condemned: nobody opens it until the appliance has put it aside.
#[must_use]
pub fn is_condemned(path: &Path) -> bool {
    order(path).exists()
}

/// Orders that the file be put aside, for this reason. An order that is there already stays as it is.
///
/// # Errors
/// [`OutboxError::Aside`].
pub fn condemn(path: &Path, reason: &str) -> Result<(), OutboxError> {
    let failed = |source| OutboxError::Aside { path: path.to_owned(), source };
    match File::options().write(true).create_new(true).open(order(path)) {
        Ok(mut order) => {
            order.write_all(reason.as_bytes()).and_then(|()| order.sync_all()).map_err(failed)?;
            aside::sync_folder_of(path).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Reads the whole file, unless it is larger than a start can wait for; says what is wrong with it. `is_its_key` is whether the key
/// is known to be this file's own: only then is a beginning that does not open damage, and otherwise it is another key.
///
/// # Errors
/// [`OutboxError::Busy`] and the like, which are no damage.
pub fn inspect(path: &Path, key: &DatabaseKey, is_its_key: bool) -> Result<Option<String>, OutboxError> {
    let length = fs::metadata(path).map_or(0, |about| about.len());
    if length == 0 || length > CHECKED {
        return Ok(None);
    }
    let damage = check(path, key)?;
    Ok(damage.filter(|damage| is_its_key || !matches!(damage, Damage::Beginning)).map(|damage| damage.to_string()))
}

/// What was found wrong with a file.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("its beginning cannot be read")]
    Beginning,
    #[error("{0}")]
    Page(String),
}

/// A look with a connection of its own: one that has met a damaged page is of no use any more.
fn check(path: &Path, key: &DatabaseKey) -> Result<Option<Damage>, OutboxError> {
    let _door = Door::pass(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "key", key.raw().as_str())?;
        match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
            Err(error) if is_unreadable(&error) => return Ok(Some(Damage::Beginning)),
            other => other?,
        }
        let checked = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        match checked.and_then(|said| believe(&connection, "main").map(|()| said)) {
            Ok(said) if said == "ok" => Ok(None),
            Ok(said) => Ok(Some(Damage::Page(said))),
            Err(error) if is_unreadable(&error) => Ok(Some(Damage::Page(error.to_string()))),
            Err(error) => Err(error),
        }
    });
    looked.map_err(OutboxError::statement("check the database"))
}

/// Whether an error may come of a page that is not what was written. `SQLCipher` says of one whose seal does not fit that the image
/// is malformed, that the file is no database, that there was a logic error or no memory, by where it lies and when it is met.
pub(crate) fn is_unreadable(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseCorrupt, NotADatabase, OutOfMemory, Unknown};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase | OutOfMemory | Unknown))
}

/// Whether what was just read is what was written. `SQLCipher` gives a page whose seal does not fit as zeros, and fails from the
/// next page on: where it was the last page of a long value, the statement itself has told nothing.
pub(crate) fn believe(connection: &Connection, schema: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("SELECT count(*) FROM {schema}.sqlite_schema"), [], |_| Ok(()))
}

impl Outbox {
    /// Looks whether an error came of damage, and condemns the file where it did. The file was open, so the key is its own. Where it
    /// is whole after all, the connection is made anew: one that has met a bad page, or read nothing once, says no more.
    pub fn suspect(&mut self, error: &OutboxError) {
        let OutboxError::Statement { source, .. } = error else { return };
        if !is_unreadable(source) || is_condemned(&self.path) || self.is_replaced() {
            return;
        }
        let damage = match check(&self.path, &self.key) {
            Ok(Some(damage)) => damage.to_string(),
            Ok(None) => return self.renew_connection(),
            // A check that is refused says nothing.
            Err(_) => return,
        };
        match condemn(&self.path, &damage) {
            Ok(()) => {
                tracing::error!(damage, "the device database is damaged; the appliance's next start puts it aside");
            }
            Err(error) => tracing::error!(damage, %error, "the device database is damaged and cannot be condemned"),
        }
    }

    fn renew_connection(&mut self) {
        // Where it cannot be, the next statement says why.
        if let Ok(mut fresh) = Self::connect(&self.path, &self.key) {
            std::mem::swap(&mut self.connection, &mut fresh.connection);
        }
    }

    /// True once another file has this one's name: what is done here from then on nobody sees.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        aside::identity(&self.path).is_some_and(|there| Some(there) != self.file)
    }
}

/// Goes on with a rescue that was ordered: the damaged file into a folder of its own in `damaged`, named after `stamp`; a new one
/// in its place. `None` where none is ordered.
///
/// # Errors
/// [`OutboxError`]; a later call goes on from there.
pub fn go_on(path: &Path, key: &DatabaseKey, damaged: &Path, stamp: &str) -> Result<Option<Rescue>, OutboxError> {
    go_on_step_by_step(path, key, (damaged, stamp), &mut |_| {})
}

fn go_on_step_by_step(
    path: &Path,
    key: &DatabaseKey,
    (damaged, stamp): (&Path, &str),
    after: &mut dyn FnMut(Step),
) -> Result<Option<Rescue>, OutboxError> {
    if !is_condemned(path) {
        return Ok(None);
    }
    after(Step::Condemned);
    // Nobody is halfway through opening or closing it.
    let _alone = aside::Door::shut(path)?;
    let failed = |source| OutboxError::Aside { path: path.to_owned(), source };
    let folder = aside::folder(damaged, stamp).map_err(failed)?;
    let aside = folder.join(aside::name(path));
    let new = aside::with(path, ".rescued");
    loop {
        match next(aside.exists(), path.exists()) {
            None => {
                release(path)?;
                return Ok(None);
            }
            Some(Step::Condemned) => {
                aside::move_whole(path, &folder).map_err(failed)?;
                after(Step::Moved);
            }
            Some(Step::Moved) => {
                let reason = fs::read_to_string(order(path)).unwrap_or_default();
                let account = salvage::salvage(&aside, &new, key, reason)?;
                account.write(&folder).map_err(failed)?;
                after(Step::Salvaged);
                aside::place(&new, path).map_err(failed)?;
            }
            Some(Step::Salvaged | Step::Placed) => {
                after(Step::Placed);
                let account = Account::read(&folder).map_err(failed)?;
                return Ok(Some(Rescue { path: path.to_owned(), key: key.clone(), folder, account }));
            }
        }
    }
}

impl Rescue {
    /// Opens the new database, which nobody else does before [`Rescue::conclude`].
    ///
    /// # Errors
    /// As [`Outbox::open`].
    pub fn open(&self) -> Result<Outbox, OutboxError> {
        Ok(Outbox::connect(&self.path, &self.key)?.shared())
    }

    /// Writes the note into the folder and takes the order away: whoever waits may open the database.
    ///
    /// # Errors
    /// [`OutboxError::Aside`]; a later start does it again.
    pub fn conclude(&self, note: &str) -> Result<(), OutboxError> {
        let failed = |source| OutboxError::Aside { path: self.path.clone(), source };
        aside::write_note(&self.folder, note).map_err(failed)?;
        release(&self.path)
    }
}

fn release(path: &Path) -> Result<(), OutboxError> {
    let failed = |source| OutboxError::Aside { path: path.to_owned(), source };
    fs::remove_file(order(path)).map_err(failed)?;
    aside::sync_folder_of(path).map_err(failed)
}

fn order(path: &Path) -> PathBuf {
    aside::with(path, ".damaged")
}

pub(crate) use aside::{Door, identity};

#[cfg(test)]
mod tests;
