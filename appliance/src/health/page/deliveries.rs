//! What the hospital's own systems were given, and what stops the rest. Nothing where none is configured.

use outbox::DeliveryState;

use super::super::Status;
use super::super::html::{Html, facts, list, text};
use super::{counted, time_of_day};

pub(super) fn facts_of(status: &Status) -> Option<Html> {
    let levels = status.deliveries.borrow();
    if levels.counts.is_empty() {
        return None;
    }
    let count = |one: &outbox::DeliveryCount| {
        (format!("{}: {}", one.destination, meaning(one.state)), text(&one.count.to_string()))
    };
    let mut given = facts(levels.counts.iter().map(count));
    if !levels.troubles.is_empty() {
        let now_ms = (status.world.now_ms)();
        given.add(&text("What stops reports").within("h3"));
        let trouble = |one: &outbox::DeliveryTrouble| {
            let words = format!("{}, {}: {}", one.destination, meaning(one.state), one.reason);
            vec![text(&time_of_day(one.last_ms, now_ms)), text(&one.count.to_string()), text(&words)]
        };
        given.add(&list(&["Last", "Reports", "What happened"], levels.troubles.iter().map(trouble)));
    }
    for (destination, count) in &levels.stranded {
        let words = format!(
            "{} for {destination}, which is no longer in the configuration: nothing is lost, and nothing is sent until a \
             [[destination]] has that name again.",
            counted(*count, "report waits", "reports wait")
        );
        given.add(&text(&words).within("p class=\"bad\""));
    }
    Some(given)
}

/// A delivery's state as people say it.
fn meaning(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Sent => "stored, commitment awaited",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Committed => "stored and committed",
        DeliveryState::Refused => "refused",
        DeliveryState::Unconfirmed => "stored, never confirmed",
    }
}
