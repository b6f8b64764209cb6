//! Secondary captures of a drawn film in each class that is accepted, as pydicom writes them (`tests/dicom/multi_frame.py`): one
//! frame is read, two are answered with a reason, and pixels that are no squares are shown in their proportions.
//!
//! Needs the Python environment `dicom`, which `cargo xtask setup` makes.

#![allow(clippy::unwrap_used, reason = "a test states its expectations by panicking")]

#[path = "support/frontal_chest.rs"]
mod frontal_chest;

use std::path::Path;
use std::process::Command;

use reader::pixels::{INPUT_SIDE, Pixels, Unreadable};
use reader::synth::series::seed_of;
use reader::synth::{Class, Synthesiser, dicom};
use tempfile::TempDir;

use frontal_chest::gated;

fn captures() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let film = Synthesiser::built_in().unwrap().expose(Class::Normal, seed_of(7, 1)).unwrap();
    let drawn = folder.path().join("film.dcm");
    let date = dicom_core::value::DicomDate::from_ymd(2026, 1, 1).unwrap();
    dicom::object(&film, 1, date).unwrap().write_to_file(&drawn).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/hilum/python/dicom/bin/python");
    assert!(python.is_file(), "{} is not there: run `cargo xtask setup`", python.display());
    let done = Command::new(python)
        .arg(root.join("tests/dicom/multi_frame.py"))
        .arg(&drawn)
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    folder
}

/// Its pixels, and why the gate keeps it from the model, if it does.
fn look(folder: &TempDir, name: &str) -> (Result<Pixels, Unreadable>, Option<String>) {
    let bytes = std::fs::read(folder.path().join(name).with_extension("dcm")).unwrap();
    let (pixels, verdict) = gated(&bytes);
    (pixels, verdict.abstain.map(|reason| reason.code))
}

#[test]
fn each_multi_frame_class_is_read_with_one_frame_and_refused_with_two() {
    let folder = captures();
    let (single, kept) = look(&folder, "single-1-native");
    let expected = single.unwrap().input;
    assert_eq!((kept, expected.len()), (None, INPUT_SIDE * INPUT_SIDE));
    for class in ["2", "3", "4"] {
        for form in ["native", "rle"] {
            let (pixels, kept) = look(&folder, &format!("{class}-1-{form}"));
            let input = pixels.unwrap().input;
            // The word class has 12 bits, so that the same grey may be rounded the other way.
            let worst = input.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst <= 1, "{class} {form}: {worst} grey levels");
            assert_eq!(kept, None, "{class} {form}");
            let (pixels, kept) = look(&folder, &format!("{class}-2-{form}"));
            assert_eq!(pixels.unwrap_err(), Unreadable::MultiFrame, "{class} {form}");
            assert_eq!(kept.as_deref(), Some("multi_frame"), "{class} {form}");
        }
    }
}

#[test]
fn pixels_that_are_no_squares_are_shown_in_their_proportions_and_fill_the_models_square() {
    let folder = captures();
    let square = look(&folder, "single-1-native").0.unwrap();
    let side = INPUT_SIDE as u16;
    assert_eq!((square.preview.rows, square.preview.columns), (side, side));
    for (name, size) in [("wide-pixels", (side / 2, side)), ("tall-pixels", (side, side / 2))] {
        let pixels = look(&folder, name).0.unwrap();
        assert_eq!((pixels.preview.rows, pixels.preview.columns), size, "{name}");
        assert_eq!(pixels.preview.samples.len(), 2 * usize::from(size.0) * usize::from(size.1));
        assert_eq!(pixels.input, square.input, "{name}: the model's input is the same");
    }
}
