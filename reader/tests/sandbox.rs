//! The sandbox with real children: good files, files that bring a decoder down, and children that are not what they seem.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::meta::FileMetaTableBuilder;
use dicom_object::{InMemDicomObject, open_file};
use reader::pixels::plain::{Plain, Samples};
use reader::pixels::sandbox::{Sandbox, SandboxConfig, SandboxError};
use reader::pixels::wrap::{WrapFacts, to_dicom};
use reader::pixels::{Limits, Unreadable};

fn config(program: impl Into<PathBuf>, args: &[&str], limits: Limits) -> SandboxConfig {
    let args = args.iter().map(|a| (*a).to_owned()).collect();
    SandboxConfig { program: program.into(), args, workers: 2, limits }
}

fn real(limits: Limits) -> Sandbox {
    Sandbox::new(config(env!("CARGO_BIN_EXE_decode-worker"), &[], limits))
}

/// A shell script that says hello as a worker does, and then something else.
fn impostor(then: &str, limits: Limits) -> Sandbox {
    greeting(None, then, limits)
}

fn greeting(unconfined: Option<&str>, then: &str, limits: Limits) -> Sandbox {
    #[derive(serde::Serialize)]
    enum Reply<'a> {
        Hello { version: &'a str, unconfined: Option<&'a str> },
    }
    let mut hello = Vec::new();
    ciborium::into_writer(&Reply::Hello { version: env!("CARGO_PKG_VERSION"), unconfined }, &mut hello).unwrap();
    let mut frame = (hello.len() as u32).to_le_bytes().to_vec();
    frame.extend(hello);
    let octal: String = frame.iter().map(|b| format!("\\{b:03o}")).collect();
    Sandbox::new(config("/bin/sh", &["-c", &format!("printf '{octal}'; {then}")], limits))
}

/// What a child that never looks gets.
fn any_file() -> File {
    tempfile::tempfile().unwrap()
}

fn open(path: &Path) -> File {
    File::open(path).unwrap()
}

fn film(directory: &Path, name: &str, side: usize) -> PathBuf {
    let grey = (0..side * side).map(|i| (i / side * 255 / side) as u8).collect();
    let image = Plain { rows: side, columns: side, samples: Samples::Eight(grey) };
    let path = directory.join(name);
    to_dicom(&image, &WrapFacts::default()).unwrap().write_to_file(&path).unwrap();
    path
}

#[test]
fn a_good_file_is_prepared_with_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = real(Limits::default()).prepare(&open(&film(folder.path(), "a b;$(c).dcm", 300))).unwrap();
    let about = prepared.about.unwrap();
    assert_eq!((about.facts.rows, about.facts.modality.as_deref()), (Some(300), Some("OT")));
    assert!(about.identity.study_instance_uid.unwrap().starts_with("2.25."));
    let pixels = prepared.pixels.unwrap();
    assert_eq!((pixels.input[0], pixels.input[224 * 224 - 1]), (0, 254));
    assert_eq!((pixels.preview.rows, pixels.preview.columns), (300, 300));
    assert!(prepared.decode_ms > 0.0);
}

#[test]
fn an_empty_and_a_foreign_file_cost_nothing_but_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = real(Limits::default());
    let empty = sandbox.prepare(&any_file()).unwrap();
    assert_eq!(empty.pixels.unwrap_err(), Unreadable::NotDicom);
    let text = folder.path().join("letter.txt");
    std::fs::write(&text, "To whom it may concern").unwrap();
    let foreign = sandbox.prepare(&open(&text)).unwrap();
    assert_eq!((foreign.about, foreign.pixels.unwrap_err()), (None, Unreadable::NotDicom));
    assert!(sandbox.prepare(&open(&film(folder.path(), "good.dcm", 64))).unwrap().pixels.is_ok());
}

/// As a spool hands it over that keeps its files encrypted: in memory, without a name, written and not yet rewound.
#[test]
fn a_file_in_memory_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(film(folder.path(), "one.dcm", 64)).unwrap();
    let mut memory = File::from(rustix::fs::memfd_create("object", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
    memory.write_all(&bytes).unwrap();
    assert!(real(Limits::default()).prepare(&memory).unwrap().pixels.is_ok());
}

/// Deflated zeros: 200 KB on the disk, 200 MB in memory, under a limit of 150 MB.
#[test]
fn a_deflate_bomb_stops_at_the_memory_limit_and_the_next_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut object = to_dicom(
        &Plain { rows: 10_000, columns: 20_000, samples: Samples::Eight(vec![0; 200_000_000]) },
        &WrapFacts::default(),
    )
    .unwrap();
    object.update_meta(|meta| meta.transfer_syntax = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.into());
    let bomb = folder.path().join("bomb.dcm");
    object.write_to_file(&bomb).unwrap();
    // A hundredth of what it becomes: the encoder's speed decides by how much less.
    assert!(std::fs::metadata(&bomb).unwrap().len() < 2_000_000);
    let limits = Limits { memory_bytes: 150 << 20, pixels: 1_000_000_000, ..Limits::default() };
    let sandbox = real(limits);
    let prepared = sandbox.prepare(&open(&bomb)).unwrap();
    let why = prepared.pixels.unwrap_err();
    assert!(matches!(why, Unreadable::DecoderCrashed | Unreadable::Malformed { .. }), "{why:?}");
    assert!(prepared.about.is_some(), "the header was known before the pixels were touched");
    assert!(sandbox.prepare(&open(&film(folder.path(), "good.dcm", 64))).unwrap().pixels.is_ok());
}

/// A sequence within a sequence, 200,000 deep.
#[test]
fn a_nesting_bomb_costs_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), "deep.dcm", 16);
    let mut bytes = std::fs::read(&path).unwrap();
    // (0040,0260) SQ of undefined length, an item of undefined length, and the same again inside.
    let opening = [0x40, 0, 0x60, 2, b'S', b'Q', 0, 0, 255, 255, 255, 255, 0xFE, 0xFF, 0, 0xE0, 255, 255, 255, 255];
    bytes.extend(opening.repeat(200_000));
    std::fs::write(&path, bytes).unwrap();
    let sandbox = real(Limits::default());
    let prepared = sandbox.prepare(&open(&path)).unwrap();
    let why = prepared.pixels.unwrap_err();
    assert!(matches!(why, Unreadable::DecoderCrashed | Unreadable::Malformed { .. }), "{why:?}");
    assert!(sandbox.prepare(&open(&film(folder.path(), "good.dcm", 64))).unwrap().pixels.is_ok());
}

/// A length field that promises four gigabytes.
#[test]
fn a_length_that_lies_costs_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), "lie.dcm", 16);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend([0xE0, 0x7F, 0x20, 0, b'O', b'W', 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 1, 2, 3]);
    std::fs::write(&path, bytes).unwrap();
    let prepared = real(Limits::default()).prepare(&open(&path)).unwrap();
    // The pixels stand before the lie, so a reader that stops there may still have them.
    assert!(!matches!(prepared.pixels, Err(Unreadable::DecoderTimeout)));
}

#[test]
fn limits_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), "large.dcm", 1200);
    let why = |limits| real(limits).prepare(&open(&path)).unwrap().pixels.unwrap_err();
    let file = why(Limits { file_bytes: 1 << 20, ..Limits::default() });
    assert_eq!(file, Unreadable::TooLarge { what: "2 MiB, the limit is 1 MiB".into() });
    let pixels = why(Limits { pixels: 1_000_000, ..Limits::default() });
    assert_eq!(pixels.code(), "too_large");
}

/// Rows and Columns whose product overflows 32 bits, with and without frames.
#[test]
fn sizes_that_overflow_are_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), "wide.dcm", 16);
    let mut object = open_file(&path).unwrap();
    object.put(DataElement::new(tags::ROWS, VR::UL, PrimitiveValue::from(u32::MAX)));
    object.put(DataElement::new(tags::COLUMNS, VR::UL, PrimitiveValue::from(u32::MAX)));
    object.put(DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, PrimitiveValue::from("2147483647")));
    object.write_to_file(&path).unwrap();
    let why = real(Limits::default()).prepare(&open(&path)).unwrap().pixels.unwrap_err();
    assert_eq!(why.code(), "too_large");
}

#[test]
fn a_child_that_hangs_is_killed_at_its_time() {
    let limits = Limits { wall: Duration::from_millis(300), ..Limits::default() };
    let started = Instant::now();
    let prepared = impostor("exec /bin/sleep 60", limits).prepare(&any_file()).unwrap();
    assert_eq!(prepared.pixels.unwrap_err(), Unreadable::DecoderTimeout);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_child_that_dies_or_talks_nonsense_has_crashed() {
    for then in [
        "/usr/bin/head -c 4 >/dev/null; kill -SEGV $$",
        "kill -ABRT $$",
        "exit 0",
        "printf 'GET / HTTP/1.1'; exec /bin/sleep 60",
    ] {
        let started = Instant::now();
        let prepared = impostor(then, Limits::default()).prepare(&any_file()).unwrap();
        assert_eq!(prepared.pixels.unwrap_err(), Unreadable::DecoderCrashed, "{then}");
        assert!(started.elapsed() < Duration::from_secs(10), "{then}");
    }
}

#[test]
fn too_much_processor_time_is_a_timeout() {
    let prepared = impostor("kill -XCPU $$", Limits::default()).prepare(&any_file()).unwrap();
    assert_eq!(prepared.pixels.unwrap_err(), Unreadable::DecoderTimeout);
}

#[test]
fn a_child_that_is_told_to_stop_says_nothing_of_the_image() {
    let stopped = impostor("kill -TERM $$", Limits::default()).prepare(&any_file());
    assert!(matches!(stopped, Err(SandboxError::Stopped)));
}

#[test]
fn a_child_that_something_else_kills_says_nothing_of_the_image() {
    let killed = impostor("kill -KILL $$", Limits::default()).prepare(&any_file());
    assert!(matches!(killed, Err(SandboxError::Killed)));
}

#[test]
fn a_file_that_the_machine_does_not_give_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = real(Limits::default());
    // A folder opens and cannot be read, for every user; a process's memory at address 0 is an input/output error.
    for path in [folder.path(), Path::new("/proc/self/mem")] {
        let refused = sandbox.prepare(&open(path));
        assert!(matches!(refused, Err(SandboxError::Machine { .. })), "{refused:?}");
    }
    assert!(sandbox.prepare(&open(&film(folder.path(), "good.dcm", 64))).unwrap().pixels.is_ok());
}

/// The kernel's own word on the real child: a filter is in force (2) and no program it starts could gain rights. What the
/// filter refuses is tested where it is made.
#[test]
fn a_real_child_is_confined_before_it_gets_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = real(Limits::default());
    assert!(sandbox.prepare(&open(&film(folder.path(), "good.dcm", 64))).unwrap().pixels.is_ok());
    assert_eq!(sandbox.unconfined(), None);
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path().join("children"));
    let children: String = tasks.map(|list| std::fs::read_to_string(list).unwrap_or_default()).collect();
    let status = std::fs::read_to_string(format!("/proc/{}/status", children.trim())).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert_eq!((field("Seccomp:"), field("NoNewPrivs:")), (Some("2"), Some("1")));
}

#[test]
fn a_child_that_could_not_be_confined_is_told() {
    let sandbox = greeting(Some("the kernel refused the filter"), "exit 0", Limits::default());
    let _ = sandbox.prepare(&any_file());
    assert_eq!(sandbox.unconfined(), Some("the kernel refused the filter"));
}

/// Under a hard limit that is lower than what the child sets itself, and without the right to raise it.
#[test]
fn a_child_that_may_not_set_its_limits_works_on_nothing() {
    let worker = env!("CARGO_BIN_EXE_decode-worker");
    let script = format!(
        "ulimit -v 1000000; test $(/usr/bin/id -u) != 0 || exec /usr/bin/setpriv --bounding-set=-sys_resource {worker}; \
         exec {worker}"
    );
    let sandbox = Sandbox::new(config("/bin/sh", &["-c", &script], Limits::default()));
    let refused = sandbox.prepare(&any_file());
    let Err(SandboxError::Machine { what }) = refused else { panic!("{refused:?}") };
    assert!(what.starts_with("its limits could not be lowered"), "{what}");
}

#[test]
fn a_program_that_is_no_worker_is_named() {
    let missing = Sandbox::new(config("/nowhere/hilum", &[], Limits::default()));
    assert!(matches!(missing.prepare(&any_file()), Err(SandboxError::Start { .. })));
    let other = Sandbox::new(config("/bin/true", &[], Limits::default()));
    assert!(matches!(other.prepare(&any_file()), Err(SandboxError::NotAWorker { .. })));
    // A failed start gives its place back: three calls with two places must not wait.
    assert!(other.prepare(&any_file()).is_err() && other.prepare(&any_file()).is_err());
}

#[test]
fn more_callers_than_children_all_get_their_answer_and_children_are_reused() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Arc::new(real(Limits::default()));
    let path = film(folder.path(), "one.dcm", 128);
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (sandbox, path) = (Arc::clone(&sandbox), path.clone());
            std::thread::spawn(move || sandbox.prepare(&open(&path)).unwrap().pixels.is_ok())
        })
        .collect();
    assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
    assert!(children() <= 2, "two places, so at most two children");
}

/// Processes that this test process has started and not yet ended.
fn children() -> usize {
    let own = std::process::id();
    let listed = Command::new("/bin/sh").args(["-c", &format!("cat /proc/{own}/task/*/children")]).output().unwrap();
    // The shell that lists them is one itself.
    String::from_utf8(listed.stdout).unwrap().split_whitespace().count().saturating_sub(1)
}

/// An object without Pixel Data keeps its header, so its result can be filed under the right study.
#[test]
fn no_pixel_data_is_said_and_the_header_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let item = InMemDicomObject::from_element_iter([DataElement::new(tags::CODE_VALUE, VR::SH, "T-D3000")]);
    let object = InMemDicomObject::from_element_iter([
        DataElement::new(tags::SOP_CLASS_UID, VR::UI, uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE),
        DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3"),
        DataElement::new(tags::PATIENT_ID, VR::LO, "P1"),
        DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(32u16)),
        DataElement::new(tags::COLUMNS, VR::US, PrimitiveValue::from(32u16)),
        DataElement::new(tags::PROCEDURE_CODE_SEQUENCE, VR::SQ, DataSetSequence::from(vec![item])),
    ]);
    let path = folder.path().join("header.dcm");
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    object.with_meta(meta).unwrap().write_to_file(&path).unwrap();
    let prepared = real(Limits::default()).prepare(&open(&path)).unwrap();
    assert_eq!(prepared.pixels.unwrap_err(), Unreadable::NoPixelData);
    assert_eq!(prepared.about.unwrap().identity.patient_id.as_deref(), Some("P1"));
}
