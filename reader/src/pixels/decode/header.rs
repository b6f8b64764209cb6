//! Header attributes to facts and identity. Whatever cannot be parsed is absent: the gate decides what that means.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;

use super::{anatomy, identity, repertoire};
use crate::pixels::{About, ImageFacts};

/// Longest text taken from a header: the longest value representation used here (LO, UI) has 64 characters, PS3.5 6.2.
pub(super) const LONGEST: usize = 64;

pub(super) fn about(object: &DefaultDicomObject) -> About {
    let code = |tag| text(object, tag).map(|t| t.to_ascii_uppercase());
    let number = |tag| number(object, tag);
    let facts = ImageFacts {
        sop_class: text(object, tags::SOP_CLASS_UID),
        modality: code(tags::MODALITY),
        body_part: code(tags::BODY_PART_EXAMINED).or_else(|| anatomy::region(object)),
        // DX must have the code (PS3.3 C.8.11.5); the word may be a default of the console.
        view: anatomy::view(object).or_else(|| code(tags::VIEW_POSITION)),
        laterality: code(tags::IMAGE_LATERALITY).or_else(|| code(tags::LATERALITY)),
        orientation: orientation(object),
        sex: code(tags::PATIENT_SEX),
        age_years: age(object),
        transfer_syntax: object.meta().transfer_syntax().trim_end_matches([' ', '\0']).to_owned(),
        photometric: code(tags::PHOTOMETRIC_INTERPRETATION),
        rows: number(tags::ROWS),
        columns: number(tags::COLUMNS),
        frames: number(tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1),
        bits_stored: number(tags::BITS_STORED).and_then(|n| u16::try_from(n).ok()),
        burned_in_annotation: code(tags::BURNED_IN_ANNOTATION).as_deref() == Some("YES"),
    };
    About { facts, identity: identity::of(object) }
}

/// Trimmed, without control characters, `None` where empty.
pub(super) fn text(object: &DefaultDicomObject, tag: Tag) -> Option<String> {
    bounded(object, tag, LONGEST)
}

/// [`text`] of at most `longest` characters.
pub(super) fn bounded(object: &DefaultDicomObject, tag: Tag, longest: usize) -> Option<String> {
    let element = object.element_opt(tag).ok().flatten()?;
    let text = repertoire::text(object, element.to_str().ok()?)?;
    // Several values are parted by a backslash; the first is the one that counts.
    let first = text.split('\\').next().unwrap_or_default();
    let clean: String = first.chars().filter(|c| !c.is_control()).collect();
    let clean: String = clean.trim().chars().take(longest).collect();
    (!clean.is_empty()).then_some(clean)
}

/// Both directions, `None` unless there are two.
fn orientation(object: &DefaultDicomObject) -> Option<String> {
    let element = object.element_opt(tags::PATIENT_ORIENTATION).ok().flatten()?;
    let text: String = element.to_str().ok()?.trim().to_ascii_uppercase();
    // Two code strings of at most 16 characters each, PS3.3 C.7.6.1.1.1.
    let plain = text.len() <= 33 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'\\');
    (plain && text.split('\\').filter(|way| !way.is_empty()).count() == 2).then_some(text)
}

/// Height of a pixel divided by its width, for whoever shows the image: from the first spacing that is stated, else from Pixel
/// Aspect Ratio, which says it where no spacing does (PS3.3 C.7.6.3.1.7). What is stated oddly, or within the rounding of a
/// decimal string, is a square.
pub(super) fn pixel_height(object: &DefaultDicomObject) -> f64 {
    // No detector or scanner has pixels beyond it: a mistake, or a mischief.
    const MOST: f64 = 10.0;
    const ROUNDING: f64 = 0.01;
    let ratio = |tag| {
        let text = object.element_opt(tag).ok().flatten()?.to_str().ok()?;
        let (rows, columns) = text.split_once('\\')?;
        let (rows, columns) =
            (rows.trim().parse::<f64>().ok()?, columns.trim_end_matches('\0').trim().parse::<f64>().ok()?);
        (rows > 0.0 && columns > 0.0).then_some(rows / columns)
    };
    let ratio = [
        tags::PIXEL_SPACING,
        tags::IMAGER_PIXEL_SPACING,
        tags::NOMINAL_SCANNED_PIXEL_SPACING,
        tags::PIXEL_ASPECT_RATIO,
    ]
    .into_iter()
    .find_map(ratio);
    ratio.filter(|ratio| (1.0 / MOST..=MOST).contains(ratio) && (ratio - 1.0).abs() > ROUNDING).unwrap_or(1.0)
}

/// The first value as a number, whatever its representation: some writers give Rows as UL or as text.
pub(super) fn number(object: &DefaultDicomObject, tag: Tag) -> Option<u32> {
    object.element_opt(tag).ok().flatten()?.to_int::<u32>().ok()
}

fn age(object: &DefaultDicomObject) -> Option<f32> {
    let stated = text(object, tags::PATIENT_AGE).and_then(|t| parse_age(&t));
    let date = |tag| day(&text(object, tag)?);
    let counted = date(tags::STUDY_DATE).zip(date(tags::PATIENT_BIRTH_DATE));
    weighed(stated, counted.and_then(|(study, birth)| plausible((study - birth) / 365.25)))
}

/// The age of one that was typed and one that was counted from the dates. Where the two are years apart, the typed one was a
/// default or belonged to somebody else.
fn weighed(stated: Option<f32>, counted: Option<f32>) -> Option<f32> {
    // Ages are stated in whole years, and a year may pass between a registration and the film.
    const APART: f32 = 2.0;
    match (stated, counted) {
        (Some(stated), Some(counted)) if (stated - counted).abs() > APART => Some(counted),
        _ => stated.or(counted),
    }
}

/// Age String, PS3.5 6.2: three digits and D, W, M or Y; some writers leave leading zeros out.
fn parse_age(text: &str) -> Option<f32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: f32 = number.trim().parse::<u16>().ok()?.into();
    // A newborn's age is stated in days, weeks or months; no years at all is what a console fills in by itself.
    if number == 0.0 && unit.eq_ignore_ascii_case("y") {
        return None;
    }
    let per_year = match unit {
        "D" | "d" => 365.25,
        "W" | "w" => 365.25 / 7.0,
        "M" | "m" => 12.0,
        "Y" | "y" => 1.0,
        _ => return None,
    };
    plausible(number / per_year)
}

/// Nobody is older than 150 or not yet born: such a number is a default or a mistake.
fn plausible(years: f32) -> Option<f32> {
    (0.0..=150.0).contains(&years).then_some(years)
}

/// Days on a common scale from YYYYMMDD; good to a day, which is enough for an age.
fn day(text: &str) -> Option<f32> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u16>().ok().map(f32::from);
    Some(part(0..4)? * 365.25 + (part(4..6)? - 1.0) * 30.44 + part(6..8)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_parsed_in_all_units() {
        for (text, years) in [("005Y", 5.0), ("018M", 1.5), ("026W", 26.0 * 7.0 / 365.25), ("000D", 0.0), ("7Y", 7.0)] {
            let found = parse_age(text).unwrap();
            assert!((found - years).abs() < 1e-4, "{text}: {found}");
        }
        for text in ["", "Y", "abcY", "000Y", "0Y", "999Y", "12", "5y\u{e9}", "\u{e9}"] {
            assert_eq!(parse_age(text), None, "{text}");
        }
    }

    #[test]
    fn the_dates_outweigh_an_age_that_contradicts_them() {
        for (stated, counted, age) in [
            (Some(3.0), Some(70.0), Some(70.0)),
            (Some(3.0), Some(3.8), Some(3.0)),
            (Some(3.0), None, Some(3.0)),
            (None, Some(3.8), Some(3.8)),
            (None, None, None),
        ] {
            assert_eq!(weighed(stated, counted), age, "{stated:?}, {counted:?}");
        }
    }

    #[test]
    fn days_between_dates_are_close_enough_for_years() {
        let years = (day("20240301").unwrap() - day("20200228").unwrap()) / 365.25;
        assert!((years - 4.0).abs() < 0.02, "{years}");
        assert_eq!(day("2024"), None);
        assert_eq!(day("19xx0101"), None);
    }
}
