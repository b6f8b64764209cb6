//! Second readings: whether a result has one, whose turn it is, and what their verdicts come to. One table; whatever is not in it
//! is refused.
//!
//! The second reader does not see the first's verdict. Where the two say the same, that counts; where they do not, nothing
//! counts until a lead reviewer who was neither of them has decided.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Opinion;

/// How far a second reading is. A result that is read once has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Asked for before there was a first verdict.
    Requested,
    /// The first verdict stands; another reader's is awaited.
    Awaiting,
    /// Both said the same.
    Concordant,
    /// They did not; a lead reviewer's word is awaited.
    Discordant,
    /// A lead reviewer has decided.
    Adjudicated,
}

/// Which reading a verdict was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// The first, or the only one.
    First,
    /// Given without sight of the first.
    Second,
    /// Given with sight of both.
    Adjudication,
}

/// What is known before a verdict is taken.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// How far the second reading is.
    pub state: Option<State>,
    /// Whether the result's name puts it into the sample.
    pub sampled: bool,
    /// The first verdict that stands, and whose it is.
    pub first: Option<(&'a str, Opinion)>,
    /// Everybody who ever gave a verdict here.
    pub reviewers: &'a [&'a str],
}

/// Who gives it.
#[derive(Clone, Copy, Debug)]
pub struct Giver<'a> {
    /// The account.
    pub username: &'a str,
    /// Whether she may decide between two others.
    pub lead: bool,
}

/// What a verdict comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which reading it is.
    pub reading: Reading,
    /// How far the second reading is with it.
    pub state: Option<State>,
}

/// Why a verdict is not taken, in words for its reviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The two readers differ.
    #[error("Two readers differ here; a lead reviewer who was neither of them decides.")]
    AwaitsAdjudication,
    /// Both readings are done.
    #[error("Two readers are done with this result; their word stands.")]
    Closed,
}

/// Whether a result is in a sample of this share, 0 to 1. Its name alone decides: the same on each replica and whenever it is
/// asked, and no reader's or device's doing.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "53 bits are kept, which fit a double exactly")]
pub fn is_sampled(result: Uuid, share: f64) -> bool {
    let digest = Sha256::digest(result.as_bytes());
    let drawn = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    ((drawn >> 11) as f64) / ((1_u64 << 53) as f64) < share
}

/// What a verdict comes to.
///
/// # Errors
/// See [`Refused`].
pub fn take(before: &Before<'_>, giver: Giver<'_>, opinion: Opinion) -> Result<Taken, Refused> {
    use Reading::{Adjudication, First, Second};
    use State::{Adjudicated, Awaiting, Concordant, Discordant, Requested};
    let was_here = before.reviewers.contains(&giver.username);
    let (reading, state) = match (before.state, before.first) {
        (None, _) if before.sampled => (First, Some(Awaiting)),
        (None, _) => (First, None),
        (Some(Requested | Awaiting), Some((_, first))) if !was_here => {
            (Second, Some(if first == opinion { Concordant } else { Discordant }))
        }
        // Whoever saw a verdict here, her own at least, changes her mind and is no second reader.
        (Some(Requested | Awaiting), _) => (First, Some(Awaiting)),
        (Some(Discordant), _) if giver.lead && !was_here => (Adjudication, Some(Adjudicated)),
        (Some(Discordant), _) => return Err(Refused::AwaitsAdjudication),
        (Some(Concordant | Adjudicated), _) => return Err(Refused::Closed),
    };
    Ok(Taken { reading, state })
}

/// What a request for a second reading comes to; nothing where there is one already, and it stays what it is.
#[must_use]
pub fn requested(state: Option<State>, reviewed: bool) -> Option<State> {
    match (state, reviewed) {
        (None, true) => Some(State::Awaiting),
        (None, false) => Some(State::Requested),
        (Some(_), _) => None,
    }
}

/// Whether the verdicts there are must not be shown to a person who may give one.
#[must_use]
pub fn is_blind(state: Option<State>, first_reader: Option<&str>, username: &str, may_give: bool) -> bool {
    may_give && state == Some(State::Awaiting) && first_reader.is_some_and(|first| first != username)
}

/// Whether a verdict can be taken back: not once another reader's was held against it.
#[must_use]
pub fn can_withdraw(state: Option<State>, reading: Reading) -> bool {
    reading == Reading::First && matches!(state, None | Some(State::Requested | State::Awaiting))
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Requested, Self::Awaiting, Self::Concordant, Self::Discordant, Self::Adjudicated];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Awaiting => "awaiting",
            Self::Concordant => "concordant",
            Self::Discordant => "discordant",
            Self::Adjudicated => "adjudicated",
        }
    }

    /// Reads [`State::as_str`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl Reading {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Adjudication => "adjudication",
        }
    }

    /// Reads [`Reading::as_str`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::First, Self::Second, Self::Adjudication].into_iter().find(|reading| reading.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Opinion::{Agree, Disagree};
    use Reading::{Adjudication, First, Second};
    use State::{Adjudicated, Awaiting, Concordant, Discordant, Requested};

    #[test]
    fn the_table_is_this_one() {
        let (ada, bob, eve) = (["ada"], ["ada", "bob"], ["eve"]);
        let first = Some(("ada", Agree));
        for (state, sampled, first, reviewers, giver, lead, opinion, taken) in [
            (None, false, None, &[][..], "ada", false, Agree, Ok((First, None))),
            (None, false, first, &ada, "bob", false, Disagree, Ok((First, None))),
            (None, true, None, &[], "ada", false, Agree, Ok((First, Some(Awaiting)))),
            (Some(Requested), false, None, &[], "ada", false, Agree, Ok((First, Some(Awaiting)))),
            (Some(Awaiting), true, first, &ada, "bob", false, Agree, Ok((Second, Some(Concordant)))),
            (Some(Awaiting), true, first, &ada, "bob", true, Disagree, Ok((Second, Some(Discordant)))),
            (Some(Awaiting), true, first, &ada, "ada", false, Disagree, Ok((First, Some(Awaiting)))),
            (Some(Awaiting), true, first, &bob, "bob", false, Disagree, Ok((First, Some(Awaiting)))),
            (Some(Awaiting), true, None, &eve, "bob", false, Agree, Ok((First, Some(Awaiting)))),
            (Some(Discordant), true, first, &bob, "eve", true, Agree, Ok((Adjudication, Some(Adjudicated)))),
            (Some(Discordant), true, first, &bob, "eve", false, Agree, Err(Refused::AwaitsAdjudication)),
            (Some(Discordant), true, first, &bob, "bob", true, Agree, Err(Refused::AwaitsAdjudication)),
            (Some(Concordant), true, first, &bob, "eve", true, Agree, Err(Refused::Closed)),
            (Some(Adjudicated), true, first, &bob, "ada", false, Agree, Err(Refused::Closed)),
        ] {
            let before = Before { state, sampled, first, reviewers };
            let expected = taken.map(|(reading, state)| Taken { reading, state });
            let giver = Giver { username: giver, lead };
            assert_eq!(take(&before, giver, opinion), expected, "{before:?}, {giver:?}, {opinion:?}");
        }
    }

    #[test]
    fn a_sample_has_its_share_and_a_larger_one_holds_the_smaller() {
        let names: Vec<Uuid> = (0..20_000).map(Uuid::from_u128).collect();
        let drawn = |share: f64| names.iter().filter(|name| is_sampled(**name, share)).count();
        assert_eq!((drawn(0.0), drawn(1.0)), (0, 20_000));
        // Six standard deviations of 20,000 draws of one in ten are 255.
        assert!((1_745..=2_255).contains(&drawn(0.1)), "{}", drawn(0.1));
        assert!(names.iter().all(|name| !is_sampled(*name, 0.1) || is_sampled(*name, 0.2)));
    }

    #[test]
    fn the_second_reader_alone_is_blind_and_only_until_hers_is_given() {
        for (state, first, person, may_give, blind) in [
            (Some(Awaiting), Some("ada"), "bob", true, true),
            (Some(Awaiting), Some("ada"), "ada", true, false),
            (Some(Awaiting), Some("ada"), "auditor", false, false),
            (Some(Awaiting), None, "bob", true, false),
            (Some(Discordant), Some("ada"), "eve", true, false),
            (None, None, "bob", true, false),
        ] {
            assert_eq!(is_blind(state, first, person, may_give), blind, "{state:?} {person}");
        }
    }

    #[test]
    fn what_was_compared_is_not_taken_back() {
        for (state, reading, can) in [
            (None, First, true),
            (Some(Awaiting), First, true),
            (Some(Concordant), First, false),
            (Some(Discordant), Second, false),
            (Some(Adjudicated), Adjudication, false),
        ] {
            assert_eq!(can_withdraw(state, reading), can, "{state:?} {reading:?}");
        }
    }

    #[test]
    fn a_request_begins_a_second_reading_once() {
        assert_eq!(requested(None, false), Some(Requested));
        assert_eq!(requested(None, true), Some(Awaiting));
        assert!(State::ALL.into_iter().all(|state| requested(Some(state), true).is_none()));
        assert!(State::ALL.into_iter().all(|state| State::from_name(state.as_str()) == Some(state)));
        assert!([First, Second, Adjudication].into_iter().all(|one| Reading::from_name(one.as_str()) == Some(one)));
    }
}
