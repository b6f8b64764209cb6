//! The folders and the database, opened in the one order in which nothing is promised before it can be kept, and brought to
//! agree. It reads no image and answers nobody.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use fail_points::Point;
use outbox::Outbox;

use crate::at_rest::AtRest;
use crate::journal::Journal;
use crate::lock::StateLock;
use crate::quarantine::Quarantine;
use crate::rotation;
use crate::spool::{Spool, recovery};

/// How long one step of a change of key may take at most: 20 GB of database on a disk of 50 MB a second, read, written and compared.
const ROTATION_STEP: Duration = Duration::from_secs(20 * 60);

/// The folders and the database, opened and brought to agree.
pub(super) struct State {
    pub(super) journal: Journal,
    pub(super) spool: Spool,
    pub(super) quarantine: Quarantine,
    _lock: StateLock,
}

impl State {
    /// Opens what lies in `state_dir`, which is this process's alone from here on.
    ///
    /// # Errors
    /// One sentence that says what could not be opened and what to do.
    pub(super) fn open(state_dir: &Path, at_rest: &AtRest) -> anyhow::Result<Self> {
        let lock = StateLock::take(state_dir)?;
        finish_rotation(state_dir, at_rest)?;
        at_rest.claim(state_dir)?;
        let outbox = open_database(&state_dir.join("outbox.sqlite"), at_rest)?;
        fail_points::reach(Point::StartOpened);
        let spool = Spool::open(&state_dir.join("spool"), at_rest)?;
        let quarantine = Quarantine::open(&state_dir.join("quarantine"))?;
        let found =
            recovery::recover(&spool, &outbox).context("the spool and the journal could not be brought to agree")?;
        fail_points::reach(Point::StartAgreed);
        tracing::info!(unread = found.unread, unacknowledged_removed = found.unacknowledged, "spool and journal agree");
        if found.missing > 0 {
            tracing::error!(
                missing = found.missing,
                "files of acknowledged images are gone; each is reported as unreadable: look at the disk and at who tidies up there"
            );
        }
        Ok(Self { journal: Journal::start(outbox)?, spool, quarantine, _lock: lock })
    }
}

/// A change of key that the power cut off is brought to its end before anything is read.
fn finish_rotation(state_dir: &Path, at_rest: &AtRest) -> anyhow::Result<()> {
    let done = rotation::resume(state_dir, at_rest, &mut || vitals::notify::starting(ROTATION_STEP))?;
    if let Some(done) = done {
        let (files, damaged) = (done.files, done.damaged.len() + done.damaged_values);
        tracing::warn!(files, damaged, "a change of the at-rest key that was cut off is finished");
    }
    Ok(())
}

/// One from before the encryption is encrypted first: the folder is ours alone, and the sync-agent opens no plain file.
fn open_database(file: &Path, at_rest: &AtRest) -> anyhow::Result<Outbox> {
    let key = at_rest.database_key()?;
    if outbox::encryption::encrypt(file, &key)? {
        tracing::info!("the device database was plain and is encrypted now");
    }
    Ok(Outbox::open(file, &key)?)
}
