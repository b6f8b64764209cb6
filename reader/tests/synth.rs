//! What a drawn film must be: the same for the same seed, unlike for another, of the class asked for, complete as a DICOM
//! object, and readable by the very path that a scanner's films take.

#![allow(clippy::expect_used, clippy::panic, reason = "a test states its expectations by panicking")]

use std::io::Cursor;

use dicom_core::Tag;
use dicom_core::value::DicomDate;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{DefaultDicomObject, from_reader};
use proptest::prelude::*;
use reader::pixels::tensor::resize_area_u8;
use reader::pixels::{Limits, prepare};
use reader::synth::exposure::{Detector, Photometric, Receptor};
use reader::synth::series::{Choice, objects, seed_of, write_series};
use reader::synth::{Class, Drawn, Geometry, SynthError, Synthesiser, dicom};

const STAMP: Geometry = Geometry { rows: 224, columns: 224 };
const WEIGHTS: &[u8] = include_bytes!("../../models/synthetic-cxr/weights.bin");

fn model() -> Synthesiser {
    Synthesiser::built_in().expect("the built-in weights are whole")
}

fn date() -> DicomDate {
    DicomDate::from_ymd(2026, 11, 21).expect("a day of the calendar")
}

/// Means of 8 x 8 blocks over the film: coarse enough not to hang on a platform's last bit of a sine.
fn blocks(film: &Drawn) -> Vec<u8> {
    resize_area_u8(&film.to_u8(), film.geometry.rows as usize, film.geometry.columns as usize, 8, 8)
}

#[test]
fn one_seed_is_one_film_and_another_seed_another() {
    let model = model();
    let draw = |class, seed| model.draw(class, seed, STAMP).expect("a stamp can be drawn").grey;
    assert_eq!(draw(Class::Normal, 7), draw(Class::Normal, 7));
    let differs = |a: Vec<f32>, b: Vec<f32>| a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32;
    assert!(differs(draw(Class::Normal, 7), draw(Class::Normal, 8)) > 5.0);
    assert!(differs(draw(Class::Normal, 7), draw(Class::Pneumonia, 7)) > 5.0);
}

#[test]
fn size_does_not_change_what_is_drawn() {
    let model = model();
    let small = model.draw(Class::Normal, 3, STAMP).expect("a stamp");
    let large = model.draw(Class::Normal, 3, Geometry { rows: 900, columns: 1100 }).expect("a larger one");
    for (a, b) in blocks(&small).iter().zip(blocks(&large)) {
        assert!(a.abs_diff(b) <= 3, "{a} against {b}");
    }
}

#[test]
fn a_known_draw_stays_as_it_is() {
    let film = model().draw(Class::Pneumonia, 2026, STAMP).expect("a stamp");
    for (k, (seen, known)) in blocks(&film).iter().zip(GOLDEN).enumerate() {
        assert!(seen.abs_diff(known) <= 1, "block {k}: {seen}, was {known}; all: {:?}", blocks(&film));
    }
}

/// Eight rows of eight blocks: dark beside the child, white below the diaphragm.
#[rustfmt::skip]
const GOLDEN: [u8; 64] = [
    44, 126, 168, 175, 174, 160, 113, 110,
    24, 120, 176, 177, 166, 166, 87, 67,
    19, 129, 153, 176, 177, 147, 85, 22,
    26, 143, 139, 187, 192, 151, 98, 19,
    25, 137, 137, 190, 200, 169, 100, 19,
    23, 116, 127, 189, 203, 171, 94, 11,
    48, 151, 198, 208, 209, 169, 89, 11,
    71, 187, 215, 218, 218, 204, 164, 26,
];

#[test]
fn lungs_with_pneumonia_are_denser_on_average() {
    let model = model();
    // The middle of both lungs in the frame, as shares of rows and columns.
    let lungs = |class| {
        let mean = |seed| {
            let film = model.draw(class, seed, STAMP).expect("a stamp");
            let inside = |k: usize| {
                (90..150).contains(&(k / 224)) && ((45..85).contains(&(k % 224)) || (145..180).contains(&(k % 224)))
            };
            let grey: Vec<f32> = film.grey.iter().enumerate().filter(|(k, _)| inside(*k)).map(|(_, g)| *g).collect();
            grey.iter().sum::<f32>() / grey.len() as f32
        };
        (0..16).map(mean).sum::<f32>() / 16.0
    };
    let (clear, dense) = (lungs(Class::Normal), lungs(Class::Pneumonia));
    assert!(dense > clear + 8.0, "pneumonia {dense}, normal {clear}");
}

#[test]
fn impossible_sizes_are_refused() {
    let model = model();
    for (rows, columns) in [(0, 100), (100, 31), (4301, 100), (100, u32::MAX)] {
        let refused = model.draw(Class::Normal, 1, Geometry { rows, columns });
        assert!(matches!(refused, Err(SynthError::Geometry { .. })), "{rows} x {columns}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn damaged_weights_are_refused(cut in 0..WEIGHTS.len()) {
        prop_assert!(matches!(Synthesiser::from_bytes(&WEIGHTS[..cut]), Err(SynthError::Weights(_))));
    }

    #[test]
    fn a_wrong_header_is_refused(at in 0usize..16, flip in 1u8..) {
        let mut bytes = WEIGHTS.to_vec();
        bytes[at] ^= flip;
        prop_assert!(matches!(Synthesiser::from_bytes(&bytes), Err(SynthError::Weights(_))));
    }
}

fn text(object: &DefaultDicomObject, tag: Tag) -> String {
    let element = object.element(tag).unwrap_or_else(|_| panic!("{tag} is there"));
    element.to_str().map(|text| text.trim_end_matches(['\0', ' ']).to_owned()).unwrap_or_default()
}

/// Type 1 and 2 attributes of PS3.3 A.2 (CR) and A.26 (DX) that stay the same in every film: (tag, value; "" = may be empty).
const COMMON: &[(Tag, &str)] = &[
    (tags::BODY_PART_EXAMINED, "CHEST"),
    (tags::BURNED_IN_ANNOTATION, "NO"),
    (tags::IMAGE_COMMENTS, dicom::NOTICE),
    (tags::STUDY_DATE, "20261121"),
    (tags::PATIENT_NAME, "SYNTHETIC^CHILD 0007"),
    (tags::PATIENT_ORIENTATION, "L\\F"),
    (tags::SAMPLES_PER_PIXEL, "1"),
    (tags::PIXEL_REPRESENTATION, "0"),
    (tags::BITS_ALLOCATED, "16"),
    (tags::PATIENT_BIRTH_DATE, ""),
    (tags::REFERRING_PHYSICIAN_NAME, ""),
];

#[test]
fn objects_are_complete_and_can_be_read_back() {
    let model = model();
    let mut seen = Vec::new();
    let mut kinds = Vec::new();
    for seed in 0..6 {
        let film = model.expose(Class::Normal, seed).expect("a film");
        kinds.push((film.detector.receptor, film.detector.photometric));
        let mut bytes = Vec::new();
        dicom::object(&film, 7, date()).expect("an object").write_all(&mut bytes).expect("it can be encoded");
        let object = from_reader(Cursor::new(&bytes)).expect("it can be read back");
        for &(tag, value) in COMMON {
            assert_eq!(text(&object, tag), value, "{tag}");
        }
        let expected = match film.detector.receptor {
            Receptor::Plate => ("CR", uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE),
            Receptor::Panel => ("DX", uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION),
        };
        assert_eq!((text(&object, tags::MODALITY).as_str(), text(&object, tags::SOP_CLASS_UID).as_str()), expected);
        assert!(["AP", "PA"].contains(&text(&object, tags::VIEW_POSITION).as_str()));
        let age: u32 = text(&object, tags::PATIENT_AGE).trim_end_matches('Y').parse().expect("an age in years");
        assert!((1..=6).contains(&age));
        for tag in [tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID, tags::SOP_INSTANCE_UID] {
            let uid = text(&object, tag);
            assert!(uid.starts_with("2.25.") && uid.len() <= 44, "{uid}");
            assert!(!seen.contains(&uid), "every UID is another one");
            seen.push(uid);
        }
        let pixels = object.element(tags::PIXEL_DATA).expect("pixels").to_multi_int::<u16>().expect("16-bit");
        assert_eq!(pixels, film.samples);
        assert!(pixels.iter().all(|&value| u32::from(value) < 1 << film.detector.bits));
    }
    assert!(kinds.iter().any(|k| k.0 == Receptor::Plate) && kinds.iter().any(|k| k.0 == Receptor::Panel));
    assert!(
        kinds.iter().any(|k| k.1 == Photometric::Monochrome1) && kinds.iter().any(|k| k.1 == Photometric::Monochrome2)
    );
}

/// Load tests send films of one size; eight bits are one byte each (PS3.5 8.2).
#[test]
fn a_film_has_the_size_and_depth_asked_for() {
    for (bits, allocated) in [(8, "8"), (12, "16")] {
        let photometric = Photometric::Monochrome2;
        let detector = Detector { receptor: Receptor::Panel, columns: 96, pitch_um: 3000, bits, photometric };
        let film = model().expose_on(Class::Normal, 4, detector, 128).expect("a film");
        let object = dicom::object(&film, 1, date()).expect("an object");
        let mut bytes = Vec::new();
        object.write_all(&mut bytes).expect("it can be encoded");
        let object = from_reader(Cursor::new(&bytes)).expect("it can be read back");
        let shape = [tags::COLUMNS, tags::ROWS, tags::BITS_STORED, tags::BITS_ALLOCATED].map(|tag| text(&object, tag));
        assert_eq!(shape, ["96", "128", &bits.to_string(), allocated]);
        let pixels = object.element(tags::PIXEL_DATA).expect("pixels").to_multi_int::<u16>().expect("numbers");
        assert_eq!(pixels, film.samples);
        let most = *film.samples.iter().max().expect("samples");
        assert!(most < 1 << bits && most > 1 << (bits - 1), "{most} in {bits} bits");
    }
}

/// The drawn film, its exposure, DICOM, decoding, window and resize: at the end stands what was drawn, plus grain, marker
/// and collimation, which are few pixels or small.
#[test]
fn the_scanners_path_shows_what_was_drawn() {
    let model = model();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = write_series(&model, 4, 5, Choice::Both, folder.path(), date()).expect("a series");
    assert_eq!(written.len(), 4);
    for (film, number) in written.iter().zip(1..) {
        let drawn = model.draw(film.class, seed_of(5, number), STAMP).expect("a stamp").to_u8();
        let prepared = prepare(&std::fs::read(&film.path).unwrap(), &Limits::default(), |_| {});
        let input = prepared.pixels.expect("readable").input;
        let close = drawn.iter().zip(&input).filter(|(a, b)| a.abs_diff(**b) <= 6).count();
        assert!(close * 100 > drawn.len() * 90, "film {number}: {close} of {} pixels", drawn.len());
        assert!(film.path.to_string_lossy().contains(film.class.name()));
    }
}

#[test]
fn a_longer_series_begins_with_the_shorter_one() {
    let model = model();
    let instances = |count| -> Vec<String> {
        objects(&model, count, 9, Choice::Only(Class::Pneumonia), date())
            .map(|drawn| drawn.expect("drawn").1.meta().media_storage_sop_instance_uid().to_owned())
            .collect()
    };
    assert_eq!(instances(2), instances(3)[..2]);
}
