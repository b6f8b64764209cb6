//! All sensors of this machine, each asked by a thread of its own, and the newest of everything at once. It never waits for
//! one of them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::gpu::Gpu;
use crate::jetson::{self, Integrated, Rail};
use crate::nvidia::{LIBRARY, Nvidia, NvidiaError};
use crate::probe::Probe;
use crate::zone::Zone;

/// Between two looks: a heat sink takes minutes to heat up, a throttled processor is told of within seconds.
pub const PERIOD: Duration = Duration::from_secs(5);

/// An answer that is older says nothing about now: two looks were missed.
const OLDEST: Duration = Duration::from_secs(15);

/// Looks between two attempts to open a library that did not open: a driver may be loaded after this service.
const PAUSE: u32 = 12;

/// What the kernel's own files tell, and on a Jetson board those of its power modes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Kernel {
    /// Thermal zones.
    pub zones: Vec<Zone>,
    /// Power rails of a Jetson board.
    pub rails: Vec<Rail>,
    /// The graphics processor of a Jetson board.
    pub integrated: Option<Integrated>,
    /// How often a Jetson board was slowed down since its start because it drew too much current; none on other machines.
    pub overcurrents: Option<u64>,
    /// Parts that a Jetson board slows down now, as it names them.
    pub alerts: Vec<String>,
    /// The power mode that a Jetson board was told to keep to, such as `15W`.
    pub power_mode: Option<String>,
}

impl Kernel {
    /// Reads the files under `root`, which is `/`. May wait for a slow bus.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let sys = root.join("sys");
        Self {
            zones: Zone::all(&sys.join("class/thermal")),
            rails: jetson::rails(&sys.join("bus/i2c/drivers")),
            integrated: jetson::integrated(&sys),
            overcurrents: jetson::overcurrents(&sys.join("class/hwmon")),
            alerts: jetson::alerts(&sys.join("class/thermal")),
            power_mode: jetson::power_mode(root),
        }
    }
}

/// All that was told, not older than 15 s.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Readings {
    /// By the kernel.
    pub kernel: Kernel,
    /// By NVIDIA's driver; empty where there is none.
    pub gpus: Vec<Gpu>,
    /// The kernel or NVIDIA's driver has not answered for 15 s or more, or the driver did once and refuses to now.
    pub is_silent: bool,
}

/// The threads that ask.
#[derive(Debug)]
pub struct Watch {
    kernel: Probe<Kernel>,
    gpus: Probe<Option<Vec<Gpu>>>,
    began: Instant,
}

impl Watch {
    /// Watches this machine.
    ///
    /// # Errors
    /// Where the system gives no threads.
    pub fn start() -> io::Result<Self> {
        Self::with(Path::new("/"), OsStr::new(LIBRARY))
    }

    /// Watches the files under `root` and the cards that `library` tells of.
    ///
    /// # Errors
    /// Where the system gives no threads.
    pub fn with(root: &Path, library: &OsStr) -> io::Result<Self> {
        let (root, mut cards) = (root.to_owned(), Cards { library: library.to_owned(), ..Cards::default() });
        Ok(Self {
            kernel: Probe::start("kernel-sensors", PERIOD, move || Kernel::read(&root))?,
            gpus: Probe::start("nvidia-sensors", PERIOD, move || cards.ask())?,
            began: Instant::now(),
        })
    }

    /// The newest of everything at `now`.
    #[must_use]
    pub fn latest(&self, now: Instant) -> Readings {
        let (kernel, gpus) = (self.kernel.latest(now, OLDEST), self.gpus.latest(now, OLDEST).flatten());
        let is_late = now.saturating_duration_since(self.began) > OLDEST;
        Readings {
            is_silent: is_late && (kernel.is_none() || gpus.is_none()),
            kernel: kernel.unwrap_or_default(),
            gpus: gpus.unwrap_or_default(),
        }
    }

    /// The first of everything, for who looks only once; what takes longer than `patience` is left out.
    #[must_use]
    pub fn first(&self, patience: Duration) -> Readings {
        let (kernel, gpus) = (self.kernel.first(patience), self.gpus.first(patience).flatten());
        Readings {
            is_silent: kernel.is_none() || gpus.is_none(),
            kernel: kernel.unwrap_or_default(),
            gpus: gpus.unwrap_or_default(),
        }
    }
}

/// NVIDIA's cards, opened when they can be.
#[derive(Default)]
struct Cards {
    library: OsString,
    open: Option<Nvidia>,
    said: String,
    pause: u32,
    /// They answered once.
    known: bool,
}

impl Cards {
    /// What they tell now; no cards where there were none so far, `None` where they answered once and do not now. A line goes
    /// to the log when the reason is new.
    fn ask(&mut self) -> Option<Vec<Gpu>> {
        if self.pause > 0 {
            self.pause -= 1;
        } else {
            match self.look() {
                Ok(gpus) => return Some(gpus),
                Err(error) => self.say(&error),
            }
            self.pause = PAUSE;
        }
        (!self.known).then(Vec::new)
    }

    fn look(&mut self) -> Result<Vec<Gpu>, NvidiaError> {
        let nvidia = self.open.take().map_or_else(|| Nvidia::open(&self.library), Ok)?;
        let gpus = nvidia.read()?;
        self.open = Some(nvidia);
        self.said.clear();
        self.known = true;
        Ok(gpus)
    }

    fn say(&mut self, error: &NvidiaError) {
        let words = error.to_string();
        if words != self.said {
            match error {
                NvidiaError::NotInstalled => tracing::info!(reason = words, "no graphics card is watched"),
                NvidiaError::Refused(_) => tracing::warn!(reason = words, "no graphics card is watched"),
            }
            self.said = words;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nvidia::tests::library;

    #[test]
    fn a_card_that_is_lost_is_not_taken_for_one_that_never_was() {
        let folder = tempfile::tempdir().unwrap();
        let cards = |library: &Path| Cards { library: library.into(), ..Cards::default() };
        let mut none = cards(&folder.path().join(LIBRARY));
        assert_eq!((none.ask(), none.ask()), (Some(vec![]), Some(vec![])));
        // Sound when it is asked first, and lost from then on.
        let mut lost = cards(&library(folder.path(), "-DHANDLE=(asked++ ? GPU_IS_LOST : SUCCESS)"));
        assert_eq!(lost.ask().map(|cards| cards.len()), Some(1));
        assert_eq!((lost.ask(), lost.pause, lost.open.is_none()), (None, PAUSE, true));
        assert!(lost.said.contains("nvidia-smi"), "{}", lost.said);
        // It is left alone for a while; then the library is loaded anew, and finds it again.
        (0..PAUSE).for_each(|_| assert_eq!(lost.ask(), None));
        assert_eq!(lost.pause, 0);
        assert_eq!(lost.ask().map(|cards| cards.len()), Some(1));
    }
}
