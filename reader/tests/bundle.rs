//! A bundle that is not what it should be is refused before anything of it is used, in words that say what to do.
//! None of this needs ONNX Runtime.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey};
use reader::model::archive::{ArchiveError, unpack};
use reader::model::{Bundle, LoadError, Rule, SignatureError, Trust, signature};
use tempfile::TempDir;

const FILES: [&str; 7] = [
    "manifest.json",
    "manifest.sig",
    "model.onnx",
    "MODEL_CARD.md",
    "distribution.bin",
    "golden/ramp.png",
    "golden/corner.png",
];

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

/// A copy of the tiny bundle to damage.
fn copy() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    fs::create_dir_all(path.join("golden")).unwrap();
    for file in FILES {
        fs::copy(models().join("tiny").join(file), path.join(file)).unwrap();
    }
    (folder, path)
}

/// The publisher of the tiny bundle, whose private key nobody has: the signature was made by OpenSSL.
fn tinys_publisher() -> Trust {
    Trust::load(&[models().join("tiny.pub")]).unwrap()
}

/// A publisher whose key is at hand: its private key's file, and trust in it.
fn publisher(folder: &Path, seed: u8) -> (PathBuf, Trust) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let (private, public) = (folder.join(format!("{seed}.key")), folder.join(format!("{seed}.pub")));
    fs::write(&private, key.to_pkcs8_pem(LineEnding::LF).unwrap().as_bytes()).unwrap();
    fs::write(&public, key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()).unwrap();
    (private, Trust::load(&[public]).unwrap())
}

fn sign(bundle: &Path, key: &Path) {
    let (signature, _) = signature::sign(&fs::read(bundle.join("manifest.json")).unwrap(), key).unwrap();
    fs::write(bundle.join("manifest.sig"), signature).unwrap();
}

/// Changes the manifest and signs it anew, as a publisher might who makes a mistake; gives why it is refused.
fn refusal_of(from: &str, to: &str) -> LoadError {
    let (folder, path) = copy();
    let (key, trust) = publisher(folder.path(), 1);
    let file = path.join("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} is not in the manifest");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
    sign(&path, &key);
    refusal(&path, &trust)
}

fn refusal(bundle: &Path, trust: &Trust) -> LoadError {
    Bundle::open(bundle, trust).err().expect("the bundle must be refused")
}

#[test]
fn the_tiny_bundle_is_sound() {
    let (_folder, path) = copy();
    let bundle = Bundle::open(&path, &tinys_publisher()).unwrap();
    assert_eq!(bundle.manifest.operating_points[0].name, "default");
    assert_eq!(bundle.golden_images().unwrap().len(), 2);
    let mut files: Vec<&str> = bundle.files().map(|(name, _)| name).collect();
    assert_eq!(files.last(), Some(&"manifest.json"));
    files.sort_unstable();
    let mut all = FILES;
    all.sort_unstable();
    assert_eq!(files, all);
}

#[test]
fn the_shipped_bundle_is_vouched_for_by_the_shipped_key() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let trust = Trust::load(&[models.join("keys/hilum-development.pub")]).unwrap();
    let bundle = Bundle::open(&models.join("pneumonia-cxr/bundle"), &trust).unwrap();
    assert!(bundle.distribution.is_some() && bundle.manifest.reference.is_some());
    refusal(&models.join("pneumonia-cxr/bundle"), &tinys_publisher());
}

#[test]
fn one_changed_byte_anywhere_is_refused() {
    for file in FILES {
        let (_folder, path) = copy();
        let mut bytes = fs::read(path.join(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path.join(file), bytes).unwrap();
        let error = refusal(&path, &tinys_publisher());
        let expected = match &error {
            LoadError::Signature { source: SignatureError::Stranger { trusted: 1 }, .. } => {
                file.starts_with("manifest")
            }
            LoadError::Digest { file: named, expected, found } => named.ends_with(file) && expected != found,
            _ => false,
        };
        assert!(expected, "{file}: {error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    for file in FILES {
        let (_folder, path) = copy();
        fs::remove_file(path.join(file)).unwrap();
        let error = refusal(&path, &tinys_publisher());
        let named = match &error {
            LoadError::Read { file: named, .. } | LoadError::Unsigned { file: named } => named.ends_with(file),
            _ => false,
        };
        assert!(named, "{file}: {error}");
    }
}

#[test]
fn another_publishers_signature_is_nobodys() {
    let (folder, path) = copy();
    let ((mallory, theirs), (_, ours)) = (publisher(folder.path(), 1), publisher(folder.path(), 2));
    sign(&path, &mallory);
    let error = refusal(&path, &ours);
    assert!(matches!(&error, LoadError::Signature { source: SignatureError::Stranger { .. }, .. }), "{error}");
    assert!(Bundle::open(&path, &theirs).is_ok());
    let both = Trust::load(&[folder.path().join("2.pub"), folder.path().join("1.pub")]).unwrap();
    assert!(Bundle::open(&path, &both).is_ok(), "any of the trusted keys will do");
}

#[test]
fn without_a_trusted_key_nothing_is_accepted_and_the_words_say_how_to_trust() {
    let (_folder, path) = copy();
    let LoadError::Signature { source, .. } = refusal(&path, &Trust::default()) else { panic!("another reason") };
    assert!(source.to_string().contains("[model] trusted_keys = ["), "{source}");
}

#[test]
fn a_signature_of_another_length_or_another_manifest_is_none() {
    let (folder, path) = copy();
    let (key, trust) = publisher(folder.path(), 1);
    sign(&path, &key);
    let good = fs::read(path.join("manifest.sig")).unwrap();
    for bad in [&good[..63], &[]] {
        fs::write(path.join("manifest.sig"), bad).unwrap();
        let error = refusal(&path, &trust);
        assert!(matches!(&error, LoadError::Signature { source: SignatureError::Length { .. }, .. }), "{error}");
    }
    fs::write(path.join("manifest.sig"), [&good[..], b"x"].concat()).unwrap();
    assert!(matches!(refusal(&path, &trust), LoadError::TooLong { .. }));
    // A manifest that nobody could parse is not parsed: the signature comes first.
    fs::write(path.join("manifest.sig"), &good).unwrap();
    fs::write(path.join("manifest.json"), "{").unwrap();
    assert!(matches!(refusal(&path, &trust), LoadError::Signature { .. }));
}

#[test]
fn what_is_no_key_is_told_with_the_way_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pub");
    fs::write(&file, "ssh-ed25519 AAAA").unwrap();
    let error = Trust::load(&[file]).unwrap_err();
    assert!(error.to_string().contains("openssl genpkey"), "{error}");
    assert!(matches!(Trust::load(&["/nowhere".into()]), Err(SignatureError::Read { .. })));
}

#[test]
fn a_manifest_over_the_limit_is_not_read() {
    let (_folder, path) = copy();
    fs::write(path.join("manifest.json"), vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(matches!(refusal(&path, &tinys_publisher()), LoadError::TooLong { .. }));
}

#[test]
fn an_unknown_key_or_another_shape_is_no_manifest() {
    for (from, to) in [
        ("\"schema\"", "\"threshhold\": 0.1, \"schema\""),
        ("\"stretch\"", "\"letterbox\""),
        ("\"area-u8\"", "\"bilinear\""),
        ("\"platt\"", "\"isotonic\""),
        ("\"temperature\",", "\"guess\","),
        ("\"float32\"", "\"int4\""),
        ("\"model_card\"", "\"card\""),
    ] {
        let error = refusal_of(from, to);
        assert!(matches!(error, LoadError::Manifest { .. }), "{to}: {error}");
    }
}

#[test]
fn what_cannot_be_honoured_is_refused_by_key() {
    for (from, to, expected) in [
        ("\"schema\": 2", "\"schema\": 1", "schema"),
        ("\"height\": 224", "\"height\": 320", "input"),
        ("\"slope\": 1.0", "\"slope\": -1.0", "calibration"),
        ("\"threshold\": 0.5", "\"threshold\": 50", "operating_points"),
        ("\"threshold\": 0.9", "\"threshold\": 9", "sites"),
        ("\"temperature\": 2.0", "\"temperature\": 0.0", "sites"),
        ("\"temperature\": 2.0", "\"temperature\": 1e-320", "sites"),
        ("\"tolerance\": 0.02", "\"tolerance\": 0", "golden"),
        ("\"caution\": 10.0", "\"caution\": 30.0", "distribution"),
        ("\"dimensions\": 16", "\"dimensions\": 17", "distribution"),
        ("\"file\": \"model.onnx\"", "\"file\": \"../model.onnx\"", "file"),
        ("\"file\": \"model.onnx\"", "\"file\": \"MODEL_CARD.md\"", "file"),
        ("\"file\": \"golden/ramp.png\"", "\"file\": \"/etc/passwd\"", "file"),
        ("\"file\": \"golden/ramp.png\"", "\"file\": \"manifest.sig\"", "file"),
        ("\"version\": \"1.0.0\"", "\"version\": \"one\\nline\"", "version"),
    ] {
        let error = refusal_of(from, to);
        assert!(matches!(&error, LoadError::Unsupported { key, .. } if *key == expected), "{to}: {error}");
    }
}

#[test]
fn a_sites_own_calibration_and_point_take_the_places_of_the_manifests() {
    let (_folder, path) = copy();
    let manifest = Bundle::open(&path, &tinys_publisher()).unwrap().manifest;
    let (everywhere, there) = (Rule::at(&manifest, "elsewhere"), Rule::at(&manifest, "bright-side"));
    assert_eq!((everywhere.slope, everywhere.point.name.as_str()), (1.0, "default"));
    assert_eq!((there.slope, there.point.name.as_str(), there.point.threshold), (0.5, "bright", 0.9));
}

/// An archive of these entries.
fn archive(folder: &Path, entries: &[(&str, tar::EntryType, &[u8])]) -> PathBuf {
    let file = folder.join("archive.tar");
    let mut builder = tar::Builder::new(fs::File::create(&file).unwrap());
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_old();
        // Written as it is: the library itself would refuse to make such names.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.finish().unwrap();
    file
}

#[test]
fn an_archive_made_by_tar_unpacks_to_the_bundle_compressed_or_not() {
    for options in ["-cf", "-czf"] {
        let (folder, path) = copy();
        let (file, into) = (folder.path().join("bundle.tar"), folder.path().join("into"));
        let made = std::process::Command::new("tar").arg(options).arg(&file).arg("-C").arg(&path).arg(".").status();
        assert!(made.unwrap().success());
        fs::create_dir(&into).unwrap();
        unpack(&file, &into).unwrap();
        let (there, here) = (Bundle::open(&into, &tinys_publisher()), Bundle::open(&path, &tinys_publisher()));
        assert_eq!(there.unwrap().digest, here.unwrap().digest);
    }
}

#[test]
fn an_archive_that_reaches_out_or_is_no_plain_one_is_refused_and_leaves_nothing_outside() {
    use tar::EntryType::{Block, Link, Regular, Symlink};
    for (name, kind) in [
        ("../evil", Regular),
        ("/tmp/evil", Regular),
        ("golden/../../evil", Regular),
        ("a/b/evil", Regular),
        ("evil\u{7}", Regular),
        ("evil", Symlink),
        ("evil", Link),
        ("evil", Block),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("into");
        fs::create_dir(&into).unwrap();
        let file = archive(folder.path(), &[(name, kind, b"")]);
        let error = unpack(&file, &into).unwrap_err();
        assert!(matches!(error, ArchiveError::Hostile { .. }), "{name:?}: {error}");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{name:?}: {left:?}");
    }
}

#[test]
fn an_archive_that_names_a_file_twice_breaks_off_or_never_ends_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = |file: &Path, name: &str| {
        let into = folder.path().join(name);
        fs::create_dir(&into).unwrap();
        unpack(file, &into)
    };
    let regular = tar::EntryType::Regular;
    let twice = archive(folder.path(), &[("model.onnx", regular, b"one"), ("model.onnx", regular, b"two")]);
    assert!(matches!(unpacked(&twice, "twice"), Err(ArchiveError::Unpack { .. })));
    let names: Vec<String> = (0..257).map(|n| format!("file-{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), regular, &b""[..])).collect();
    assert!(matches!(unpacked(&archive(folder.path(), &many), "many"), Err(ArchiveError::Hostile { .. })));
    // A header that promises more than a bundle's file may have, and a megabyte after it.
    let mut bytes = fs::read(archive(folder.path(), &[("model.onnx", regular, b"")])).unwrap();
    bytes[124..136].copy_from_slice(b"77777777777\0");
    let sum: u32 =
        bytes[..512].iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes.truncate(512);
    bytes.resize(1 << 20, 0);
    let huge = folder.path().join("huge.tar");
    fs::write(&huge, &bytes).unwrap();
    assert!(matches!(unpacked(&huge, "huge"), Err(ArchiveError::Hostile { .. })));
    let broken = folder.path().join("broken.tar.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&fs::read(&twice).unwrap()).unwrap();
    let whole = gzip.finish().unwrap();
    fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(unpacked(&broken, "broken"), Err(ArchiveError::Unpack { .. })));
}
