//! What may be ordered, and what is answered.

use reader::model::ModelInfo;
use serde::{Deserialize, Serialize};

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

/// Does it. Blocks for seconds.
pub(super) fn carry_out(order: &Order, switch: &Switch) -> Answer {
    let tell = &mut |step: &str| tracing::info!(step, "an order is being carried out");
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
