//! Header attributes to the identity that reports repeat. What is malformed is absent: an object of ours that repeated it would
//! be malformed, too.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;

use super::header::{LONGEST, bounded, text};
use crate::pixels::Identity;

/// Longest header text that is looked at for a name: some times over what three component groups may have.
const LONGEST_NAME: usize = 1024;

/// Longest Short String (PS3.5 6.2).
const LONGEST_SHORT: usize = 16;

pub(super) fn of(object: &DefaultDicomObject) -> Identity {
    // Half an identifier is somebody else's: what is too long is absent, not cut.
    let whole = |tag, most: usize| bounded(object, tag, most + 1).filter(|text| text.chars().count() <= most);
    let long = |tag| whole(tag, LONGEST);
    let short = |tag| whole(tag, LONGEST_SHORT);
    let name = |tag| bounded(object, tag, LONGEST_NAME).and_then(|text| person(&text));
    let uid = |tag| long(tag).filter(|text| is_uid(text));
    let shaped = |tag: Tag, is: fn(&str) -> bool| text(object, tag).filter(|text| is(text));
    Identity {
        patient_id: long(tags::PATIENT_ID),
        patient_id_issuer: long(tags::ISSUER_OF_PATIENT_ID),
        patient_name: name(tags::PATIENT_NAME),
        birth_date: shaped(tags::PATIENT_BIRTH_DATE, is_date),
        sex: text(object, tags::PATIENT_SEX)
            .map(|sex| sex.to_ascii_uppercase())
            .filter(|sex| ["M", "F", "O"].contains(&sex.as_str())),
        study_instance_uid: uid(tags::STUDY_INSTANCE_UID),
        study_date: shaped(tags::STUDY_DATE, is_date),
        study_time: shaped(tags::STUDY_TIME, is_time),
        study_id: short(tags::STUDY_ID),
        study_description: text(object, tags::STUDY_DESCRIPTION),
        accession_number: short(tags::ACCESSION_NUMBER),
        referring_physician: name(tags::REFERRING_PHYSICIAN_NAME),
        series_instance_uid: uid(tags::SERIES_INSTANCE_UID),
        sop_instance_uid: uid(tags::SOP_INSTANCE_UID),
        utc_offset: shaped(tags::TIMEZONE_OFFSET_FROM_UTC, is_offset),
    }
}

/// Person Name: up to three component groups, parted by `=`, of up to five components and 64 characters each (PS3.5 6.2). A
/// longer one is cut there, since nobody is told apart by a name alone.
fn person(text: &str) -> Option<String> {
    let group = |group: &str| -> String {
        let components: Vec<&str> = group.split('^').take(5).collect();
        components.join("^").chars().take(LONGEST).collect::<String>().trim_end().to_owned()
    };
    let groups: Vec<String> = text.split('=').take(3).map(group).collect();
    let name = groups.join("=").trim_end_matches('=').to_owned();
    (!name.is_empty()).then_some(name)
}

/// Unique identifier: components of digits, parted by dots (PS3.5 9.1).
fn is_uid(text: &str) -> bool {
    text.split('.').all(digits)
}

/// Date: YYYYMMDD with a month and a day that exist in some year (PS3.5 6.2).
fn is_date(text: &str) -> bool {
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u8>().ok()).unwrap_or(0);
    text.len() == 8 && digits(text) && (1..=12).contains(&part(4..6)) && (1..=31).contains(&part(6..8))
}

/// Time: HH, HHMM or HHMMSS, the last with up to six digits of a fraction (PS3.5 6.2). Second 60 is a leap second.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction_fits = digits(fraction) && (1..=6).contains(&fraction.len()) && (whole.len() == 6 || whole == text);
    let within =
        |at: usize, most: u8| whole.get(at..at + 2).is_none_or(|part| part.parse::<u8>().is_ok_and(|n| n <= most));
    matches!(whole.len(), 2 | 4 | 6)
        && digits(whole)
        && fraction_fits
        && within(0, 23)
        && within(2, 59)
        && within(4, 60)
}

/// Offset: a sign and HHMM, from -1200 to +1400 (PS3.3 C.12.1.1.8).
fn is_offset(text: &str) -> bool {
    let Some((sign, number)) = text.split_at_checked(1) else { return false };
    let (hours, minutes) =
        (number.get(..2).and_then(|h| h.parse::<u8>().ok()), number.get(2..).and_then(|m| m.parse::<u8>().ok()));
    let most = match sign {
        "+" => 14,
        "-" => 12,
        _ => return false,
    };
    number.len() == 4
        && digits(number)
        && hours.is_some_and(|h| h <= most)
        && minutes.is_some_and(|m| m < 60)
        && text != "-0000"
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_dictionary_std::uids;
    use dicom_object::meta::FileMetaTableBuilder;
    use dicom_object::{InMemDicomObject, from_reader};

    #[test]
    fn only_well_formed_dates_times_and_offsets_are_repeated() {
        for good in ["20240229", "19000131"] {
            assert!(is_date(good), "{good}");
        }
        for bad in ["", "2024", "20241301", "20240100", "2024-1-1", "20240132", "2024010\u{661}"] {
            assert!(!is_date(bad), "{bad}");
        }
        for good in ["07", "0730", "073059", "073060.5", "235959.123456"] {
            assert!(is_time(good), "{good}");
        }
        for bad in ["", "7", "24", "0760", "07305", "07:30", "073059.", "0730.5", "073059.1234567"] {
            assert!(!is_time(bad), "{bad}");
        }
        for (text, is) in [
            ("+0100", true),
            ("-1200", true),
            ("+1400", true),
            ("-0000", false),
            ("0100", false),
            ("+1500", false),
            ("+01", false),
        ] {
            assert_eq!(is_offset(text), is, "{text}");
        }
    }

    /// A file as another product would write it: Latin-1 bytes in the header.
    fn written(character_set: &str, name: &[u8], accession: &str) -> DefaultDicomObject {
        let text = |tag, vr, value: &str| DataElement::new(tag, vr, PrimitiveValue::from(value));
        let object = InMemDicomObject::from_element_iter([
            text(tags::SPECIFIC_CHARACTER_SET, VR::CS, character_set),
            text(tags::SOP_CLASS_UID, VR::UI, uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE),
            text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.42"),
            text(tags::ACCESSION_NUMBER, VR::SH, accession),
            text(tags::PATIENT_NAME, VR::PN, &"#".repeat(name.len())),
            text(tags::PATIENT_SEX, VR::CS, "x"),
            text(tags::STUDY_DATE, VR::DA, "20240301"),
            text(tags::STUDY_TIME, VR::TM, "ten past"),
        ]);
        let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let mut bytes = Vec::new();
        object.with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
        let at = bytes.windows(name.len()).position(|window| window.iter().all(|byte| *byte == b'#')).unwrap();
        bytes[at..at + name.len()].copy_from_slice(name);
        from_reader(&*bytes).unwrap()
    }

    #[test]
    fn names_are_decoded_from_the_headers_character_set() {
        let identity = of(&written("ISO_IR 100", b"M\xfcller^J\xf6rg ", "A1"));
        assert_eq!(identity.patient_name.as_deref(), Some("M\u{fc}ller^J\u{f6}rg"));
        let identity = of(&written("ISO_IR 203", b"\xbcuvrard^\xb4an ", "A1"));
        assert_eq!(identity.patient_name.as_deref(), Some("\u{152}uvrard^\u{17d}an"));
        let identity = of(&written("ISO_IR 192", "\u{5c71}\u{7530}^\u{592a}\u{90ce} ".as_bytes(), "A1"));
        assert_eq!(identity.patient_name.as_deref(), Some("\u{5c71}\u{7530}^\u{592a}\u{90ce}"));
    }

    #[test]
    fn names_have_three_groups_of_five_parts_and_64_characters() {
        let long = "x".repeat(70);
        for (text, expected) in [
            ("A^B=C^D=E^F=G", Some("A^B=C^D=E^F".to_owned())),
            ("A^B^C^D^E^F", Some("A^B^C^D^E".to_owned())),
            ("=C^D", Some("=C^D".to_owned())),
            ("A^B==", Some("A^B".to_owned())),
            ("==", None),
            (&format!("{long}={long}"), Some(format!("{0}={0}", "x".repeat(64)))),
        ] {
            assert_eq!(person(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_malformed_or_too_long_is_absent() {
        let identity = of(&written("ISO_IR 100", b"A^B ", &"7".repeat(16)));
        assert_eq!(identity.accession_number.as_deref(), Some("7".repeat(16).as_str()));
        let identity = of(&written("ISO_IR 100", b"A^B ", &"7".repeat(17)));
        assert_eq!(identity.accession_number, None, "the first sixteen digits may be another order's");
        assert_eq!(identity.sop_instance_uid.as_deref(), Some("2.25.42"));
        assert!(!is_uid("") && !is_uid("1..2") && !is_uid("1.2a") && is_uid("1.2.840"));
        assert_eq!((identity.sex, identity.study_time), (None, None));
        assert_eq!(identity.study_date.as_deref(), Some("20240301"));
        assert_eq!(format!("{:?}", of(&written("ISO_IR 100", b"A^B ", "A1"))), "Identity(withheld)");
    }
}
