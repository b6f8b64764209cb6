//! What may be ordered, and what is answered.

use outbox::{DeliveryId, Retry};
use reader::model::ModelInfo;
use serde::{Deserialize, Serialize};

use super::Hands;
use crate::health::words::counted;
use crate::model::Switch;

/// One order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Put a slot in force.
    Activate {
        /// The beginning of its digest.
        slot: String,
    },
    /// Let a slot watch, or none.
    Shadow {
        /// The beginning of its digest.
        slot: Option<String>,
    },
    /// Go back to the slot before the active one.
    RollBack,
    /// Send again what did not reach the hospital's own systems.
    Retry {
        /// What of it.
        which: Which,
    },
}

/// Which deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The one of this number.
    One(i64),
    /// All to the destination of this name.
    Destination(String),
    /// All.
    All,
}

/// What came of it, in words for the person who ordered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was done.
    Done(String),
    /// It was not, and nothing has changed.
    Refused(String),
}

/// Does it for the user of this number. It may take seconds.
pub(super) async fn carry_out(order: Order, hands: Hands, user: u32) -> Answer {
    match order {
        Order::Retry { which } => again(&which, &hands, user).await,
        order => {
            let carried_out = tokio::task::spawn_blocking(move || about_models(&order, &hands.switch, user));
            carried_out.await.unwrap_or_else(|_| Answer::Refused("the order was cut short; see the log".to_owned()))
        }
    }
}

async fn again(which: &Which, hands: &Hands, user: u32) -> Answer {
    let retry = match which {
        Which::One(id) => Retry::One(DeliveryId(*id)),
        Which::Destination(name) => Retry::To(name.clone()),
        Which::All => Retry::All,
    };
    match hands.journal.retry_deliveries(retry, (hands.world.now_ms)()).await {
        Ok(0) => Answer::Refused(
            "nothing of that was refused, never confirmed or postponed; `hilum-appliance delivery list` shows what was"
                .to_owned(),
        ),
        Ok(deliveries) => {
            tracing::info!(user, ?which, deliveries, "deliveries are sent again by order");
            hands.couriers.notify_waiters();
            let counted = counted(deliveries as u64, "delivery is", "deliveries are");
            Answer::Done(format!("{counted} sent again; the status page tells how it goes"))
        }
        Err(error) => Answer::Refused(vitals::exit::chain(&error)),
    }
}

/// Blocks for seconds.
fn about_models(order: &Order, switch: &Switch, user: u32) -> Answer {
    let tell = &mut |step: &str| tracing::info!(user, step, "an order is being carried out");
    let done = match order {
        Order::Activate { slot } => switch.activate(slot, tell).map(|model| in_force(&model)),
        Order::RollBack => switch.roll_back(tell).map(|model| in_force(&model)),
        Order::Shadow { slot } => switch.shadow(slot.as_deref()).map(|candidate| match candidate {
            Some(model) => format!(
                "{} {} proved itself on this device ({}) and watches; its readings reach nobody",
                model.manifest.id, model.manifest.version, model.provider
            ),
            None => "no candidate watches any more".to_owned(),
        }),
        Order::Retry { .. } => return Answer::Refused("this is no order about models".to_owned()),
    };
    match done {
        Ok(words) => Answer::Done(words),
        Err(error) => Answer::Refused(vitals::exit::chain(&error)),
    }
}

fn in_force(model: &ModelInfo) -> String {
    format!(
        "{} {} proved itself on this device ({}) and is in force; no image was held up",
        model.manifest.id, model.manifest.version, model.provider
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_these_lines_and_no_others() {
        for (order, line) in [
            (Order::Activate { slot: "3f9a".into() }, r#"{"order":"activate","slot":"3f9a"}"#),
            (Order::Shadow { slot: None }, r#"{"order":"shadow","slot":null}"#),
            (Order::RollBack, r#"{"order":"roll_back"}"#),
            (Order::Retry { which: Which::One(7) }, r#"{"order":"retry","which":{"one":7}}"#),
            (Order::Retry { which: Which::All }, r#"{"order":"retry","which":"all"}"#),
        ] {
            assert_eq!(serde_json::to_string(&order).unwrap(), line);
            assert_eq!(serde_json::from_str::<Order>(line).unwrap(), order);
        }
        for bad in
            ["", "{}", r#"{"order":"reboot"}"#, r#"{"order":"activate"}"#, r#"{"order":"activate","slot":"a","x":1}"#]
        {
            assert!(serde_json::from_str::<Order>(bad).is_err(), "{bad}");
        }
    }
}
