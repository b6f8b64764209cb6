//! How long to wait before connecting again. Pure: randomness comes in.

use std::time::Duration;

/// The first wait: a broker that restarts is back in about a second.
const FIRST_MS: u64 = 500;

/// The longest: an operator who repaired the broker should see readiness within half a minute.
const LONGEST_MS: u64 = 30_000;

/// The wait after `failures` attempts in a row that never got a connection, spread over its upper half by `random` so
/// that replicas do not come back in step.
#[must_use]
pub fn delay(failures: u32, random: u32) -> Duration {
    let whole = FIRST_MS.saturating_mul(1 << failures.min(16)).min(LONGEST_MS);
    let half = whole / 2;
    Duration::from_millis(half + half * u64::from(random) / u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_spread() {
        for (failures, random, ms) in [
            (0, u32::MAX, 500),
            (0, 0, 250),
            (1, u32::MAX, 1_000),
            (3, u32::MAX, 4_000),
            (6, u32::MAX, 30_000),
            (u32::MAX, u32::MAX, 30_000),
            (u32::MAX, 0, 15_000),
        ] {
            assert_eq!(delay(failures, random), Duration::from_millis(ms), "{failures} {random}");
        }
    }
}
