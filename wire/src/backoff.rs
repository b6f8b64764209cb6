//! How long either end waits before it calls the broker again. Pure: randomness comes in, nothing sleeps here.
//!
//! Full jitter: after the n-th failure in a row, anything between nothing and `first · 2ⁿ`, at most `longest`. When a
//! broker comes back after an outage, the devices of a whole fleet come back spread over that time and not in step.
//! Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

use std::time::Duration;

/// Bounds of the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Most that is waited after the first failure.
    pub first: Duration,
    /// Most that is ever waited.
    pub longest: Duration,
}

/// For the broker: one that restarts is back in about a second, and whoever repaired it should see the device within
/// half a minute.
pub const BROKER: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30) };

impl Backoff {
    /// The wait after `failures` attempts in a row (0 for the first), `random` drawn evenly from all of `u32`.
    #[must_use]
    pub fn delay(self, failures: u32, random: u32) -> Duration {
        let most = self.first.saturating_mul(1_u32 << failures.min(16)).min(self.longest);
        most.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_doubles_to_a_bound_and_chance_decides_below_it() {
        for (failures, random, ms) in [
            (0, u32::MAX, 500),
            (0, 0, 0),
            (1, u32::MAX, 1_000),
            (3, u32::MAX, 4_000),
            (6, u32::MAX, 30_000),
            (u32::MAX, u32::MAX, 30_000),
            (u32::MAX, 0, 0),
        ] {
            assert_eq!(BROKER.delay(failures, random), Duration::from_millis(ms), "{failures} {random}");
        }
    }
}
