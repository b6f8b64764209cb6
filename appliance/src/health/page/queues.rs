//! What waits, how long it has waited, and for whom.

use super::super::Status;
use super::super::html::{Html, facts, list, sentence, text};
use super::age;

pub(super) fn facts_of(status: &Status) -> Html {
    let levels = status.levels.borrow().clone();
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
    let mut shown = facts(rows.map(|(name, value)| (name.to_owned(), text(&value))));
    if !levels.rejected.is_empty() {
        shown.add(&text("What the cloud rejected").within("h3"));
        let line = |one: &outbox::Rejected| vec![text(&one.kind), text(&one.id.to_string()), sentence(&one.reason)];
        shown.add(&list(&["Kind", "Message", "Why"], levels.rejected.iter().map(line)));
        let hint =
            "Each is kept here. Once the cause is mended, run \"hilum-sync-agent retry-rejected\" on this machine.";
        shown.add(&text(hint).within("p class=\"faint\""));
    }
    shown
}
