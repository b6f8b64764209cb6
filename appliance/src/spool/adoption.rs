//! A file that no journal row names: where it is whole it is journalled as if it had just come, for nobody can tell any more whether
//! its scanner was told success. The journal knows images by their bytes, so one is never read twice for it. It removes nothing.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::time::UNIX_EPOCH;

use outbox::{Accepted, NewInstance, Outbox, Renewed};
use sha2::{Digest, Sha256};

use super::recovery::RecoveryError;
use super::{Spool, SpoolError, part10};

/// Bytes hashed at a time.
const PIECE: usize = 1 << 20;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adopted {
    /// It has a row now.
    Journalled,
    /// The journal has an image of the same bytes, whose file is whole, or that is in the cloud.
    Needless,
    /// Half of a file, or a damaged one.
    NotWhole,
    /// The disk does not give it now, and may later.
    Unreadable,
}

pub(super) fn adopt(spool: &Spool, journal: &mut Outbox, file: &str) -> Result<Adopted, RecoveryError> {
    let plain = match spool.open_plain(file) {
        Ok(Some(plain)) => plain,
        Ok(None) | Err(SpoolError::Damaged(_)) => return Ok(Adopted::NotWhole),
        Err(error) if error.is_medium() => {
            tracing::error!(
                error = vitals::exit::chain(&error),
                "a file that no journal row names cannot be read; it stays"
            );
            return Ok(Adopted::Unreadable);
        }
        Err(error) => return Err(error.into()),
    };
    match identify(plain).map_err(spool.io("read a file"))? {
        Some(found) => journalled(spool, journal, file, &found),
        None => Ok(Adopted::NotWhole),
    }
}

/// What the journal notes of an image.
struct Found {
    sop_class: String,
    sop_instance: String,
    source: String,
    digest: [u8; 32],
}

/// `None` for what does not say what it is.
fn identify(mut plain: File) -> io::Result<Option<Found>> {
    let mut head = Vec::new();
    plain.by_ref().take(part10::LONGEST_HEAD as u64).read_to_end(&mut head)?;
    let Ok(said) = part10::of_head(&head) else { return Ok(None) };
    plain.seek(SeekFrom::Start(said.offset))?;
    let (mut sha, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        let read = plain.read(&mut piece)?;
        if read == 0 {
            break;
        }
        sha.update(&piece[..read]);
    }
    let source = part10::source(&head).unwrap_or_default();
    Ok(Some(Found {
        sop_class: said.sop_class,
        sop_instance: said.sop_instance,
        source,
        digest: sha.finalize().into(),
    }))
}

fn journalled(spool: &Spool, journal: &mut Outbox, file: &str, found: &Found) -> Result<Adopted, RecoveryError> {
    let written = fs::metadata(spool.path(file)).and_then(|about| about.modified()).unwrap_or(UNIX_EPOCH);
    let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    let new = NewInstance {
        sop_class: &found.sop_class,
        sop_instance: &found.sop_instance,
        digest: found.digest,
        file,
        source: &found.source,
        received_ms: i64::try_from(since.as_millis()).unwrap_or_default(),
        receive_ms: 0.0,
        traceparent: None,
    };
    let (id, wanted) = match journal.accept(&new)? {
        Accepted::New(_) | Accepted::Conflicting(_) => return Ok(Adopted::Journalled),
        Accepted::Again(id) => (id, false),
        Accepted::Wanted(id) => (id, true),
    };
    // As where an image is sent again: a file that the journal can no longer read from is replaced.
    let held = journal.file_of(id)?;
    if !wanted && held.map_or(Ok(true), |held| spool.is_whole(&held))? {
        return Ok(Adopted::Needless);
    }
    Ok(if journal.renew(id, &new)? == Renewed::Needless { Adopted::Needless } else { Adopted::Journalled })
}
