//! Where a message stands, as the browser keeps it and gives it back as `Last-Event-ID`. Pure.

use std::fmt;

/// The how-manieth message of which start of which replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    epoch: String,
    number: u64,
}

impl Place {
    /// The place of the `number`th message, from 1.
    #[must_use]
    pub fn new(epoch: &str, number: u64) -> Self {
        Self { epoch: epoch.to_owned(), number }
    }

    /// Reads what a browser gave back; `None` where it is no place.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        Some(Self { epoch: epoch.to_owned(), number: number.parse().ok()? })
    }

    /// How many messages came after it, if this replica told it since its start and has told `told`.
    #[must_use]
    pub fn after(&self, epoch: &str, told: u64) -> Option<u64> {
        if self.epoch == epoch { told.checked_sub(self.number) } else { None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_place_survives_the_round_trip(epoch: u64, number: u64) {
            let place = Place::new(&format!("{epoch:016x}"), number);
            assert_eq!(Place::read(&place.to_string()), Some(place));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = Place::read(&text);
        }
    }

    #[test]
    fn only_this_starts_own_past_counts() {
        for (text, after) in [("a-3", Some(2)), ("a-5", Some(0)), ("a-6", None), ("b-3", None), ("a-0", Some(5))] {
            assert_eq!(Place::read(text).unwrap().after("a", 5), after, "{text}");
        }
        for text in ["", "a", "a-", "a-x", "a-1-2", "a--1"] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
