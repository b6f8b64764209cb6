//! Spool and journal brought to agree at the start, before anything is received: a whole file that no row names is journalled, for
//! its row may have been lost to the disk, half a file goes, and what was acknowledged and is gone is told loudly. It is safe to run
//! twice, and to be cut off.

use std::fs;
use std::path::Path;

use fail_points::Point;
use outbox::{Outbox, OutboxError};

use super::adoption::{self, Adopted};
use super::{Spool, SpoolError};

/// Journal rows looked at in one go.
const PAGE: u32 = 256;

/// What a start found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Whole files without a journal row, journalled now: either their scanners were not told success yet, or the rows were lost.
    pub adopted: usize,
    /// Files removed: half-received, so that their scanners were never told success, or copies of what the journal has.
    pub removed: usize,
    /// Files that are not whole and were put aside, because their rows may be among those that were lost.
    pub aside: usize,
    /// Acknowledged images that still are to be read.
    pub unread: usize,
    /// Acknowledged images whose file is gone: each will be concluded as unreadable.
    pub missing: usize,
}

/// Why a start cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The folder.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] OutboxError),
}

/// Makes the spool agree with the journal. After rows were lost, what is not whole goes into `aside` and is not removed.
///
/// # Errors
/// [`RecoveryError`]; nothing that is owed a result was removed.
pub fn recover(spool: &Spool, journal: &mut Outbox, aside: Option<&Path>) -> Result<Recovered, RecoveryError> {
    let mut recovered = Recovered::default();
    for file in names(spool)? {
        if journal.knows_file(&file)? {
            continue;
        }
        match (adoption::adopt(spool, journal, &file)?, aside) {
            (Adopted::Journalled, _) => {
                fail_points::reach(Point::StartAdopted);
                recovered.adopted += 1;
            }
            (Adopted::NotWhole, Some(aside)) => {
                spool.put_aside(&file, aside)?;
                recovered.aside += 1;
            }
            (Adopted::NotWhole | Adopted::Needless, _) => {
                spool.remove(&file)?;
                fail_points::reach(Point::StartRemoved);
                recovered.removed += 1;
            }
            (Adopted::Unreadable, _) => {}
        }
    }
    let mut after = None;
    loop {
        let page = journal.unread(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        recovered.unread += page.len();
        recovered.missing += page.iter().filter(|image| !spool.path(&image.file).is_file()).count();
    }
    Ok(recovered)
}

/// Names of the spool's files; a name that is not UTF-8 is none of ours.
fn names(spool: &Spool) -> Result<Vec<String>, SpoolError> {
    let io = spool.io("list the spool");
    let mut names = Vec::new();
    for entry in fs::read_dir(&spool.root).map_err(&io)? {
        let entry = entry.map_err(&io)?;
        if entry.file_type().map_err(&io)?.is_file() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use outbox::NewInstance;
    use uuid::Uuid;

    use super::*;
    use crate::spool::FileMeta;

    fn receive(spool: &Spool, number: u128) -> super::super::Received {
        let meta =
            FileMeta { sop_class: "1.2", sop_instance: "1.3", transfer_syntax: "1.2.840.10008.1.2", source: "XR" };
        let mut writer = spool.create(Uuid::from_u128(number), &meta).unwrap();
        // What is over the first 64 bits tells files of the same bytes apart.
        writer.write(&[&[8, 0][..], &(number as u64).to_le_bytes()].concat()).unwrap();
        writer.finish().unwrap()
    }

    fn accept(journal: &mut Outbox, received: &super::super::Received) {
        let new = NewInstance {
            sop_class: "1.2",
            sop_instance: "1.3",
            digest: received.digest,
            file: &received.name,
            source: "XR",
            received_ms: 0,
            receive_ms: 0.0,
            traceparent: None,
        };
        journal.accept(&new).unwrap();
    }

    #[test]
    fn a_kill_at_any_step_leaves_what_was_acknowledged_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let spool = crate::spool::tests::spool(&folder.path().join("spool"));
        let mut journal = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        // Killed before the first byte, and while bytes came in.
        fs::write(spool.path("none.dcm"), b"").unwrap();
        fs::write(spool.path("half.dcm"), b"half").unwrap();
        // Killed between the sync and the journal.
        let unknown = receive(&spool, 1);
        // Acknowledged.
        let kept = receive(&spool, 2);
        accept(&mut journal, &kept);
        // Sent again, and killed before the copy was thrown away.
        receive(&spool, 2 | 1 << 64);
        // Acknowledged, and then somebody tidied up.
        let lost = receive(&spool, 3);
        accept(&mut journal, &lost);
        spool.remove(&lost.name).unwrap();

        let found = recover(&spool, &mut journal, None).unwrap();
        assert_eq!(found, Recovered { adopted: 1, removed: 3, aside: 0, unread: 3, missing: 1 });
        assert!(spool.path(&kept.name).is_file());
        let again = recover(&spool, &mut journal, None).unwrap();
        assert_eq!(again, Recovered { unread: 3, missing: 1, ..Recovered::default() });
        // As if it had just come: a resend is known by its bytes.
        let unread = journal.unread(None, 8).unwrap();
        let adopted = unread.iter().find(|image| image.file == unknown.name).unwrap();
        assert_eq!((adopted.sop_instance.as_str(), adopted.source.as_str()), ("1.3", "XR"));
        assert!(adopted.digest == unknown.digest && adopted.received_ms > 0);
    }

    #[test]
    fn after_rows_were_lost_nothing_is_removed_that_may_have_been_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let spool = crate::spool::tests::spool(&folder.path().join("spool"));
        let received: Vec<_> = (1..=5).map(|number| receive(&spool, number)).collect();
        let damaged = &received[4].name;
        spool.forget_plain(damaged);
        let mut sealed = fs::read(spool.path(damaged)).unwrap();
        let middle = sealed.len() / 2;
        sealed[middle] ^= 1;
        fs::write(spool.path(damaged), sealed).unwrap();
        let mut journal = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        let aside = folder.path().join("damaged/images");
        let found = recover(&spool, &mut journal, Some(&aside)).unwrap();
        assert_eq!(found, Recovered { adopted: 4, removed: 0, aside: 1, unread: 4, missing: 0 });
        assert!(aside.join(damaged).is_file() && !spool.path(damaged).exists());
    }

    /// Its bytes came again, and the row's own file is lost: the copy takes its place.
    #[test]
    fn a_copy_takes_the_place_of_a_lost_file() {
        let folder = tempfile::tempdir().unwrap();
        let spool = crate::spool::tests::spool(&folder.path().join("spool"));
        let mut journal = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        let lost = receive(&spool, 7);
        accept(&mut journal, &lost);
        spool.remove(&lost.name).unwrap();
        let copy = receive(&spool, 7 | 1 << 64);
        let found = recover(&spool, &mut journal, None).unwrap();
        assert_eq!(found, Recovered { adopted: 1, unread: 1, ..Recovered::default() });
        assert_eq!(journal.unread(None, 8).unwrap()[0].file, copy.name);
    }
}
