//! Who has failed to log in too often. Pure: time comes in. It is one process's own count; `replicas` is where several
//! count together.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::domain::when::UnixMs;

/// Failures after which the pair of name and address has to wait.
pub const MAX_FAILURES: u32 = 5;

/// How long it has to wait after its last failure, and how long failures are remembered: 15 minutes make a dictionary
/// of a thousand words take two days.
pub const WAIT_MS: i64 = 15 * 60 * 1000;

/// Most pairs remembered; about 1 MB. Beyond it the oldest are forgotten, so nobody can fill the memory.
const MAX_PAIRS: usize = 10_000;

/// The failures of late.
#[derive(Debug, Default)]
pub struct Lockout {
    pairs: HashMap<(String, IpAddr), Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: UnixMs,
}

impl Lockout {
    /// Milliseconds that this pair has to wait, if it has to.
    #[must_use]
    pub fn wait(&self, username: &str, address: IpAddr, now: UnixMs) -> Option<i64> {
        let failures = self.pairs.get(&(username.to_owned(), address))?;
        let left = failures.last + WAIT_MS - now;
        (failures.count >= MAX_FAILURES && left > 0).then_some(left)
    }

    /// Notes a failure; true where it is the one that locks.
    pub fn failed(&mut self, username: &str, address: IpAddr, now: UnixMs) -> bool {
        if self.pairs.len() >= MAX_PAIRS {
            self.forget(now);
        }
        let failures = self.pairs.entry((username.to_owned(), address)).or_insert(Failures { count: 0, last: now });
        if now - failures.last > WAIT_MS {
            failures.count = 0;
        }
        *failures = Failures { count: failures.count + 1, last: now };
        failures.count == MAX_FAILURES
    }

    /// Forgets a pair that has logged in.
    pub fn succeeded(&mut self, username: &str, address: IpAddr) {
        self.pairs.remove(&(username.to_owned(), address));
    }

    fn forget(&mut self, now: UnixMs) {
        self.pairs.retain(|_, failures| now - failures.last <= WAIT_MS);
        if self.pairs.len() >= MAX_PAIRS {
            let mut ages: Vec<UnixMs> = self.pairs.values().map(|failures| failures.last).collect();
            ages.sort_unstable();
            let middle = ages.get(ages.len() / 2).copied().unwrap_or(now);
            self.pairs.retain(|_, failures| failures.last > middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_fifth_failure_locks_this_pair_for_a_while_and_no_other() {
        let mut lockout = Lockout::default();
        for attempt in 1..=MAX_FAILURES {
            assert_eq!(lockout.wait("ada", HERE, 0), None, "attempt {attempt}");
            assert_eq!(lockout.failed("ada", HERE, 0), attempt == MAX_FAILURES);
        }
        assert_eq!(lockout.wait("ada", HERE, 0), Some(WAIT_MS));
        assert_eq!(lockout.wait("ada", HERE, WAIT_MS - 1), Some(1));
        assert_eq!(lockout.wait("ada", HERE, WAIT_MS), None);
        assert_eq!(lockout.wait("eve", HERE, 0), None);
        assert_eq!(lockout.wait("ada", "192.0.2.1".parse().unwrap(), 0), None);
    }

    #[test]
    fn old_failures_and_success_are_forgotten() {
        let mut lockout = Lockout::default();
        for _ in 1..MAX_FAILURES {
            lockout.failed("ada", HERE, 0);
        }
        assert!(!lockout.failed("ada", HERE, WAIT_MS + 1));
        lockout.succeeded("ada", HERE);
        assert!(lockout.pairs.is_empty());
    }

    #[test]
    fn nobody_can_fill_the_memory() {
        let mut lockout = Lockout::default();
        for attempt in 0..3 * MAX_PAIRS {
            lockout.failed(&format!("user {attempt}"), HERE, i64::try_from(attempt).unwrap());
        }
        assert!(lockout.pairs.len() <= MAX_PAIRS);
    }
}
