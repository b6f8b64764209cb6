//! What a reviewer says about a result. It never judges the reviewer or the model.

use serde::{Deserialize, Serialize};

pub mod agreement;
pub mod codes;
pub mod region;
pub mod second_reading;

/// Longest note, in characters: about a page, as the API's contract says.
pub const MAX_NOTE: usize = 2_000;

/// What the reviewer makes of the model's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// The finding is right.
    Agree,
    /// The finding is wrong.
    Disagree,
    /// The film does not settle it.
    Uncertain,
    /// Nobody can read the film.
    Unreadable,
}

impl Opinion {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Agree, Self::Disagree, Self::Uncertain, Self::Unreadable];

    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Disagree => "disagree",
            Self::Uncertain => "uncertain",
            Self::Unreadable => "unreadable",
        }
    }

    /// Reads [`Opinion::as_str`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|opinion| opinion.as_str() == name)
    }
}

/// Refuses a note that could not be stored or shown.
///
/// # Errors
/// A sentence for the reviewer.
pub fn check_note(note: &str) -> Result<(), String> {
    if note.chars().count() > MAX_NOTE {
        return Err(format!("The note is longer than {MAX_NOTE} characters; shorten it."));
    }
    if note.chars().any(|c| c.is_control() && c != '\n' && c != '\t' && c != '\r') {
        return Err("The note holds a control character; type it again.".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded_and_printable() {
        assert!(check_note(&"ä".repeat(MAX_NOTE)).is_ok());
        assert!(check_note("two\nlines").is_ok());
        assert!(check_note(&"a".repeat(MAX_NOTE + 1)).is_err());
        assert!(check_note("a\0b").is_err());
    }

    #[test]
    fn opinions_survive_the_database() {
        for opinion in Opinion::ALL {
            assert_eq!(Opinion::from_name(opinion.as_str()), Some(opinion));
        }
        assert_eq!(Opinion::from_name("maybe"), None);
    }
}
