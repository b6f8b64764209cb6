//! The gate on drawn films through the whole preparation: what was drawn passes, and what was done to it is found.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

#[path = "support/frontal_chest.rs"]
mod frontal_chest;

use dicom_core::value::DicomDate;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;
use reader::pixels::suitability::Verdict;
use reader::synth::series::seed_of;
use reader::synth::{Class, Synthesiser, dicom};

use frontal_chest::gated;

fn drawn(class: Class, number: u32) -> DefaultDicomObject {
    let film = Synthesiser::built_in().unwrap().expose(class, seed_of(3, number)).unwrap();
    dicom::object(&film, number, DicomDate::from_ymd(2026, 1, 1).unwrap()).unwrap()
}

fn verdict(object: &DefaultDicomObject) -> Verdict {
    let mut bytes = Vec::new();
    object.write_all(&mut bytes).unwrap();
    gated(&bytes).1
}

fn abstention(object: &DefaultDicomObject) -> Option<String> {
    verdict(object).abstain.map(|reason| reason.code)
}

/// Says MONOCHROME1 of a MONOCHROME2 film, or the other way round.
fn mislabelled(mut object: DefaultDicomObject) -> DefaultDicomObject {
    let stated = object.element(tags::PHOTOMETRIC_INTERPRETATION).unwrap().to_str().unwrap().into_owned();
    let other = if stated.trim() == "MONOCHROME1" { "MONOCHROME2" } else { "MONOCHROME1" };
    object.put(DataElement::new(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, other));
    object.remove_element(tags::PRESENTATION_LUT_SHAPE);
    object
}

#[test]
fn drawn_films_pass_and_their_negatives_do_not() {
    for class in [Class::Normal, Class::Pneumonia] {
        for number in 1..=4 {
            let film = drawn(class, number);
            let found = verdict(&film);
            assert_eq!(found.abstain, None, "film {number}");
            assert!(found.caveats.iter().all(|caveat| caveat.code == "age_unknown"), "{:?}", found.caveats);
            assert_eq!(abstention(&mislabelled(film)).as_deref(), Some("inverted"), "film {number}");
        }
    }
}

#[test]
fn a_mirrored_film_is_told_by_its_header() {
    let mut film = drawn(Class::Normal, 1);
    let both = PrimitiveValue::Strs(["R".into(), "F".into()].into_iter().collect());
    film.put(DataElement::new(tags::PATIENT_ORIENTATION, VR::CS, both));
    assert_eq!(abstention(&film).as_deref(), Some("orientation_not_standard"));
}

/// Sixty strokes side by side, 30 lines high: what a line of letters is to the rule.
#[test]
fn lines_of_letters_are_told_by_the_pixels() {
    let mut film = drawn(Class::Normal, 1);
    let number = |film: &DefaultDicomObject, tag| film.element(tag).unwrap().to_int::<usize>().unwrap();
    let (rows, columns) = (number(&film, tags::ROWS), number(&film, tags::COLUMNS));
    let mut pixels = film.element(tags::PIXEL_DATA).unwrap().to_multi_int::<u16>().unwrap();
    let inverted = film.element(tags::PHOTOMETRIC_INTERPRETATION).unwrap().to_str().unwrap().contains('1');
    let (white, black) = if inverted { (0, 4095) } else { (4095, 0) };
    // As thick as letters of a height that can be read: 1/250 of a side.
    let stroke = columns / 250 + 1;
    for row in 0..rows / 15 {
        for column in 0..stroke * 160 {
            pixels[row * columns + column] = if column / stroke % 4 == 1 { white } else { black };
        }
    }
    film.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())));
    let caveats: Vec<_> = verdict(&film).caveats.into_iter().map(|caveat| caveat.code).collect();
    assert!(caveats.iter().any(|code| code == "text_in_image"), "{caveats:?}");
}
