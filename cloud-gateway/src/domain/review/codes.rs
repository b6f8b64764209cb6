//! What a reviewer can say of a film and of her reasons beside free text: two short lists, and with which verdicts each of
//! their entries makes sense. A code that was once given stays in its list: stored verdicts hold it.

use serde::Serialize;

use super::Opinion;
use super::Opinion::{Agree, Disagree, Uncertain, Unreadable};

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Code {
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// For people.
    pub words: &'static str,
    /// The verdicts that it can go with.
    pub with: &'static [Opinion],
}

/// What the reviewer sees on the film.
pub const FINDINGS: [Code; 9] = [
    Code { code: "no_finding", words: "Nothing abnormal", with: READ },
    Code { code: "pneumonia", words: "Pneumonia", with: READ },
    Code { code: "consolidation", words: "Consolidation, cause open", with: READ },
    Code { code: "interstitial", words: "Interstitial pattern", with: READ },
    Code { code: "atelectasis", words: "Atelectasis", with: READ },
    Code { code: "effusion", words: "Pleural effusion", with: READ },
    Code { code: "pneumothorax", words: "Pneumothorax", with: READ },
    Code { code: "mass", words: "Nodule or mass", with: READ },
    Code { code: "other", words: "Something else (say what in the note)", with: READ },
];

/// Why the verdict is what it is.
pub const REASONS: [Code; 13] = [
    Code { code: "evidence_elsewhere", words: "Right finding, evidence in the wrong place", with: &[Agree] },
    Code { code: "missed", words: "A finding was missed", with: &[Disagree] },
    Code { code: "normal_anatomy", words: "Normal anatomy taken for a finding", with: &[Disagree] },
    Code { code: "artefact", words: "Artefact, line or device taken for a finding", with: &[Disagree, Uncertain] },
    Code { code: "other_disease", words: "Another disease explains it", with: &[Disagree, Uncertain] },
    Code { code: "wrongly_refused", words: "Should have been assessed", with: &[Disagree] },
    Code { code: "subtle", words: "Too subtle to decide", with: &[Uncertain] },
    Code { code: "needs_prior", words: "Needs an earlier film or the clinic", with: &[Uncertain] },
    Code { code: "exposure", words: "Over- or underexposed", with: POOR },
    Code { code: "motion", words: "Motion", with: POOR },
    Code { code: "position", words: "Rotated or badly positioned", with: POOR },
    Code { code: "cut_off", words: "Part of the chest is cut off", with: POOR },
    Code { code: "not_a_chest", words: "Not a frontal chest radiograph", with: &[Agree, Disagree, Unreadable] },
];

/// Who could read the film can say what is on it.
const READ: &[Opinion] = &[Agree, Disagree, Uncertain];

/// What makes a film hard to read makes it, at its worst, unreadable.
const POOR: &[Opinion] = &[Disagree, Uncertain, Unreadable];

/// Refuses a code that is not in `list` or does not go with the verdict. `name` is the field's.
///
/// # Errors
/// A sentence for the reviewer.
pub fn check(name: &str, list: &[Code], code: &str, opinion: Opinion) -> Result<(), String> {
    let known = list.iter().find(|one| one.code == code);
    let known = known.ok_or_else(|| format!("{name} must be one of those at /api/v1/verdict-codes."))?;
    if known.with.contains(&opinion) {
        return Ok(());
    }
    Err(format!("{name} “{}” does not go with the verdict “{}”.", known.words, opinion.as_str()))
}

/// The words of a code; the code itself where an older program knew it.
#[must_use]
pub fn words<'a>(list: &[Code], code: &'a str) -> &'a str {
    list.iter().find(|one| one.code == code).map_or(code, |one| one.words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_listed_twice_and_each_goes_with_a_verdict() {
        for list in [FINDINGS.as_slice(), &REASONS] {
            for (at, one) in list.iter().enumerate() {
                assert!(!one.with.is_empty(), "{}", one.code);
                assert!(list[..at].iter().all(|other| other.code != one.code), "{} twice", one.code);
                assert!(one.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", one.code);
            }
        }
    }

    #[test]
    fn every_verdict_can_be_given_a_reason() {
        for opinion in Opinion::ALL {
            assert!(REASONS.iter().any(|one| one.with.contains(&opinion)), "{opinion:?}");
        }
    }

    #[test]
    fn a_code_is_taken_with_the_verdicts_that_it_goes_with_only() {
        for (list, code, opinion, good) in [
            (FINDINGS.as_slice(), "pneumonia", Disagree, true),
            (&FINDINGS, "pneumonia", Unreadable, false),
            (&FINDINGS, "missed", Disagree, false),
            (&REASONS, "missed", Disagree, true),
            (&REASONS, "missed", Agree, false),
            (&REASONS, "motion", Unreadable, true),
            (&REASONS, "", Agree, false),
        ] {
            assert_eq!(check("reason", list, code, opinion).is_ok(), good, "{code} with {opinion:?}");
        }
    }

    #[test]
    fn an_older_programs_code_is_its_own_words() {
        assert_eq!(words(&REASONS, "motion"), "Motion");
        assert_eq!(words(&REASONS, "phase_of_the_moon"), "phase_of_the_moon");
    }
}
