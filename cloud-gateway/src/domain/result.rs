//! What the gateway makes of a device's result before it stores it: its name, its place in the work list, and whether
//! it can be true at all. It never changes what the device said.

use uuid::Uuid;
use wire::ids::{DeviceId, MessageId};
use wire::v1::result::{OutcomeV1, ReasonV1, ResultV1};

use super::when;

/// Longest text that a device may put into a column; DICOM's own longest short value, LO, is 64 characters.
pub const MAX_TEXT: usize = 64;

/// Longest sentence of a reason or a model card's line.
const MAX_WORDS: usize = 1_000;

/// Most reservations on one result; the device's whole table of them is shorter.
const MAX_CAVEATS: usize = 64;

/// The urgency of what needs nobody's attention first; every real probability is over it.
pub const NOT_URGENT: f64 = -1.0;

/// A result's name in the API: the same for every resend, and no device can take another's.
///
/// `UUIDv5` (RFC 9562, section 5.5) of the device's name in the message's namespace.
#[must_use]
pub fn id(device: &DeviceId, message: MessageId) -> Uuid {
    Uuid::new_v5(&message.0, device.as_str().as_bytes())
}

/// `positive`, `negative`, or nothing where the model did not read the image.
#[must_use]
pub fn finding(result: &ResultV1) -> Option<&'static str> {
    match &result.outcome {
        OutcomeV1::Read(read) if read.positive => Some("positive"),
        OutcomeV1::Read(_) => Some("negative"),
        OutcomeV1::Abstained { .. } | OutcomeV1::Unreadable { .. } => None,
    }
}

/// The work list's first sorting key for a result that nobody has reviewed.
#[must_use]
pub fn urgency(result: &ResultV1) -> f64 {
    match &result.outcome {
        OutcomeV1::Read(read) if read.positive => read.probability,
        _ => NOT_URGENT,
    }
}

/// What the work list can be sorted by beside urgency, time and site.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    /// The calibrated probability; -1 where it was not read.
    pub probability: f64,
    /// The patient's age in whole years; -1 where it is not known.
    pub age_years: i64,
    /// The model that read it, `ID@VERSION`; empty where none did.
    pub model: String,
}

/// See [`Keys`].
#[must_use]
pub fn keys(result: &ResultV1) -> Keys {
    let age_years = result.facts.age_years.map_or(-1, i64::from);
    match &result.outcome {
        OutcomeV1::Read(read) => {
            let model = format!("{}@{}", read.model.id, read.model.version);
            Keys { probability: read.probability, age_years, model }
        }
        OutcomeV1::Abstained { .. } | OutcomeV1::Unreadable { .. } => {
            Keys { probability: -1.0, age_years, model: String::new() }
        }
    }
}

/// Refuses what cannot be true, or could not be stored or shown.
///
/// # Errors
/// A sentence that names the field and holds none of its content.
pub fn check(result: &ResultV1) -> Result<(), String> {
    let facts = &result.facts;
    let optional = |name, text: &Option<String>| text.as_deref().map_or(Ok(()), |text| plain(name, text, MAX_TEXT));
    for (name, text) in [
        ("site", &result.site),
        ("study", &result.study.0),
        ("instance", &result.instance.0),
        ("patient", &result.patient.0),
        ("appliance_version", &result.appliance_version),
    ] {
        plain(name, text, MAX_TEXT)?;
    }
    optional("modality", &facts.modality)?;
    optional("body_part", &facts.body_part)?;
    optional("view", &facts.view)?;
    optional("sex", &facts.sex)?;
    optional("transfer_syntax", &facts.transfer_syntax)?;
    optional("photometric", &facts.photometric)?;
    if when::rfc3339(result.received_at_ms).is_none() {
        return Err("received_at_ms is outside the years 0 to 9999".to_owned());
    }
    let stages = &result.stages;
    let elapsed = [stages.receive_ms, stages.decode_ms, stages.queue_ms, stages.infer_ms, stages.total_ms];
    if elapsed.iter().any(|ms| !ms.is_finite() || *ms < 0.0) {
        return Err("stages holds a time that is negative or no number".to_owned());
    }
    if result.caveats.len() > MAX_CAVEATS {
        return Err(format!("caveats holds more than {MAX_CAVEATS} entries"));
    }
    result.caveats.iter().try_for_each(reason)?;
    outcome(&result.outcome)
}

fn outcome(outcome: &OutcomeV1) -> Result<(), String> {
    let read = match outcome {
        OutcomeV1::Read(read) => read,
        OutcomeV1::Abstained { reason: why } | OutcomeV1::Unreadable { reason: why } => return reason(why),
    };
    let point = &read.model.operating_point;
    for (name, share) in [
        ("probability", read.probability),
        ("threshold", point.threshold),
        ("sensitivity", point.sensitivity),
        ("specificity", point.specificity),
    ] {
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("{name} is outside 0 to 1"));
        }
    }
    if ![read.logit, read.model.slope, read.model.intercept].iter().all(|number| number.is_finite()) {
        return Err("logit, slope or intercept is no number".to_owned());
    }
    if read.positive != (read.probability >= point.threshold) {
        return Err("positive contradicts the probability and the threshold".to_owned());
    }
    for (name, text, most) in [
        ("model.id", &read.model.id, MAX_TEXT),
        ("model.version", &read.model.version, MAX_TEXT),
        ("model.digest", &read.model.digest, MAX_TEXT),
        ("model.title", &read.model.title, MAX_WORDS),
        ("operating_point.name", &point.name, MAX_TEXT),
        ("operating_point.measured_on", &point.measured_on, MAX_WORDS),
        ("provider", &read.provider, MAX_TEXT),
    ] {
        plain(name, text, most)?;
    }
    Ok(())
}

fn reason(reason: &ReasonV1) -> Result<(), String> {
    plain("reason.code", &reason.code, MAX_TEXT)?;
    plain("reason.words", &reason.words, MAX_WORDS)
}

/// Text without control characters: PostgreSQL refuses NUL in a text, and nothing here needs a line break.
///
/// # Errors
/// A sentence that begins with the field's `name`.
pub fn plain(name: &str, text: &str, most: usize) -> Result<(), String> {
    if text.chars().count() > most {
        return Err(format!("{name} is longer than {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{name} holds a control character"));
    }
    Ok(())
}

/// The band that an age in whole years is shown as; the second is the one the shipped model is meant for.
#[must_use]
pub fn age_band(years: u8) -> &'static str {
    match years {
        0 => "under 1",
        1..=5 => "1-5",
        6..=17 => "6-17",
        18..=39 => "18-39",
        40..=64 => "40-64",
        65..=79 => "65-79",
        80.. => "80+",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use wire::ids::Pseudonym;
    use wire::v1::result::{FactsV1, ModelV1, OperatingPointV1, ReadV1, StagesV1};

    pub(crate) fn read(probability: f64) -> ResultV1 {
        let operating_point = OperatingPointV1 {
            name: "default".into(),
            threshold: 0.5,
            sensitivity: 0.96,
            specificity: 0.91,
            measured_on: "624 test images".into(),
        };
        let model = ModelV1 {
            id: "pneumonia-cxr".into(),
            version: "1.0.0".into(),
            title: "Pneumonia on paediatric chest radiographs".into(),
            digest: "00".repeat(32),
            slope: 1.0,
            intercept: 0.0,
            operating_point,
        };
        ResultV1 {
            site: "st-mary".into(),
            study: Pseudonym("s".repeat(26)),
            instance: Pseudonym("i".repeat(26)),
            patient: Pseudonym("p".repeat(26)),
            received_at_ms: 1_767_322_845_678,
            facts: FactsV1 { modality: Some("DX".into()), age_years: Some(4), ..FactsV1::default() },
            outcome: OutcomeV1::Read(ReadV1 {
                model,
                logit: 0.0,
                probability,
                positive: probability >= 0.5,
                provider: "CPU".into(),
            }),
            caveats: vec![],
            stages: StagesV1 { infer_ms: 8.0, ..StagesV1::default() },
            appliance_version: "0.1.0".into(),
            supersedes: None,
        }
    }

    fn broken(change: impl FnOnce(&mut ResultV1)) -> String {
        let mut result = read(0.7);
        change(&mut result);
        check(&result).unwrap_err()
    }

    fn reading(result: &mut ResultV1) -> &mut ReadV1 {
        let OutcomeV1::Read(read) = &mut result.outcome else { panic!("not read") };
        read
    }

    #[test]
    fn what_a_device_really_sends_is_accepted() {
        assert_eq!(check(&read(0.7)), Ok(()));
        assert_eq!(check(&read(0.0)), Ok(()));
        assert_eq!(check(&read(1.0)), Ok(()));
    }

    #[test]
    fn what_cannot_be_true_is_refused_by_the_name_of_its_field() {
        let table: [(&str, String); 9] = [
            ("site", broken(|r| r.site = "x".repeat(65))),
            ("study", broken(|r| r.study.0 = "a\0b".into())),
            ("view", broken(|r| r.facts.view = Some("\n".into()))),
            ("received_at_ms", broken(|r| r.received_at_ms = i64::MAX)),
            ("stages", broken(|r| r.stages.total_ms = f64::NAN)),
            ("probability", broken(|r| reading(r).probability = f64::NAN)),
            ("threshold", broken(|r| reading(r).model.operating_point.threshold = 1.5)),
            ("positive", broken(|r| reading(r).positive = false)),
            ("logit", broken(|r| reading(r).logit = f64::INFINITY)),
        ];
        for (field, words) in table {
            assert!(words.starts_with(field), "{field}: {words}");
        }
    }

    #[test]
    fn a_result_has_one_name_per_device_and_message() {
        let message: MessageId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let (a, b): (DeviceId, DeviceId) = ("a".parse().unwrap(), "b".parse().unwrap());
        assert_eq!(id(&a, message), id(&a, message));
        assert_ne!(id(&a, message), id(&b, message));
    }

    #[test]
    fn only_an_unreviewed_positive_is_urgent() {
        assert!((urgency(&read(0.7)) - 0.7).abs() < f64::EPSILON);
        assert!((urgency(&read(0.2)) - NOT_URGENT).abs() < f64::EPSILON);
    }

    #[test]
    fn every_age_has_a_band() {
        let bands = [(0, "under 1"), (1, "1-5"), (5, "1-5"), (6, "6-17"), (18, "18-39"), (79, "65-79"), (89, "80+")];
        for (years, band) in bands {
            assert_eq!(age_band(years), band);
        }
    }
}
