//! What is counted of a result: one narrow row of facts, none of them a patient's. It never changes what the device said.

use wire::v1::result::{OutcomeV1, ResultV1};

use super::result::age_band;

/// Where the header says nothing, or nothing that is counted apart.
pub const UNKNOWN: &str = "unknown";

/// What is counted of one result.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// `read`, `abstained` or `unreadable`.
    pub outcome: &'static str,
    /// Why it was not read: the reason's code.
    pub reason: Option<String>,
    /// What was read, where it was.
    pub score: Option<Score>,
    /// `F`, `M`, `O` or [`UNKNOWN`].
    pub sex: &'static str,
    /// One of [`age_band`]'s, or [`UNKNOWN`].
    pub age_band: &'static str,
    /// Modality (0008,0060), or [`UNKNOWN`].
    pub modality: String,
    /// View Position (0018,5101), or [`UNKNOWN`].
    pub view: String,
    /// Photometric Interpretation (0028,0004), or [`UNKNOWN`].
    pub photometric: String,
    /// Bits Stored (0028,0101), or [`UNKNOWN`].
    pub bits_stored: String,
}

/// What a model said.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The model as `id@version`.
    pub model: String,
    /// 0 to 1.
    pub probability: f64,
    /// Whether it was called positive.
    pub positive: bool,
}

impl Reading {
    /// What is counted of this result.
    #[must_use]
    pub fn of(result: &ResultV1) -> Self {
        let (outcome, reason, score) = match &result.outcome {
            OutcomeV1::Read(read) => {
                let model = format!("{}@{}", read.model.id, read.model.version);
                ("read", None, Some(Score { model, probability: read.probability, positive: read.positive }))
            }
            OutcomeV1::Abstained { reason } => ("abstained", Some(reason.code.clone()), None),
            OutcomeV1::Unreadable { reason } => ("unreadable", Some(reason.code.clone()), None),
        };
        let facts = &result.facts;
        let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        Self {
            outcome,
            reason,
            score,
            sex: ["F", "M", "O"].into_iter().find(|sex| facts.sex.as_deref() == Some(sex)).unwrap_or(UNKNOWN),
            age_band: facts.age_years.map_or(UNKNOWN, age_band),
            modality: or_unknown(&facts.modality),
            view: or_unknown(&facts.view),
            photometric: or_unknown(&facts.photometric),
            bits_stored: facts.bits_stored.map_or_else(|| UNKNOWN.to_owned(), |bits| bits.to_string()),
        }
    }
}

impl Score {
    /// The probability in whole thousandths, rounded down, 0 to 999: the finest bin that scores are counted in.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "0 to 1, times 1,000")]
    pub fn permille(&self) -> i64 {
        ((self.probability * 1_000.0) as i64).min(999)
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::read;
    use super::*;
    use wire::v1::result::ReasonV1;

    #[test]
    fn a_reading_is_counted_by_what_was_said_and_what_was_not_is_unknown() {
        let counted = Reading::of(&read(0.25));
        let score = counted.score.clone().unwrap();
        assert_eq!((score.model.as_str(), score.permille(), score.positive), ("pneumonia-cxr@1.0.0", 250, false));
        assert_eq!((counted.outcome, counted.sex, counted.age_band), ("read", UNKNOWN, "1-5"));
        assert_eq!((counted.modality.as_str(), counted.view.as_str()), ("DX", UNKNOWN));
        assert_eq!(Score { probability: 1.0, ..score }.permille(), 999);
    }

    #[test]
    fn what_was_not_read_has_a_reason_and_no_score() {
        let reason = ReasonV1 { code: "not_a_chest".into(), words: String::new() };
        let counted = Reading::of(&ResultV1 { outcome: OutcomeV1::Abstained { reason }, ..read(0.5) });
        assert_eq!(
            (counted.outcome, counted.reason.as_deref(), counted.score),
            ("abstained", Some("not_a_chest"), None)
        );
    }

    #[test]
    fn a_sex_that_the_standard_does_not_know_is_counted_as_unknown() {
        for (said, counted) in [(Some("F"), "F"), (Some("O"), "O"), (Some("X"), UNKNOWN), (None, UNKNOWN)] {
            let mut result = read(0.5);
            result.facts.sex = said.map(str::to_owned);
            assert_eq!(Reading::of(&result).sex, counted);
        }
    }
}
