//! How many requests each address has sent in the last minute: a sliding window of their times, so that the limit holds
//! for any 60 s, not only for those that begin on a full minute. Pure: time comes in.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use crate::domain::when::UnixMs;

/// The window.
pub const WINDOW_MS: i64 = 60_000;

/// Most addresses remembered: 8 MB at 100 requests each. Beyond it the quietest are forgotten, so nobody can fill the
/// memory.
const MAX_ADDRESSES: usize = 10_000;

/// Requests of one address in any window, 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// None for 0.
    #[must_use]
    pub fn per_minute(requests: u32) -> Option<Self> {
        (requests > 0).then_some(Self(requests))
    }

    /// Requests.
    #[must_use]
    pub fn requests(self) -> u32 {
        self.0
    }
}

/// What a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it may pass.
    pub admitted: bool,
    /// How many more may, now.
    pub remaining: u32,
    /// Milliseconds until the oldest that counts no longer does, 1 to [`WINDOW_MS`].
    pub wait_ms: i64,
}

/// The requests of late.
#[derive(Debug, Default)]
pub struct Windows {
    admitted: HashMap<IpAddr, VecDeque<UnixMs>>,
}

impl Windows {
    /// Counts a request, if it may pass. One that may not costs its sender nothing more.
    pub fn admit(&mut self, address: IpAddr, limit: Limit, now: UnixMs) -> Standing {
        if self.admitted.len() >= MAX_ADDRESSES && !self.admitted.contains_key(&address) {
            self.forget(now);
        }
        let times = self.admitted.entry(address).or_default();
        while times.front().is_some_and(|at| !counts(*at, now)) {
            times.pop_front();
        }
        let held = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let admitted = held < limit.0;
        if admitted {
            times.push_back(now);
        }
        let oldest = times.front().copied().unwrap_or(now);
        let remaining = limit.0.saturating_sub(held + u32::from(admitted));
        Standing { admitted, remaining, wait_ms: oldest + WINDOW_MS - now }
    }

    fn forget(&mut self, now: UnixMs) {
        self.admitted.retain(|_, times| times.back().is_some_and(|at| counts(*at, now)));
        if self.admitted.len() >= MAX_ADDRESSES {
            let mut sent: Vec<usize> = self.admitted.values().map(VecDeque::len).collect();
            sent.sort_unstable();
            let middle = sent.get(sent.len() / 2).copied().unwrap_or(usize::MAX);
            self.admitted.retain(|_, times| times.len() > middle);
        }
    }
}

/// A time that is yet to come was written before the clock was set back: it says nothing about the last minute.
fn counts(at: UnixMs, now: UnixMs) -> bool {
    at <= now && now - at < WINDOW_MS
}

/// What counts as one sender: an IPv4 address, or the /64 that one IPv6 connection is given and can choose from freely.
#[must_use]
pub fn sender(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(whole) => IpAddr::V6(Ipv6Addr::from_bits(whole.to_bits() >> 64 << 64)),
        short @ IpAddr::V4(_) => short,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_limit_is_told_counted_down_and_lifted_one_by_one() {
        let (mut windows, limit) = (Windows::default(), Limit(2));
        for (now, admitted, remaining, wait_ms) in [
            (0, true, 1, 60_000),
            (10_000, true, 0, 50_000),
            (20_000, false, 0, 40_000),
            (59_999, false, 0, 1),
            (60_000, true, 0, 10_000),
            (69_999, false, 0, 1),
            (130_000, true, 1, 60_000),
        ] {
            assert_eq!(windows.admit(HERE, limit, now), Standing { admitted, remaining, wait_ms }, "{now}");
        }
        assert!(windows.admit("192.0.2.1".parse().unwrap(), limit, 20_000).admitted, "another address");
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out() {
        let (mut windows, limit) = (Windows::default(), Limit(1));
        assert!(windows.admit(HERE, limit, 3_600_000).admitted);
        assert_eq!(windows.admit(HERE, limit, 0), Standing { admitted: true, remaining: 0, wait_ms: 60_000 });
    }

    #[test]
    fn one_connection_is_one_sender() {
        for (address, counted) in
            [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
        {
            assert_eq!(sender(address.parse().unwrap()), counted.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn nobody_can_fill_the_memory_and_the_busiest_are_remembered() {
        let (mut windows, limit) = (Windows::default(), Limit(2));
        windows.admit(HERE, limit, 0);
        windows.admit(HERE, limit, 0);
        for number in 0..2 * u32::try_from(MAX_ADDRESSES).unwrap() {
            windows.admit(IpAddr::V4((0x0a00_0000 + number).into()), limit, 1);
        }
        assert!(windows.admitted.len() <= MAX_ADDRESSES);
        assert!(!windows.admit(HERE, limit, 2).admitted);
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_limit_and_none_below_it_is_refused(
            limit in 1_u32..6, steps in prop::collection::vec(0_i64..30_000, 1..80)
        ) {
            let mut windows = Windows::default();
            let (mut now, mut passed): (i64, Vec<i64>) = (0, Vec::new());
            for step in steps {
                now += step;
                let before = passed.iter().filter(|at| now - **at < WINDOW_MS).count();
                let standing = windows.admit(HERE, Limit(limit), now);
                prop_assert_eq!(standing.admitted, before < limit as usize);
                prop_assert!((1..=WINDOW_MS).contains(&standing.wait_ms));
                if standing.admitted {
                    passed.push(now);
                }
            }
        }

        #[test]
        fn who_waits_as_told_is_admitted(limit in 1_u32..6, steps in prop::collection::vec(0_i64..20_000, 1..40)) {
            let (mut windows, mut now) = (Windows::default(), 0);
            for step in steps {
                now += step;
                let standing = windows.admit(HERE, Limit(limit), now);
                if !standing.admitted {
                    now += standing.wait_ms;
                    prop_assert!(windows.admit(HERE, Limit(limit), now).admitted);
                }
            }
        }
    }
}
