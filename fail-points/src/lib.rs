//! The points at which a service of a test build can be told to die, as by a power cut: the list of their names, and the one
//! call that stands at each. In every other build the call is empty and no variable is read. It decides nothing and never
//! fails in another way than by SIGKILL.
//!
//! A point is a [`Point`], so that code cannot name one that is not in the list; a test says that each of the list stands in
//! the code. Arming takes the feature `armed`, which a build without debug assertions refuses: no release can be told through
//! its environment to die.

#[cfg(all(feature = "armed", not(debug_assertions)))]
compile_error!("fail points can be armed in debug builds only: a release must not be told to die by its environment");

mod point;

pub use point::{Point, Program};

/// Which point an armed build dies at, and the how many-th time that it gets there: `outbox.lease.before_commit:2`.
pub const VARIABLE: &str = "HILUM_FAIL_POINT";

/// Stands at `point`: in an armed build that was told to, the process ends here.
#[cfg(not(feature = "armed"))]
#[inline(always)]
pub fn reach(_point: Point) {}

#[cfg(feature = "armed")]
pub use armed::reach;

#[cfg(feature = "armed")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Point, VARIABLE};

    /// Where to die and how often to pass before.
    static ORDER: OnceLock<Option<(Point, AtomicU32)>> = OnceLock::new();

    /// Stands at `point`: where this process was told to, it ends here.
    pub fn reach(point: Point) {
        let order = ORDER.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|text| parse(&text)));
        if let Some((wanted, left)) = order
            && *wanted == point
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            eprintln!("fail point {}", point.name());
            // SIGKILL cannot be caught, so that nothing is tidied up; it can only fail where there is no such process.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }

    /// Anything else than a point and a number from 1 arms nothing.
    fn parse(text: &str) -> Option<(Point, AtomicU32)> {
        let (name, times) = text.split_once(':')?;
        Some((Point::from_name(name)?, AtomicU32::new(times.parse().ok().filter(|times| *times > 0)?)))
    }
}
