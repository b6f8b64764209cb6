//! What waits, how long it has waited, and for whom.

use super::super::Status;
use super::super::html::{Html, facts, text};
use super::age;

pub(super) fn facts_of(status: &Status) -> Html {
    let levels = *status.levels.borrow();
    let now_ms = (status.world.now_ms)();
    let oldest = levels.depth.oldest_ms.map_or_else(|| "none".to_owned(), |ms| age(now_ms.saturating_sub(ms)));
    let rows = [
        ("Received, waiting to be read", levels.counts.accepted.to_string()),
        ("Read, result not yet confirmed by the cloud", levels.counts.concluded.to_string()),
        ("Confirmed by the cloud", levels.counts.receipted.to_string()),
        ("Messages waiting for the cloud", levels.depth.waiting.to_string()),
        ("Oldest of them", oldest),
        ("Messages that the cloud rejected", levels.depth.rejected.to_string()),
    ];
    facts(rows.map(|(name, value)| (name.to_owned(), text(&value))))
}
