//! Model bundles, and what the two child processes say.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use reader::inference::worker::frame::{Answer, Ready, Word, write_answer};
use reader::model::calibration::Rule;
use reader::model::distribution::Distribution;
use reader::model::manifest::{DistributionFile, Manifest};
use reader::model::provider::Provider;
use reader::model::session::Output;
use reader::model::{ModelInfo, bundle};
use reader::pixels::sandbox::frame::Reply;
use reader::pixels::{Limits, prepare};
use reader::saliency::Saliency;
use serde::Serialize;

use super::{Seeds, dicom, viewed};

fn manifest() -> (Vec<u8>, Manifest) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/pneumonia-cxr/bundle/manifest.json");
    let bytes = std::fs::read(&file).unwrap();
    let manifest = bundle::manifest(&bytes, &file).unwrap();
    (bytes, manifest)
}

/// Two dimensions, one component.
fn distribution() -> (DistributionFile, Vec<u8>) {
    let rule = DistributionFile {
        file: "distribution.bin".into(),
        sha256: "00".repeat(32),
        dimensions: 2,
        components: 1,
        residual: 0.5,
        caution: 4.0,
        abstain: 9.0,
        fitted_on: "two films".into(),
    };
    let numbers = [0.0f32, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0];
    (rule, numbers.into_iter().flat_map(f32::to_le_bytes).collect())
}

fn archive(names: &[&str]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_ustar();
        // As a hostile writer would: the crate refuses such names.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(5);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, &b"words"[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

pub(crate) fn bundle() -> Seeds {
    let (json, _) = manifest();
    let (rule, numbers) = distribution();
    let good = archive(&["manifest.json", "golden/a.png"]);
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(&good).unwrap();
    vec![
        ("manifest", viewed(0, json)),
        ("distribution", viewed(1, [&serde_json::to_vec(&rule).unwrap()[..], &[0], &numbers].concat())),
        ("archive", viewed(2, good)),
        ("archive_gzip", viewed(2, zipped.finish().unwrap())),
        ("archive_outside", viewed(2, archive(&["../../etc/passwd"]))),
        ("archive_absolute", viewed(2, archive(&["/etc/passwd"]))),
    ]
}

fn cbor(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).unwrap();
    bytes
}

pub(crate) fn children() -> Seeds {
    let prepared = prepare(&dicom::film_with_tables(), &Limits::default(), |_| {});
    let header = Reply::Header(Box::new(prepared.about.unwrap()));
    let hello = Reply::Hello { version: "0.1.0".into(), unconfined: None };
    let done = Reply::Done { pixels: Ok(prepared.pixels.unwrap()), decode_ms: 12.5 };
    let (_, manifest) = manifest();
    let (rule, numbers) = distribution();
    let model = ModelInfo {
        rule: Rule::at(&manifest, "st-mary"),
        manifest,
        bundle: "ab".repeat(32),
        publisher: "0011223344556677".into(),
        distribution: Some(Distribution::new(rule, numbers).unwrap()),
        provider: Provider::Cpu,
        runtime: "1.24.0".into(),
    };
    let ready = Word::Ready(Box::new(Ready { version: "0.1.0".into(), model, warm_ms: 40.0 }));
    let output = |logit| Output {
        logit,
        saliency: Saliency { rows: 2, columns: 3, values: vec![0, 1, 2, 3, 4, 255] },
        embedding: vec![0.5, -0.5],
    };
    let answer = |answer: &Answer| {
        let mut bytes = Vec::new();
        write_answer(&mut bytes, 7, answer).unwrap();
        bytes[12..].to_vec()
    };
    let outputs = Answer::Outputs { outputs: vec![output(0.5), output(-3.0)], compute_ms: 8.0 };
    vec![
        ("reply_hello", viewed(0, cbor(&hello))),
        ("reply_header", viewed(0, cbor(&header))),
        ("reply_done", viewed(0, cbor(&done))),
        ("word_ready", viewed(1, cbor(&ready))),
        ("word_refused", viewed(1, cbor(&Word::Refused("no such library".into())))),
        ("answer_outputs", viewed(2, viewed(2, answer(&outputs)))),
        ("answer_failed", viewed(2, viewed(1, answer(&Answer::Failed("out of memory".into()))))),
    ]
}

/// Where a path is relative to the repository.
pub(crate) fn repository(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}
