//! The folders and the database, opened in the one order in which nothing is promised before it can be kept, and brought to
//! agree. It reads no image and answers nobody.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use fail_points::Point;
use outbox::Outbox;
use outbox::rescue::{self as database, Rescue};

use crate::at_rest::AtRest;
use crate::journal::Journal;
use crate::lock::StateLock;
use crate::quarantine::Quarantine;
use crate::rescue;
use crate::rotation;
use crate::spool::watermarks::DiskConfig;
use crate::spool::{Spool, recovery};
use crate::world::World;

/// How long one step of a change of key may take at most: 20 GB of database on a disk of 50 MB a second, read, written and compared.
const ROTATION_STEP: Duration = Duration::from_secs(20 * 60);

/// The folders and the database, opened and brought to agree.
pub(super) struct State {
    pub(super) journal: Journal,
    pub(super) spool: Spool,
    pub(super) quarantine: Quarantine,
    /// What is told of databases that were found damaged, now or at an earlier start.
    pub(super) put_aside: Vec<String>,
    _lock: StateLock,
}

impl State {
    /// Opens what lies in `state_dir`, which is this process's alone from here on.
    ///
    /// # Errors
    /// One sentence that says what could not be opened and what to do.
    pub(super) fn open(state_dir: &Path, disk: DiskConfig, at_rest: &AtRest, world: World) -> anyhow::Result<Self> {
        let lock = StateLock::take(state_dir)?;
        finish_rotation(state_dir, at_rest)?;
        // Before it is claimed: a key that just became the folder's own proves nothing of an older database.
        let is_its_key = at_rest.is_key_of(state_dir)?;
        at_rest.claim(state_dir)?;
        let damaged = state_dir.join("damaged");
        let (mut outbox, rescue) =
            open_database(&state_dir.join("outbox.sqlite"), at_rest, is_its_key, &damaged, world)?;
        fail_points::reach(Point::StartOpened);
        let spool = Spool::open(&state_dir.join("spool"), at_rest)?.on(disk);
        let quarantine = Quarantine::open(&state_dir.join("quarantine"))?;
        let aside = rescue.as_ref().map(|rescue| rescue.folder.join("images"));
        let found = recovery::recover(&spool, &mut outbox, aside.as_deref())
            .context("the spool and the journal could not be brought to agree")?;
        if let Some(rescue) = rescue {
            let note = rescue::note(&rescue.account, &found);
            tracing::error!(folder = %rescue.folder.display(), note, "the device database was damaged and was replaced");
            rescue.conclude(&note)?;
        }
        fail_points::reach(Point::StartAgreed);
        tracing::info!(
            unread = found.unread,
            adopted = found.adopted,
            removed = found.removed,
            "spool and journal agree"
        );
        if found.missing > 0 {
            tracing::error!(
                missing = found.missing,
                "files of acknowledged images are gone; each is reported as unreadable: look at the disk and at who tidies up there"
            );
        }
        let put_aside =
            rescue::told(&damaged).context("the folder of damaged databases in state_dir cannot be read")?;
        Ok(Self { journal: Journal::start(outbox)?, spool, quarantine, put_aside, _lock: lock })
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

/// One from before the encryption is encrypted first: the folder is ours alone, and the sync-agent opens no plain file. A damaged
/// one is put aside, and the new one is opened for us alone until the spool agrees with it.
fn open_database(
    file: &Path,
    at_rest: &AtRest,
    is_its_key: bool,
    damaged: &Path,
    world: World,
) -> anyhow::Result<(Outbox, Option<Rescue>)> {
    let key = at_rest.database_key()?;
    if outbox::encryption::encrypt(file, &key)? {
        tracing::info!("the device database was plain and is encrypted now");
    }
    if let Some(damage) = database::inspect(file, &key, is_its_key)? {
        tracing::error!(damage, "the device database is damaged; putting it aside");
        database::condemn(file, &damage)?;
    }
    let stamp = (world.now_ms)().max(0).to_string();
    match database::go_on(file, &key, damaged, &stamp)? {
        Some(rescue) => Ok((rescue.open()?, Some(rescue))),
        None => Ok((Outbox::open(file, &key)?, None)),
    }
}
