//! Spool and journal brought to agree at the start, before anything is received: what was never acknowledged goes, what was
//! acknowledged stays, and what was acknowledged and is gone is told loudly. It is safe to run twice.

use std::fs;

use fail_points::Point;
use outbox::{Outbox, OutboxError};

use super::{Spool, SpoolError};

/// Journal rows looked at in one go.
const PAGE: u32 = 256;

/// What a start found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Files without a journal row removed, half-received or whole: their scanners were never told success.
    pub unacknowledged: usize,
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

/// Makes the spool agree with the journal.
///
/// # Errors
/// [`RecoveryError`]; nothing that is owed a result was removed.
pub fn recover(spool: &Spool, journal: &Outbox) -> Result<Recovered, RecoveryError> {
    let mut recovered = Recovered::default();
    for file in names(spool)? {
        if !journal.knows_file(&file)? {
            spool.remove(&file)?;
            fail_points::reach(Point::StartRemoved);
            recovered.unacknowledged += 1;
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
        writer.write(&number.to_le_bytes()).unwrap();
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
        // Killed while bytes came in.
        fs::write(spool.path("half.dcm"), b"half").unwrap();
        // Killed between the sync and the journal.
        receive(&spool, 1);
        // Acknowledged.
        let kept = receive(&spool, 2);
        accept(&mut journal, &kept);
        // Acknowledged, and then somebody tidied up.
        let lost = receive(&spool, 3);
        accept(&mut journal, &lost);
        spool.remove(&lost.name).unwrap();

        let found = recover(&spool, &journal).unwrap();
        assert_eq!(found, Recovered { unacknowledged: 2, unread: 2, missing: 1 });
        assert!(spool.path(&kept.name).is_file());
        let again = recover(&spool, &journal).unwrap();
        assert_eq!(again, Recovered { unacknowledged: 0, unread: 2, missing: 1 });
    }
}
