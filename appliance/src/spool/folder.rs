//! The folder's entries made durable (fsync(2): a synced file whose directory entry is lost is lost), one sync for all files
//! that wait for one. Whoever asks is answered by a sync that began after the entry was made, never by an earlier one.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Syncs that had begun when an entry was made: any later one covers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(u64);

/// A folder and how far its entries are durable.
#[derive(Debug)]
pub(super) struct Folder {
    folder: File,
    turns: Mutex<Turns>,
    ended: Condvar,
}

/// Syncs are numbered from 1 in the order in which they begin; there is one at a time.
#[derive(Debug, Default)]
struct Turns {
    begun: u64,
    running: bool,
    /// The last that succeeded.
    good: u64,
    /// The last that failed. What it covered may never reach the disk, whatever a later one says.
    bad: u64,
}

impl Folder {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self { folder: File::open(folder)?, turns: Mutex::default(), ended: Condvar::new() })
    }

    /// To be taken after an entry was made.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.turns().begun)
    }

    /// Waits until the entries made before `ticket` are durable.
    pub(super) fn sync_since(&self, ticket: Ticket) -> io::Result<()> {
        self.sync_by(ticket, || self.folder.sync_all())
    }

    fn sync_by(&self, ticket: Ticket, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut turns = self.turns();
        loop {
            if turns.bad > ticket.0 {
                return Err(io::Error::other("the folder could not be synced"));
            }
            if turns.good > ticket.0 {
                return Ok(());
            }
            if !turns.running {
                break;
            }
            turns = self.ended.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        turns.begun += 1;
        turns.running = true;
        let mine = turns.begun;
        drop(turns);
        let synced = sync();
        let mut turns = self.turns();
        turns.running = false;
        *(if synced.is_ok() { &mut turns.good } else { &mut turns.bad }) = mine;
        self.ended.notify_all();
        synced
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn nobody_is_answered_by_a_sync_that_began_before_the_entry_and_syncs_are_shared() {
        const ENTRIES: usize = 24;
        let folder = Folder::open(&std::env::temp_dir()).unwrap();
        let (made, durable) = (Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
        let syncs = AtomicUsize::new(0);
        thread::scope(|scope| {
            for entry in 0..ENTRIES {
                let (folder, made, durable, syncs) = (&folder, &made, &durable, &syncs);
                scope.spawn(move || {
                    made.lock().unwrap().insert(entry);
                    let ticket = folder.ticket();
                    let sync = || {
                        syncs.fetch_add(1, Ordering::Relaxed);
                        // What is made from here on is not covered.
                        let covered = made.lock().unwrap().clone();
                        // As long as a disk takes, so that others come meanwhile.
                        thread::sleep(std::time::Duration::from_millis(20));
                        durable.lock().unwrap().extend(covered);
                        Ok(())
                    };
                    folder.sync_by(ticket, sync).unwrap();
                    assert!(durable.lock().unwrap().contains(&entry), "{entry} was answered too early");
                });
            }
        });
        assert!(syncs.load(Ordering::Relaxed) < ENTRIES);
    }

    #[test]
    fn a_failed_sync_fails_all_whom_it_covered_and_nobody_after() {
        let folder = Folder::open(&std::env::temp_dir()).unwrap();
        let (first, second) = (folder.ticket(), folder.ticket());
        assert!(folder.sync_by(first, || Err(io::ErrorKind::StorageFull.into())).is_err());
        assert!(folder.sync_by(second, || panic!("no second try")).is_err());
        let third = folder.ticket();
        folder.sync_by(third, || Ok(())).unwrap();
        folder.sync_by(third, || panic!("it is durable")).unwrap();
        assert!(folder.sync_since(second).is_err(), "a later success proves nothing about it");
    }
}
