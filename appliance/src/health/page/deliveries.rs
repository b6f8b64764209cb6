//! What the hospital's own systems were given, and what stops the rest. Nothing where none is configured.

use outbox::DeliveryState;

use super::super::Status;
use super::super::html::{Html, facts, list, sentence, text};
use super::{counted, time_of_day};
use crate::health::words::delivery;

pub(super) fn facts_of(status: &Status) -> Option<Html> {
    let levels = status.deliveries.borrow();
    if levels.counts.is_empty() {
        return None;
    }
    let count = |one: &outbox::DeliveryCount| {
        (format!("{}: {}", one.destination, delivery(one.state)), text(&one.count.to_string()))
    };
    let mut given = facts(levels.counts.iter().map(count));
    if !levels.troubles.is_empty() {
        let now_ms = (status.world.now_ms)();
        given.add(&text("What stops reports").within("h3"));
        let trouble = |one: &outbox::DeliveryTrouble| {
            let words = format!("{}, {}: {}", one.destination, delivery(one.state), one.reason);
            vec![text(&time_of_day(one.last_ms, now_ms)), text(&one.count.to_string()), sentence(&words)]
        };
        given.add(&list(&["Last", "Reports", "What happened"], levels.troubles.iter().map(trouble)));
    }
    let is_given_up = |one: &outbox::DeliveryCount| {
        matches!(one.state, DeliveryState::Refused | DeliveryState::Unconfirmed) && one.count > 0
    };
    if levels.counts.iter().any(is_given_up) {
        let hint = "What was refused or never confirmed is not sent again by itself. Once the cause is mended, run \
                    \"hilum-appliance delivery retry --all\" on this machine; \"delivery list\" shows each.";
        given.add(&text(hint).within("p class=\"faint\""));
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
