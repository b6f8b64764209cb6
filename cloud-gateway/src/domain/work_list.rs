//! The orders that a work list can be in. Pure.

use serde::{Deserialize, Serialize};

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Unreviewed positive findings, the most probable on top; then the newest received.
    #[default]
    Priority,
    /// The highest probability; what was not read is last.
    Probability,
    /// The oldest patient; who is of unknown age is last.
    Age,
    /// The sites by name; of each, what was received first.
    Site,
    /// The models by name and version; of each, what was received first.
    Model,
    /// What was received first: what has waited longest.
    Received,
}

/// A sort, as it is or the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What comes first.
    pub sort: Sort,
    /// Then it comes last.
    pub reverse: bool,
}

/// A sorting key's value, of the kind that its column has.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// A double.
    Number(f64),
    /// An integer.
    Whole(i64),
    /// A text.
    Text(String),
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Priority, Self::Probability, Self::Age, Self::Site, Self::Model, Self::Received];

    /// As in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Probability => "probability",
            Self::Age => "age",
            Self::Site => "site",
            Self::Model => "model",
            Self::Received => "received",
        }
    }

    /// Writes the first key of a place so that it can be read back bit for bit.
    #[must_use]
    pub fn write(key: &Key) -> String {
        match key {
            Key::Number(value) => format!("{:016x}", value.to_bits()),
            Key::Whole(value) => value.to_string(),
            Key::Text(value) => value.clone(),
        }
    }

    /// Reads [`Sort::write`] back; nothing where it is no key of this sort.
    #[must_use]
    pub fn read(self, text: &str) -> Option<Key> {
        match self {
            Self::Priority | Self::Probability => {
                let value = f64::from_bits(u64::from_str_radix(text, 16).ok()?);
                value.is_finite().then_some(Key::Number(value))
            }
            Self::Age | Self::Received => text.parse().ok().map(Key::Whole),
            Self::Site | Self::Model => (!text.contains('\0')).then(|| Key::Text(text.to_owned())),
        }
    }
}

impl Order {
    /// Whether its keys fall from page to page.
    #[must_use]
    pub fn descends(self) -> bool {
        matches!(self.sort, Sort::Priority | Sort::Probability | Sort::Age) != self.reverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_is_called_as_it_is_written() {
        for sort in Sort::ALL {
            assert_eq!(serde_json::to_value(sort).unwrap(), sort.as_str());
        }
    }

    #[test]
    fn a_key_is_read_back_by_its_own_sort_only() {
        let text = Sort::write(&Key::Number(0.1 + 0.2));
        assert_eq!(Sort::Priority.read(&text), Some(Key::Number(0.1 + 0.2)));
        assert_eq!(Sort::Age.read("-1"), Some(Key::Whole(-1)));
        assert_eq!(Sort::Site.read("st.mary"), Some(Key::Text("st.mary".into())));
        for (sort, text) in [(Sort::Age, "x"), (Sort::Priority, "7ff8000000000000"), (Sort::Model, "a\0")] {
            assert_eq!(sort.read(text), None, "{sort:?} {text}");
        }
    }

    #[test]
    fn turning_an_order_round_turns_its_way() {
        for sort in Sort::ALL {
            assert_ne!(Order { sort, reverse: false }.descends(), Order { sort, reverse: true }.descends());
        }
    }
}
