//! A bundle that is not what it should be is refused before anything of it is used, in words that say what to do.
//! None of this needs ONNX Runtime.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use reader::model::{Bundle, LoadError};
use tempfile::TempDir;

/// A copy of the tiny bundle to damage.
fn copy() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/tiny");
    fs::create_dir(folder.path().join("golden")).unwrap();
    for file in ["manifest.json", "model.onnx", "golden/ramp.png", "golden/corner.png"] {
        fs::copy(source.join(file), folder.path().join(file)).unwrap();
    }
    let path = folder.path().to_owned();
    (folder, path)
}

fn edit(bundle: &Path, from: &str, to: &str) {
    let file = bundle.join("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} is not in the manifest");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

fn refusal(bundle: &Path) -> LoadError {
    Bundle::open(bundle).err().expect("the bundle must be refused")
}

#[test]
fn the_tiny_bundle_is_sound() {
    let (_folder, path) = copy();
    let bundle = Bundle::open(&path).unwrap();
    assert_eq!(bundle.manifest.operating_point().name, "default");
    assert_eq!(bundle.golden_images().unwrap().len(), 2);
}

#[test]
fn an_altered_model_is_named_with_both_digests() {
    let (_folder, path) = copy();
    let model = path.join("model.onnx");
    let mut bytes = fs::read(&model).unwrap();
    bytes[40] ^= 1;
    fs::write(&model, bytes).unwrap();
    let error = refusal(&path);
    let LoadError::Digest { file, expected, found } = &error else { panic!("{error}") };
    assert!(file.ends_with("model.onnx") && expected != found && found.len() == 64);
    assert!(error.to_string().contains("install the bundle again"), "{error}");
}

#[test]
fn an_altered_golden_image_is_refused_too() {
    let (_folder, path) = copy();
    fs::write(path.join("golden/ramp.png"), b"other").unwrap();
    assert!(matches!(refusal(&path), LoadError::Digest { file, .. } if file.ends_with("ramp.png")));
}

#[test]
fn missing_files_are_named() {
    for name in ["manifest.json", "model.onnx", "golden/corner.png"] {
        let (_folder, path) = copy();
        fs::remove_file(path.join(name)).unwrap();
        assert!(matches!(refusal(&path), LoadError::Read { file, .. } if file.ends_with(name)));
    }
}

#[test]
fn an_unknown_key_or_a_half_written_manifest_is_no_manifest() {
    let (_folder, path) = copy();
    edit(&path, "\"schema\"", "\"threshhold\": 0.1, \"schema\"");
    let error = refusal(&path);
    assert!(
        matches!(&error, LoadError::Manifest { source, .. } if source.to_string().contains("threshhold")),
        "{error}"
    );
    fs::write(path.join("manifest.json"), "{\"schema\": 1,").unwrap();
    assert!(matches!(refusal(&path), LoadError::Manifest { .. }));
}

#[test]
fn what_cannot_be_honoured_is_refused_by_key() {
    let cases = [
        ("\"schema\": 1", "\"schema\": 2", "schema"),
        ("\"height\": 224", "\"height\": 320", "input"),
        ("\"slope\": 1.0", "\"slope\": -1.0", "calibration"),
        ("\"threshold\": 0.5", "\"threshold\": 50", "operating_points"),
        ("\"tolerance\": 0.02", "\"tolerance\": 0", "golden"),
        ("\"file\": \"model.onnx\"", "\"file\": \"../model.onnx\"", "file"),
        ("\"file\": \"golden/ramp.png\"", "\"file\": \"/etc/passwd\"", "file"),
    ];
    for (from, to, expected) in cases {
        let (_folder, path) = copy();
        edit(&path, from, to);
        let error = refusal(&path);
        assert!(matches!(&error, LoadError::Unsupported { key, .. } if *key == expected), "{to}: {error}");
    }
}

#[test]
fn other_fits_and_resamplings_do_not_parse() {
    for (from, to) in [("\"stretch\"", "\"letterbox\""), ("\"area-u8\"", "\"bilinear\""), ("\"platt\"", "\"isotonic\"")]
    {
        let (_folder, path) = copy();
        edit(&path, from, to);
        assert!(matches!(refusal(&path), LoadError::Manifest { .. }), "{to}");
    }
}
