//! Nothing gets out but what is on a list.

use proptest::prelude::*;
use reader::pixels::preview::PreviewVoi;
use reader::pixels::{Identity, Preview};
use reader::reading::StageTimes;

use super::*;

fn privacy() -> Privacy {
    Privacy::new(PseudonymKey::from_bytes([7; 32]))
}

fn reading(about: About, outcome: Outcome) -> Reading {
    let voi = PreviewVoi::LinearExact { center: 1.0, width: 2.0 };
    Reading {
        about: Some(about),
        preview: Some(Preview { rows: 1, columns: 1, samples: vec![0, 0], offset: 0, invert: false, voi }),
        outcome,
        caveats: Vec::new(),
        times: StageTimes::default(),
    }
}

#[test]
fn listed_values_are_told_and_others_are_not() {
    let good = ImageFacts {
        modality: Some("DX".into()),
        body_part: Some("CHEST".into()),
        view: Some("PA".into()),
        sex: Some("F".into()),
        age_years: Some(4.9),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        photometric: Some("MONOCHROME2".into()),
        rows: Some(2048),
        ..ImageFacts::default()
    };
    let told = facts(&good);
    assert_eq!(told.modality.as_deref(), Some("DX"));
    assert_eq!((told.age_years, told.rows, told.sex.as_deref()), (Some(4), Some(2048), Some("F")));
    let bad = ImageFacts {
        modality: Some("DOE^JANE".into()),
        body_part: Some("CHEST OF JANE DOE".into()),
        view: Some("pa".into()),
        sex: Some("JANE".into()),
        age_years: Some(f32::NAN),
        transfer_syntax: "1.2.3.JANE".into(),
        photometric: Some("JANE".into()),
        rows: Some(19_800_101),
        bits_stored: Some(1980),
        ..ImageFacts::default()
    };
    assert_eq!(facts(&bad), FactsV1::default());
}

#[test]
fn an_age_over_89_is_89() {
    for (age, told) in [(0.2, 0), (89.9, 89), (90.0, 89), (104.0, 89)] {
        assert_eq!(facts(&ImageFacts { age_years: Some(age), ..ImageFacts::default() }).age_years, Some(told));
    }
}

#[test]
fn strangers_are_never_joined() {
    let (first, second) = (privacy().tell("1.2.3", None), privacy().tell("1.2.4", None));
    assert_ne!(first.patient, second.patient);
    assert_ne!(first.study, second.study);
    assert_eq!(first, privacy().tell("1.2.3\0", None));
}

#[test]
fn a_picture_with_text_burned_in_stays_here() {
    let facts = |burned_in_annotation| ImageFacts { burned_in_annotation, ..ImageFacts::default() };
    let about = |burned_in| About { facts: facts(burned_in), identity: Identity::default() };
    let outcome = || Outcome::Abstained(Reason { code: "not_a_chest".into(), words: String::new() });
    assert!(privacy().picture(&reading(about(false), outcome())).is_some());
    assert!(privacy().picture(&reading(about(true), outcome())).is_none());
    let mut written = reading(about(false), outcome());
    written.caveats = vec![Reason { code: "text_in_image".into(), words: String::new() }];
    assert!(privacy().picture(&written).is_none());
}

#[test]
fn words_of_the_decoding_process_are_replaced() {
    let told = reason(&Reason { code: "malformed".into(), words: "damaged (JANE DOE)".into() });
    assert_eq!(told.code, "malformed");
    assert!(!told.words.contains("JANE"));
    let unknown = reason(&Reason { code: "JANE DOE".into(), words: "JANE".into() });
    assert_eq!(unknown.code, "unreadable");
}

/// Text that is on no list, whose entries are in capitals, and too long to occur in a pseudonym by chance.
fn secret() -> impl Strategy<Value = String> {
    "[a-z][A-Za-z0-9^ ]{9,20}"
}

proptest! {
    #[test]
    fn no_text_of_a_header_gets_out(
        ids in proptest::array::uniform5(secret()),
        words in proptest::array::uniform8(secret()),
        unreadable: bool,
    ) {
        let [patient, study, series, instance, sop_instance] = &ids;
        let [class, modality, part, view, side, sex, syntax, photometric] = &words;
        let about = About {
            identity: Identity {
                patient_id: Some(patient.clone()),
                study_instance_uid: Some(study.clone()),
                series_instance_uid: Some(series.clone()),
                sop_instance_uid: Some(instance.clone()),
                patient_name: Some(patient.clone()),
                accession_number: Some(study.clone()),
                ..Identity::default()
            },
            facts: ImageFacts {
                sop_class: Some(class.clone()),
                modality: Some(modality.clone()),
                body_part: Some(part.clone()),
                view: Some(view.clone()),
                laterality: Some(side.clone()),
                sex: Some(sex.clone()),
                transfer_syntax: syntax.clone(),
                photometric: Some(photometric.clone()),
                ..ImageFacts::default()
            },
        };
        let why = Reason { code: class.clone(), words: part.clone() };
        let mut reading = reading(about, if unreadable { Outcome::Unreadable(why.clone()) } else { Outcome::Abstained(why.clone()) });
        reading.caveats.push(why);
        // Everything that becomes bytes, as text.
        let privacy = privacy();
        let out = format!(
            "{:?} {:?} {:?}",
            privacy.tell(sop_instance, reading.about.as_ref()),
            privacy.picture(&reading),
            reading.caveats.iter().map(super::reason).collect::<Vec<_>>(),
        );
        for text in ids.iter().chain(&words) {
            // A word that our own sentences hold as well proves nothing.
            let ours = format!("{:?}", privacy.tell("1", None)) + &format!("{:?}", super::reason(&Reason { code: String::new(), words: String::new() }));
            prop_assert!(!out.contains(text.as_str()) || ours.contains(text.as_str()), "{text:?} got out");
        }
    }
}
