//! What was handed to the connection and has no receipt yet. Pure: it knows neither the broker nor the clock.
//!
//! ```text
//! handed ──the broker took it──▶ taken ──receipt──▶ (place free)
//!                                  └──no receipt in time──▶ (place free, to be sent again)
//! ```
//! A handed message is never sent a second time over the same connection: on a slow line it may take minutes to leave, and
//! a copy behind it would only make the line slower.

use std::collections::BTreeMap;

use wire::ids::MessageId;

/// How long a message that the broker took may be without a receipt before it is sent again.
///
/// A gateway commits and answers in well under a second; one that restarts needs some seconds. Sooner would double the
/// traffic, later would hold a finding back after a gateway's crash.
pub const RECEIPT_WAIT_MS: u64 = 15_000;

/// The window over the outbox. Times are milliseconds of a clock that never goes back.
#[derive(Debug)]
pub struct Inflight {
    window: u32,
    /// When each is sent again; `None` while the broker has not taken it.
    places: BTreeMap<MessageId, Option<u64>>,
}

impl Inflight {
    /// An empty window of at most `window` messages.
    #[must_use]
    pub fn new(window: u32) -> Self {
        Self { window, places: BTreeMap::new() }
    }

    /// How many more may be handed over.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.window.saturating_sub(u32::try_from(self.places.len()).unwrap_or(u32::MAX))
    }

    /// Takes a place.
    pub fn handed(&mut self, id: MessageId) {
        self.places.insert(id, None);
    }

    /// The broker has it: from now its receipt is awaited.
    pub fn taken(&mut self, id: MessageId, now_ms: u64) {
        if let Some(place) = self.places.get_mut(&id) {
            *place = Some(now_ms.saturating_add(RECEIPT_WAIT_MS));
        }
    }

    /// Frees its place, if it still has one.
    pub fn settled(&mut self, id: MessageId) {
        self.places.remove(&id);
    }

    /// Frees the places of those whose receipt did not come, and names them.
    pub fn overdue(&mut self, now_ms: u64) -> Vec<MessageId> {
        let late = |place: &Option<u64>| place.is_some_and(|at_ms| at_ms <= now_ms);
        self.places.extract_if(.., |_, place| late(place)).map(|(id, _)| id).collect()
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
    fn only_what_the_broker_took_can_be_late() {
        let mut inflight = Inflight::new(2);
        inflight.handed(id(1));
        inflight.handed(id(2));
        inflight.taken(id(2), 100);
        assert_eq!(inflight.room(), 0);
        assert!(inflight.overdue(100 + RECEIPT_WAIT_MS - 1).is_empty());
        assert_eq!(inflight.overdue(100 + RECEIPT_WAIT_MS), [id(2)]);
        assert_eq!(inflight.room(), 1);
        assert!(inflight.overdue(u64::MAX).is_empty(), "a slow line is not a lost receipt");
        inflight.settled(id(1));
        assert_eq!(inflight.room(), 2);
    }

    #[test]
    fn a_receipt_may_overtake_the_brokers_own_word() {
        let mut inflight = Inflight::new(1);
        inflight.handed(id(1));
        inflight.settled(id(1));
        inflight.taken(id(1), 0);
        assert_eq!(inflight.room(), 1);
        assert!(inflight.overdue(u64::MAX).is_empty());
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_the_window(
            window in 1_u32..8,
            steps in prop::collection::vec((any::<u8>(), 0_u8..4, 0_u64..20_000), 0..200),
        ) {
            let (mut inflight, mut now) = (Inflight::new(window), 0);
            for (number, step, wait) in steps {
                now += wait;
                match step {
                    0 => inflight.settled(id(number)),
                    1 => inflight.taken(id(number), now),
                    2 => drop(inflight.overdue(now)),
                    _ if inflight.room() > 0 => inflight.handed(id(number)),
                    _ => {}
                }
                prop_assert!(inflight.places.len() <= window as usize);
            }
        }
    }
}
