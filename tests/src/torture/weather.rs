//! Does to the surroundings what the plan says, one trouble after the other, and makes everything whole again.

use std::thread;
use std::time::Instant;

use super::history::History;
use super::keeper::Until;
use super::plan::{Cable, Episode, Trouble};
use crate::disk::Disk;
use crate::line::{Condition, Line};
use crate::postgres;

/// Free bytes under the spool's own watermark of 512 MiB, with room left for the database.
const UNDER_WATERMARK: u64 = 300 << 20;

/// What can be troubled.
pub(super) struct Surroundings<'a> {
    /// From the sync-agent to the broker.
    pub device: &'a Line,
    /// From the gateway to the broker.
    pub cloud: &'a Line,
    /// The device's disk, where there is one of its own.
    pub disk: Option<&'a Disk>,
    /// PostgreSQL's address.
    pub database: &'a str,
    /// What is counted goes there.
    pub history: &'a History,
}

impl Surroundings<'_> {
    /// One episode after the other.
    ///
    /// # Errors
    /// Where the disk or the database refuses.
    pub(super) fn trouble(&self, episodes: &[Episode], until: Until) -> anyhow::Result<()> {
        let left = || until.planned.saturating_duration_since(Instant::now());
        for episode in episodes {
            thread::sleep(episode.after.min(left()));
            if left().is_zero() {
                break;
            }
            self.begin(episode.trouble)?;
            thread::sleep(episode.lasts.min(left()));
            self.end(episode.trouble)?;
        }
        Ok(())
    }

    fn begin(&self, trouble: Trouble) -> anyhow::Result<()> {
        match trouble {
            Trouble::Cut(cable) => self.line(cable).set(Condition::Cut),
            Trouble::Silence(cable) => self.line(cable).set(Condition::Silent),
            Trouble::Delay(cable, time) => self.line(cable).set(Condition::Slow(time)),
            Trouble::Reset(cable) => self.line(cable).reset(),
            Trouble::DiskAtWatermark => match self.disk {
                Some(disk) => disk.fill(UNDER_WATERMARK)?,
                None => return Ok(()),
            },
            Trouble::DiskFull => match self.disk {
                Some(disk) => disk.fill(0)?,
                None => return Ok(()),
            },
            Trouble::DatabaseHangUp => {
                let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                              WHERE datname = current_database() AND pid <> pg_backend_pid()";
                postgres::query(self.database, others)?;
            }
        }
        let (kind, whom) = words(trouble);
        self.history.fault(kind, whom);
        Ok(())
    }

    fn end(&self, trouble: Trouble) -> anyhow::Result<()> {
        match trouble {
            Trouble::Cut(cable) | Trouble::Silence(cable) | Trouble::Delay(cable, _) => {
                self.line(cable).set(Condition::Whole);
            }
            Trouble::DiskAtWatermark | Trouble::DiskFull => self.disk.map_or(Ok(()), Disk::free)?,
            Trouble::Reset(_) | Trouble::DatabaseHangUp => {}
        }
        Ok(())
    }

    fn line(&self, cable: Cable) -> &Line {
        match cable {
            Cable::Device => self.device,
            Cable::Cloud => self.cloud,
        }
    }
}

/// Kind and place for people.
fn words(trouble: Trouble) -> (&'static str, &'static str) {
    let place = |cable| match cable {
        Cable::Device => "sync-agent to broker",
        Cable::Cloud => "gateway to broker",
    };
    match trouble {
        Trouble::Cut(cable) => ("network cut", place(cable)),
        Trouble::Silence(cable) => ("network half-open", place(cable)),
        Trouble::Delay(cable, _) => ("network delayed", place(cable)),
        Trouble::Reset(cable) => ("network reset", place(cable)),
        Trouble::DiskAtWatermark => ("disk over its watermark", "the device"),
        Trouble::DiskFull => ("disk full to the last byte", "the device"),
        Trouble::DatabaseHangUp => ("database hung up", "the gateway"),
    }
}
