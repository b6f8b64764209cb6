//! Files to readings with the real ONNX Runtime, the tiny bundle and real decoding processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

#[path = "support/engine.rs"]
mod engine;
#[path = "support/onnxruntime.rs"]
mod onnxruntime;
#[path = "support/publisher.rs"]
mod publisher;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use reader::inference::{BatchPolicy, Engine, EngineConfig, InferError};
use reader::model::{LoadError, Loaded, Provider, ProviderChoice, SessionConfig, Trust};
use reader::pixels::Limits;
use reader::pixels::plain::{Plain, Samples};
use reader::pixels::sandbox::SandboxConfig;
use reader::pixels::wrap::{WrapFacts, to_dicom};
use reader::{Outcome, Priority, Reader, ReaderConfig};

use engine::{SIDE, session};
use onnxruntime::library;
use publisher::{tiny, trust, variant};

fn engine_config(max_batch: usize, queue: usize) -> EngineConfig {
    engine::config(BatchPolicy { max_batch, max_delay: Duration::from_millis(20) }, queue)
}

fn open_reader() -> Reader {
    let sandbox = SandboxConfig {
        program: env!("CARGO_BIN_EXE_decode-worker").into(),
        args: vec![],
        workers: 2,
        limits: Limits::default(),
    };
    Reader::open(ReaderConfig { engine: engine_config(4, 64), sandbox }).unwrap()
}

/// A film of two grey values: dark on the left, `bright` on the right.
fn film(folder: &Path, name: &str, bright: u8, facts: &WrapFacts) -> PathBuf {
    let grey = (0..SIDE * SIDE).map(|i| if i % SIDE < SIDE / 2 { 0 } else { bright }).collect();
    let path = folder.join(name);
    let image = Plain { rows: SIDE, columns: SIDE, samples: Samples::Eight(grey) };
    to_dicom(&image, facts).unwrap().write_to_file(&path).unwrap();
    path
}

fn child_chest() -> WrapFacts {
    let word = |w: &str| Some(w.to_owned());
    WrapFacts { patient_id: None, body_part: word("CHEST"), view: word("PA"), age: word("004Y"), sex: word("F") }
}

#[tokio::test]
async fn a_chest_film_is_read_and_its_numbers_are_the_models() {
    let folder = tempfile::tempdir().unwrap();
    let reader = open_reader();
    assert!(reader.engine().model().is_none(), "opened at once, before the model is loaded");
    let path = film(folder.path(), "film.dcm", 255, &child_chest());
    let reading = reader.read(fs::File::open(&path).unwrap(), Priority::Live).await.unwrap();
    assert_eq!(reading.caveats, []);
    let Outcome::Read { finding, saliency, model } = &reading.outcome else { panic!("{:?}", reading.outcome) };
    // Half black, half white: mean 0.5, logit 8 · 0.5 − 4 = 0, probability 0.5, at the threshold and so positive.
    assert!(finding.logit.abs() < 1e-3, "{finding:?}");
    assert!((finding.probability - 0.5).abs() < 1e-3);
    assert_eq!((saliency.rows, saliency.columns, model.provider), (14, 14, Provider::Cpu));
    assert_eq!(saliency.values[..14], [0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255]);
    let times = reading.times;
    assert!(times.decode_ms > 0.0 && times.infer_ms > 0.0 && times.total_ms >= times.decode_ms + times.infer_ms);
    assert_eq!(reading.preview.unwrap().rows, 224);
}

#[tokio::test]
async fn every_file_gets_an_answer_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let reader = open_reader();
    let hip = WrapFacts { body_part: Some("HIP".into()), ..child_chest() };
    let broken = folder.path().join("broken.dcm");
    fs::write(&broken, [0u8; 200]).unwrap();
    let cases = [
        (film(folder.path(), "hip.dcm", 200, &hip), "abstained", "not_a_chest"),
        (film(folder.path(), "blank.dcm", 3, &child_chest()), "abstained", "no_contrast"),
        (broken, "unreadable", "not_dicom"),
    ];
    for (path, kind, code) in cases {
        let reading = reader.read(fs::File::open(&path).unwrap(), Priority::Backlog).await.unwrap();
        let found = match &reading.outcome {
            Outcome::Abstained(reason) => ("abstained", reason.code.as_str()),
            Outcome::Unreadable(reason) => ("unreadable", reason.code.as_str()),
            Outcome::Read { .. } => ("read", ""),
        };
        assert_eq!(found, (kind, code));
    }
}

#[tokio::test]
async fn what_is_unknown_is_said_beside_the_finding() {
    let folder = tempfile::tempdir().unwrap();
    let reader = open_reader();
    let path = film(folder.path(), "unknown.dcm", 255, &WrapFacts::default());
    let reading = reader.read(fs::File::open(&path).unwrap(), Priority::Live).await.unwrap();
    assert!(matches!(reading.outcome, Outcome::Read { .. }));
    let codes: Vec<_> = reading.caveats.iter().map(|c| c.code.as_str()).collect();
    assert_eq!(codes, ["body_part_unknown", "view_unknown", "age_unknown"]);
}

/// An object without rows, whose pixels cannot be placed: the reason is the damage, the header is kept.
#[tokio::test]
async fn a_damaged_object_is_unreadable_with_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), "damaged.dcm", 255, &child_chest());
    let mut object = dicom_object::open_file(&path).unwrap();
    object.put(DataElement::new(tags::ROWS, VR::US, dicom_core::PrimitiveValue::from(60_000u16)));
    object.put(DataElement::new(tags::COLUMNS, VR::US, dicom_core::PrimitiveValue::from(1000u16)));
    object.write_to_file(&path).unwrap();
    let reading = open_reader().read(fs::File::open(&path).unwrap(), Priority::Live).await.unwrap();
    assert!(matches!(&reading.outcome, Outcome::Unreadable(r) if r.code == "malformed"), "{:?}", reading.outcome);
    assert_eq!(reading.about.unwrap().facts.rows, Some(60_000));
}

#[tokio::test]
async fn a_batch_answers_each_image_with_its_own_numbers() {
    let engine = Engine::start(engine_config(4, 64)).unwrap();
    let asked: Vec<_> = (0..20u8)
        .map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.infer(vec![n * 10; SIDE * SIDE], Priority::Live).await.unwrap() })
        })
        .collect();
    for (n, asked) in asked.into_iter().enumerate() {
        let inference = asked.await.unwrap();
        let expected = 8.0 * (n as f32 * 10.0 / 255.0) - 4.0;
        // A mean of 50,176 f32 values, whose order of summation is the library's.
        assert!((inference.logit - expected).abs() < 1e-3, "image {n}: {} instead of {expected}", inference.logit);
        assert_eq!(inference.embedding.len(), 16);
        assert!(inference.infer_ms > 0.0 && inference.queue_ms >= 0.0);
    }
    let wrong = engine.infer(vec![0; 3], Priority::Live).await.unwrap_err();
    assert_eq!(wrong, InferError::WrongSize { expected: SIDE * SIDE, found: 3 });
}

#[test]
fn a_model_that_answers_wrongly_here_is_not_used() {
    let bundle = variant(|manifest| manifest["golden"][0]["logit"] = 1.5.into());
    let error = Loaded::open(bundle.path(), &trust(), "", &library(), &session()).err().expect("must be refused");
    assert!(matches!(&error, LoadError::Golden { file, .. } if file.ends_with("ramp.png")), "{error}");
    assert!(error.to_string().contains("on CPU instead of 1.5"), "{error}");
}

#[test]
fn a_missing_library_says_how_to_get_it() {
    let error = Loaded::open(&tiny(), &trust(), "", Path::new("/nowhere/libonnxruntime.so"), &session()).err().unwrap();
    assert!(error.to_string().contains("PyPI wheel"), "{error}");
}

#[test]
fn a_file_that_is_no_library_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("libonnxruntime.so");
    fs::write(&fake, "not a library").unwrap();
    let error = Loaded::open(&tiny(), &trust(), "", &fake, &session()).err().unwrap();
    assert!(matches!(error, LoadError::Runtime { .. }), "{error}");
}

/// The library of the tests is the CPU build: `auto` says CPU, and a GPU that is asked for by name is not made up.
#[test]
fn a_gpu_that_is_not_there_is_neither_claimed_nor_made_up() {
    let open = |provider| Loaded::open(&tiny(), &trust(), "", &library(), &SessionConfig { provider, ..session() });
    assert_eq!(open(ProviderChoice::Auto).unwrap().info.provider, Provider::Cpu);
    for provider in [ProviderChoice::Cuda, ProviderChoice::TensorRT] {
        let error = open(provider).err().expect("must be refused");
        assert!(matches!(error, LoadError::Provider { found: Provider::Cpu, .. }), "{error}");
        assert!(error.to_string().contains("provider = \"auto\""), "{error}");
    }
}

/// What is computed for company that is thrown away changes no image's numbers, and neither do used buffers.
#[test]
fn an_image_gives_the_same_in_every_size_of_batch() {
    let mut loaded = Loaded::open(&tiny(), &trust(), "", &library(), &session()).unwrap();
    let images: Vec<Vec<u8>> = (0..20u8).map(|n| vec![n * 12; SIDE * SIDE]).collect();
    let alone: Vec<f32> = images.iter().map(|image| loaded.run(&[image]).unwrap()[0].logit).collect();
    for size in [20, 3, 8, 9, 1, 17, 20] {
        let batch: Vec<f32> = loaded.run(&images[..size]).unwrap().iter().map(|output| output.logit).collect();
        assert_eq!(batch, alone[..size], "{size}");
    }
    assert!(loaded.run(&Vec::<Vec<u8>>::new()).unwrap().is_empty());
}

/// The bundle that ships must load, digests, shapes and golden radiographs included, on the machine that builds it.
#[test]
fn the_shipped_model_gives_its_golden_logits_here() {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/pneumonia-cxr/bundle");
    let key = bundle.join("../../keys/hilum-development.pub");
    let loaded = Loaded::open(&bundle, &Trust::load(&[key]).unwrap(), "", &library(), &session()).unwrap();
    assert_eq!((loaded.info.manifest.id.as_str(), loaded.info.provider), ("pneumonia-cxr", Provider::Cpu));
}

/// A dark grey film but for the topmost left tile of 4 × 4, which has this grey, and a bright middle as a chest has: the
/// header's and the pixels' rules take it, whatever that tile is.
fn step(folder: &Path, grey: u8) -> PathBuf {
    let pixel = |i: usize| match (i / SIDE, i % SIDE) {
        (row, column) if row < SIDE / 4 && column < SIDE / 4 => grey,
        (_, column) if (SIDE / 3..2 * SIDE / 3).contains(&column) => 200,
        _ => 40,
    };
    let image = Plain { rows: SIDE, columns: SIDE, samples: Samples::Eight((0..SIDE * SIDE).map(pixel).collect()) };
    let path = folder.join(format!("step-{grey}.dcm"));
    to_dicom(&image, &WrapFacts::default()).unwrap().write_to_file(&path).unwrap();
    path
}

/// The tiny model's training images, which it never had, knew no such step; see `models/make_tiny.py`.
#[tokio::test]
async fn an_image_unlike_the_training_images_is_doubted_and_then_not_read() {
    let (reader, folder) = (open_reader(), tempfile::tempdir().unwrap());
    for (grey, code, read) in [(80, None, true), (175, Some("unlike_training"), true), (250, None, false)] {
        let file = fs::File::open(step(folder.path(), grey)).unwrap();
        let reading = reader.read(file, Priority::Live).await.unwrap();
        let doubts = reading.caveats.iter().filter(|caveat| caveat.code == "unlike_training").count();
        assert_eq!(doubts, usize::from(code.is_some()), "{grey}: {:?}", reading.caveats);
        match &reading.outcome {
            Outcome::Read { .. } => assert!(read, "{grey}"),
            Outcome::Abstained(reason) => assert!(!read && reason.code == "out_of_distribution", "{grey}: {reason:?}"),
            Outcome::Unreadable(reason) => panic!("{reason:?}"),
        }
        assert!(reading.preview.is_some(), "a reviewer sees what was not read");
    }
}

#[tokio::test]
async fn a_sites_own_calibration_and_point_are_in_force_there() {
    let engine = Engine::start(EngineConfig { site: "bright-side".into(), ..engine_config(1, 4) }).unwrap();
    let model = engine.ready().await.unwrap();
    assert_eq!((model.rule.slope, model.operating_point().name.as_str()), (0.5, "bright"));
}
