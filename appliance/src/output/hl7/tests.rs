use wire::v1::result::ReasonV1;

use super::super::record::tests::record;
use super::*;

fn receiver() -> Hl7Destination {
    Hl7Destination {
        name: "ris".into(),
        address: "ris:2575".into(),
        receiving_application: "RIS".into(),
        receiving_facility: "ST-MARY".into(),
    }
}

/// Golden: what receivers have been set up for. A change here is a change that every hospital must be told of.
#[test]
fn a_positive_reading_is_this_message() {
    let message = message(&record(), &receiver());
    let id = &message.control_id;
    let number = control_number(&record());
    let digest = "cd".repeat(32);
    let expected = format!(
        "MSH|^~\\&|HILUM|St Mary|RIS|ST-MARY|20240301093045+0100||ORU^R01^ORU_R01|{id}|P|2.5||||||UNICODE UTF-8\r\
         PID|1||4711^^^ST-MARY||M\u{fc}ller^J\u{f6}rg||20200229|M\r\
         OBR|1|A-17|{number}^HILUM|36554-4^XR Chest Single view^LN|||20240301073059|||||||||^Meyer^Anna||||||20240301093045+0100|||P\r\
         OBX|1|ST|113014^DICOM Study^DCM|1|2.25.100||||||P|||20240301093045+0100\r\
         OBX|2|CWE|233604007^Pneumonia^SCT|2|52101004^Present^SCT|||A|||P|||20240301093045+0100\r\
         OBX|3|NM|122157^Probability^DCM|3|0.873615|{{0:1}}^range: 0:1^UCUM|||||P|||20240301093045+0100\r\
         OBX|4|TX|121106^Comment^DCM|4|Read by pneumonia-cxr 1.2.0 (SHA-256 {digest}) at the operating point default, positive from 0.412.||||||P|||20240301093045+0100\r\
         OBX|5|TX|121106^Comment^DCM|5|The header does not say that this is a frontal view.||||||P|||20240301093045+0100\r\
         OBX|6|TX|121106^Comment^DCM|6|{DISCLAIMER}||||||P|||20240301093045+0100\r"
    );
    assert_eq!(message.text, expected);
    assert_eq!(id.len(), 20);
}

#[test]
fn a_message_sent_again_is_the_same_one_and_another_receivers_is_another() {
    let later = Record { moment: super::super::record::Moment { unix_ms: 0, offset_minutes: 0 }, ..record() };
    assert_eq!(message(&record(), &receiver()).control_id, message(&later, &receiver()).control_id);
    let other = Hl7Destination { name: "his".into(), ..receiver() };
    assert_ne!(message(&record(), &receiver()).control_id, message(&record(), &other).control_id);
}

#[test]
fn what_was_not_read_says_so_and_has_no_probability() {
    let reason = ReasonV1 { code: "not_a_chest".into(), words: "The header says that this is not a chest.".into() };
    let text = message(&Record { outcome: OutcomeV1::Abstained { reason }, ..record() }, &receiver()).text;
    assert!(text.contains("|233604007^Pneumonia^SCT|2|373068000^Undetermined^SCT|"), "{text}");
    assert!(text.contains("The image was not read. The header says") && !text.contains("Probability"), "{text}");
}

#[test]
fn delimiters_and_line_ends_in_a_header_stay_within_their_field() {
    let mut hostile = record();
    hostile.identity.patient_id = Some("1|2~3&4\\5".into());
    hostile.identity.patient_name = Some("A\rOBX|9^B\u{1c}".into());
    let text = message(&hostile, &receiver()).text;
    let segments: Vec<&str> = text.split_terminator('\r').collect();
    assert_eq!(segments.len(), 9, "{text}");
    assert!(segments[1].starts_with("PID|1||1\\F\\2\\R\\3\\T\\4\\E\\5^^^ST-MARY||A OBX\\F\\9^B ||"), "{text}");
}

#[test]
fn names_change_the_places_of_prefix_and_suffix() {
    assert_eq!(person(Some("Adams^John^Robert^Rev.^B.A.=x")), "Adams^John^Robert^B.A.^Rev.");
    assert_eq!(person(Some("Adams")), "Adams");
    assert_eq!(person(None), "");
    assert_eq!(person(Some("=Meyer^Anna")), "Meyer^Anna");
}

#[test]
fn a_name_written_in_several_ways_is_told_in_each() {
    for (name, told) in [
        ("Adams^John", "Adams^John"),
        ("", ""),
        (
            "Yamada^Tarou=\u{5c71}\u{7530}^\u{592a}\u{90ce}=\u{3084}\u{307e}\u{3060}^\u{305f}\u{308d}\u{3046}",
            "Yamada^Tarou^^^^^^A~\u{5c71}\u{7530}^\u{592a}\u{90ce}^^^^^^I~\u{3084}\u{307e}\u{3060}^\u{305f}\u{308d}\u{3046}^^^^^^P",
        ),
        ("=\u{5c71}^\u{592a}", "\u{5c71}^\u{592a}^^^^^^I"),
        ("A^B^C^Dr.^Jr.=X", "A^B^C^Jr.^Dr.^^^A~X^^^^^^^I"),
    ] {
        assert_eq!(patient_name(Some(name)), told, "{name}");
    }
}
