//! One drawn film in every form that dcmtk, GDCM, pydicom and the reference codecs write here, decoded by our child process
//! and held against pydicom's pixels and windowing of the very same file (`tests/dicom/decode_matrix.py`).
//!
//! At most 1 grey level of 255 may lie between the two: pydicom's answer is a fraction and ours is rounded, which is half
//! a level; a lossy codec's inverse transform may round the other way before a window that is steeper than 1.
//!
//! Needs the Python environment `dicom`, which `cargo xtask setup` makes, dcmtk and gdcmconv.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use reader::pixels::sandbox::{Sandbox, SandboxConfig};
use reader::pixels::{INPUT_SIDE, Limits, decode};
use reader::synth::series::seed_of;
use reader::synth::{Class, Synthesiser, dicom};
use serde::Deserialize;

/// What was made, or why not.
#[derive(Deserialize)]
struct Form {
    name: String,
    syntax: Option<String>,
    failed: Option<String>,
}

/// How many forms of each transfer syntax the tools made when this was written. A tool that can no longer make one, or a
/// new one that is not compared, is a difference here.
#[rustfmt::skip]
const MADE: [(&str, usize); 18] = [
    ("1.2.840.10008.1.2",       22),
    ("1.2.840.10008.1.2.1",     22),
    ("1.2.840.10008.1.2.1.99",  18),
    ("1.2.840.10008.1.2.2",     18),
    ("1.2.840.10008.1.2.4.110",  8),
    ("1.2.840.10008.1.2.4.111",  2),
    ("1.2.840.10008.1.2.4.112",  8),
    ("1.2.840.10008.1.2.4.201",  8),
    ("1.2.840.10008.1.2.4.203",  8),
    ("1.2.840.10008.1.2.4.50",   4),
    ("1.2.840.10008.1.2.4.51",   4),
    ("1.2.840.10008.1.2.4.57",  28),
    ("1.2.840.10008.1.2.4.70",  34),
    ("1.2.840.10008.1.2.4.80",  34),
    ("1.2.840.10008.1.2.4.81",   8),
    ("1.2.840.10008.1.2.4.90",  26),
    ("1.2.840.10008.1.2.4.91",   8),
    ("1.2.840.10008.1.2.5",     36),
];

/// Decoded, and written by no tool here: Part 2 of JPEG 2000 and HTJ2K with RPCL. Their codestreams are those of their
/// neighbours in the table.
const NOT_MADE: [&str; 2] = ["1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.92"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn make(folder: &Path) -> Vec<Form> {
    let film = Synthesiser::built_in().unwrap().expose(Class::Normal, seed_of(7, 1)).unwrap();
    let drawn = folder.join("film.dcm");
    let date = dicom_core::value::DicomDate::from_ymd(2026, 1, 1).unwrap();
    dicom::object(&film, 1, date).unwrap().write_to_file(&drawn).unwrap();
    let python = root().join("target/hilum/python/dicom/bin/python");
    assert!(python.is_file(), "{} is not there: run `cargo xtask setup`", python.display());
    let script = root().join("tests/dicom/decode_matrix.py");
    let done = Command::new(python).arg(script).arg(&drawn).arg(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap()
}

fn expected(file: &Path) -> Vec<u8> {
    let floats = std::fs::read(file).unwrap();
    let floats = floats.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    floats.map(|value| (value + 0.5).floor() as u8).collect()
}

#[test]
fn every_form_that_the_tools_here_write_is_shown_as_pydicom_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let forms = make(folder.path());
    let failed: Vec<_> = forms.iter().filter_map(|f| Some((&f.name, f.failed.as_ref()?))).collect();
    assert!(failed.is_empty(), "not made: {failed:#?}");
    let config = SandboxConfig {
        program: env!("CARGO_BIN_EXE_decode-worker").into(),
        args: vec![],
        workers: 1,
        limits: Limits::default(),
    };
    let sandbox = Sandbox::new(config);
    let (mut made, mut wrong) = (BTreeMap::<_, (usize, u8)>::new(), Vec::new());
    for form in &forms {
        let path = folder.path().join(&form.name);
        let prepared = sandbox.prepare(&File::open(path.with_extension("dcm")).unwrap()).unwrap();
        let worst = match prepared.pixels {
            Err(why) => {
                wrong.push(format!("{}: {why}", form.name));
                u8::MAX
            }
            Ok(pixels) => {
                let expected = expected(&path.with_extension("f32"));
                assert_eq!(expected.len(), INPUT_SIDE * INPUT_SIDE);
                pixels.input.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
            }
        };
        if worst > 1 && worst < u8::MAX {
            wrong.push(format!("{}: {worst} grey levels from pydicom", form.name));
        }
        let entry = made.entry(form.syntax.clone().unwrap()).or_default();
        *entry = (entry.0 + 1, entry.1.max(worst));
    }
    for (syntax, (count, worst)) in &made {
        println!("{syntax:24} {count:3} forms, at most {worst} grey levels from pydicom");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let counts: Vec<_> = made.iter().map(|(syntax, (count, _))| (syntax.as_str(), *count)).collect();
    assert_eq!(counts, MADE);
    let mut compared: Vec<_> = made.keys().map(String::as_str).chain(NOT_MADE).collect();
    let mut offered: Vec<_> = decode::syntax::decoded().collect();
    compared.sort_unstable();
    offered.sort_unstable();
    assert_eq!(compared, offered, "every syntax that is decoded is compared, or named as one that nobody writes");
}
