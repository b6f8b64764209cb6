//! What was sent and has no receipt yet. Pure: it knows neither the broker nor the clock.

use std::collections::BTreeMap;

use wire::ids::MessageId;

/// The window over the outbox.
#[derive(Debug)]
pub struct Inflight {
    window: u32,
    /// When each one's lease ends.
    leases: BTreeMap<MessageId, i64>,
}

impl Inflight {
    /// An empty window of at most `window` messages.
    #[must_use]
    pub fn new(window: u32) -> Self {
        Self { window, leases: BTreeMap::new() }
    }

    /// How many more may be sent. A message whose lease has ended gives its place up: the outbox hands it out again.
    pub fn room(&mut self, now_ms: i64) -> u32 {
        self.leases.retain(|_, ends_ms| *ends_ms > now_ms);
        self.window.saturating_sub(u32::try_from(self.leases.len()).unwrap_or(u32::MAX))
    }

    /// Takes a place until the lease ends.
    pub fn sent(&mut self, id: MessageId, lease_ends_ms: i64) {
        self.leases.insert(id, lease_ends_ms);
    }

    /// Frees its place, if it still has one.
    pub fn settled(&mut self, id: MessageId) {
        self.leases.remove(&id);
    }

    /// When the first lease ends, if any runs.
    #[must_use]
    pub fn next_end_ms(&self) -> Option<i64> {
        self.leases.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u8) -> MessageId {
        format!("01890a5d-ac96-774b-bcce-b302099a80{number:02x}").parse().unwrap()
    }

    #[test]
    fn a_receipt_or_an_ended_lease_frees_a_place() {
        let mut inflight = Inflight::new(2);
        inflight.sent(id(1), 100);
        inflight.sent(id(2), 50);
        assert_eq!((inflight.room(0), inflight.next_end_ms()), (0, Some(50)));
        inflight.settled(id(1));
        assert_eq!(inflight.room(0), 1);
        assert_eq!(inflight.room(50), 2);
        inflight.settled(id(2));
        assert_eq!((inflight.room(50), inflight.next_end_ms()), (2, None));
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_the_window(window in 1_u32..8, steps in prop::collection::vec((any::<u8>(), any::<bool>(), 0_i64..50), 0..200)) {
            let (mut inflight, mut now) = (Inflight::new(window), 0);
            for (number, settles, wait) in steps {
                now += wait;
                if settles {
                    inflight.settled(id(number));
                } else if inflight.room(now) > 0 {
                    inflight.sent(id(number), now + 60);
                }
                prop_assert!(inflight.leases.len() <= window as usize);
            }
        }
    }
}
