//! Whether the clock on the wall may be believed: how long it has gone like the one that cannot be set, over restarts. It forgets
//! nothing and sets no clock.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How long the clock on the wall must have gone like the one that cannot be set before something is forgotten by it: a technician
/// who set a wrong year, or a battery that is empty, is noticed within a day.
const STEADY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a clock may be put right by meanwhile: a time server's first step on a machine whose clock ran by itself.
const STEP_MS: i64 = 60 * 60 * 1_000;

/// How long a device may have been off for its clock to be taken for the same: over a weekend with its bank holidays, or for a repair.
/// A clock that was set wrong meanwhile by less than this forgets no identity a week too early that is kept for months.
const OFF_MS: i64 = 7 * STEADY_MS;

/// What a restart must know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// What the clock on the wall said, milliseconds since the Unix epoch.
    wall_ms: i64,
    /// How long it had gone evenly by then.
    steady_ms: i64,
}

impl Note {
    /// None where there is none that can be read: then nothing is known.
    pub(super) fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    /// In one step, and without waiting for the disk: losing it only has a device count anew.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub(super) fn write(self, file: &Path) -> io::Result<()> {
        let beside = file.with_extension("new");
        fs::write(&beside, serde_json::to_vec(&self).map_err(io::Error::other)?)?;
        fs::rename(beside, file)
    }
}

/// How the clock on the wall goes beside the one that cannot be set.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Their difference, where both were looked at.
    difference_ms: Option<i64>,
    /// The other's time at the last look.
    looked_ms: i64,
    /// How long it has gone evenly, that before the start included.
    steady_ms: i64,
}

impl Pace {
    /// Goes on from before a restart, unless the clock has gone back since, or on by more than a device is off.
    pub(super) fn resumed(before: Option<Note>, wall_ms: i64) -> Self {
        let before = before.filter(|note| (0..=OFF_MS).contains(&wall_ms.saturating_sub(note.wall_ms)));
        Self { steady_ms: before.map_or(0, |note| note.steady_ms.clamp(0, STEADY_MS)), ..Self::default() }
    }

    /// Takes both clocks' milliseconds; true once the one has gone like the other for [`STEADY_MS`].
    pub(super) fn is_steady(&mut self, wall_ms: i64, running_ms: i64) -> bool {
        let difference = wall_ms.saturating_sub(running_ms);
        match self.difference_ms {
            Some(before) if before.abs_diff(difference) > STEP_MS.unsigned_abs() => {
                *self = Self { difference_ms: Some(difference), looked_ms: running_ms, steady_ms: 0 };
            }
            before => {
                // The difference stays that of the beginning, so that many small steps are one large one.
                self.difference_ms = before.or(Some(difference));
                self.steady_ms = self.steady_ms.saturating_add(running_ms.saturating_sub(self.looked_ms).max(0));
                self.looked_ms = running_ms;
            }
        }
        self.steady_ms >= STEADY_MS
    }

    /// For the next start.
    pub(super) fn note(&self, wall_ms: i64) -> Note {
        Note { wall_ms, steady_ms: self.steady_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;
    const YEAR: i64 = 365 * 24 * HOUR;

    #[test]
    fn a_clock_that_has_just_jumped_is_not_believed() {
        let mut pace = Pace::default();
        // Hours that it runs, what the wall says beyond them, and whether it is believed.
        for (hour, beyond, believed) in [
            (0, 0, false),
            (23, 0, false),
            (24, 0, true),
            (25, HOUR / 2, true),
            (26, 5 * YEAR, false),
            (49, 5 * YEAR, false),
            (50, 5 * YEAR, true),
            (51, 0, false),
            (75, -HOUR / 2, true),
            (76, -20 * YEAR, false),
        ] {
            assert_eq!(pace.is_steady(hour * HOUR + beyond, hour * HOUR), believed, "hour {hour}");
        }
    }

    #[test]
    fn a_device_that_is_restarted_every_night_goes_on_counting_and_a_clock_set_meanwhile_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let day = |before: Option<Note>, wall_ms: i64| {
            let mut pace = Pace::resumed(before, wall_ms);
            pace.is_steady(wall_ms, 0);
            let believed = pace.is_steady(wall_ms + 10 * HOUR, 10 * HOUR);
            (believed, pace.note(wall_ms + 10 * HOUR))
        };
        let (mut believed, mut wall_ms) = (Vec::new(), YEAR);
        for _ in 0..4 {
            let (is_believed, note) = day(Note::read(&file), wall_ms);
            note.write(&file).unwrap();
            believed.push(is_believed);
            wall_ms += 24 * HOUR;
        }
        assert_eq!(believed, [false, false, true, true]);
        let kept = Note::read(&file);
        for (jump, believes) in [(0, true), (6 * 24 * HOUR, true), (YEAR, false), (-2 * 24 * HOUR, false)] {
            assert_eq!(day(kept, wall_ms + jump).0, believes, "{jump}");
        }
        fs::write(&file, b"what the power left").unwrap();
        assert_eq!(Note::read(&file), None);
    }
}
