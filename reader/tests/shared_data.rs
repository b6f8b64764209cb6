//! Real radiographs in every transfer syntax, where the folder with them is there (`HILUM_SHARED_DATA`, else
//! `../shared/data` beside the repository). They may not be shipped; `files.rs` holds the same rules on files made there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use reader::model::manifest::IntendedUse;
use reader::pixels::suitability::{OutsideAge, gate};
use reader::pixels::{Limits, Unreadable, prepare};
use sha2::{Digest, Sha256};

/// The folder `dicom`, or `None` after saying so.
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let root = std::env::var_os("HILUM_SHARED_DATA").map_or(beside, PathBuf::from);
    let folder = root.join("dicom");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: {} is not there; set HILUM_SHARED_DATA to a folder that holds dicom/", folder.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "dcm")).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn each_transcode_of_one_film_gives_the_same_input() {
    let Some(folder) = shared() else { return };
    let mut groups = BTreeMap::<String, BTreeMap<String, Vec<String>>>::new();
    let mut count = 0;
    for path in files(&folder.join("derived_chest_transcodes")) {
        let prepared = prepare(&std::fs::read(&path).unwrap(), &Limits::default(), |_| ());
        let pixels = prepared.pixels.unwrap_or_else(|e| panic!("{}: {e}", name(&path)));
        let digest = hex::encode(Sha256::digest(&pixels.input));
        // mono1_10_rle: photometric interpretation, depth, transfer syntax.
        let group = name(&path).split('_').take(2).collect::<Vec<_>>().join("_");
        groups.entry(group).or_default().entry(digest).or_default().push(name(&path));
        count += 1;
    }
    assert_eq!(count, 26);
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["mono1_10", "mono2_10", "mono2_12", "mono2_16"]);
    for (group, digests) in &groups {
        assert_eq!(digests.len(), 1, "{group}: {digests:#?}");
    }
}

#[test]
fn each_real_film_is_prepared_or_refused_for_its_reason() {
    let Some(folder) = shared() else { return };
    let mut refused = BTreeMap::new();
    let mut prepared_count = 0;
    for path in files(&folder) {
        let prepared = prepare(&std::fs::read(&path).unwrap(), &Limits::default(), |_| ());
        let facts = prepared.about.as_ref().map(|a| &a.facts);
        println!(
            "{:24} {:8.1} ms {:?}",
            name(&path),
            prepared.decode_ms,
            facts.map(|f| (&f.body_part, &f.view, f.rows))
        );
        assert!(prepared.about.is_some(), "{}: its header is readable", name(&path));
        match prepared.pixels {
            Ok(_) => prepared_count += 1,
            Err(why) => drop(refused.insert(name(&path), why)),
        }
    }
    println!("{refused:#?}");
    let codes: BTreeMap<_, _> = refused.iter().map(|(name, why)| (name.as_str(), why.code())).collect();
    for header_only in ["chrJapMulti", "chrJapMultiExplicitIR6", "chrKoreanMulti"] {
        assert_eq!(codes.get(header_only), Some(&Unreadable::NoPixelData.code()));
    }
    // Both are extended JPEGs that contradict themselves; no decoder of the trade takes them.
    let without: Vec<_> = codes.keys().filter(|name| !name.starts_with("chr")).copied().collect();
    assert_eq!(without, ["RG2_JPLY", "RG3_JPLY"]);
    assert!(prepared_count >= 16);
}

/// pydicom's pixels and window in floats, averaged to the model's size (`tests/dicom/real_films.py`). At most one grey level
/// of 255 lies between: ours is rounded twice, once for the displayed pixel and once for the mean, by half a level each.
#[test]
fn each_real_film_is_shown_as_pydicom_shows_it() {
    let Some(folder) = shared() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/hilum/python/dicom/bin/python");
    assert!(python.is_file(), "{} is not there: run `cargo xtask setup`", python.display());
    let (out, films) = (tempfile::tempdir().unwrap(), files(&folder));
    let mut script = Command::new(python);
    script.arg(root.join("tests/dicom/real_films.py")).arg(out.path()).args(&films);
    let done = script.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut compared = 0;
    for film in films {
        let expected = std::fs::read(out.path().join(name(&film)).with_extension("f32")).ok();
        let ours = prepare(&std::fs::read(&film).unwrap(), &Limits::default(), |_| ()).pixels.ok();
        assert_eq!(ours.is_some(), expected.is_some(), "{}: one reads it and the other does not", name(&film));
        let (Some(ours), Some(expected)) = (ours, expected) else { continue };
        let expected = expected.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let worst = ours.input.iter().zip(expected).map(|(a, b)| (f32::from(*a) - b).abs()).fold(0.0, f32::max);
        println!("{:32} {worst:.3} grey levels at the most", name(&film));
        assert!(worst <= 1.0, "{}: {worst} grey levels", name(&film));
        compared += 1;
    }
    assert!(compared >= 16, "{compared} films were compared");
}

/// The two adult chest films that there are, from two makers, are not refused for their pixels.
#[test]
fn chest_films_of_other_makers_pass_the_gate() {
    let Some(folder) = shared() else { return };
    for name in
        ["derived_chest_transcodes/mono2_12_expl.dcm", "derived_chest_transcodes/mono1_10_expl.dcm", "RG1_J2KI.dcm"]
    {
        let prepared = prepare(&std::fs::read(folder.join(name)).unwrap(), &Limits::default(), |_| ());
        let made_for = IntendedUse {
            population: String::new(),
            age_years: [0.0, 150.0],
            views: vec!["PA".into(), "AP".into()],
            body_parts: vec!["CHEST".into()],
            not_for: vec![],
        };
        let facts = prepared.about.map(|about| about.facts);
        let verdict = gate(facts.as_ref(), prepared.pixels.as_ref(), &made_for, OutsideAge::Abstain);
        assert_eq!(verdict.abstain, None, "{name}");
        assert!(verdict.caveats.iter().all(|caveat| caveat.code != "text_in_image"), "{name}: {:?}", verdict.caveats);
    }
}

/// Lossless compressions of one film agree with its uncompressed or run-length form to the bit.
#[test]
fn lossless_compressions_of_the_large_films_agree() {
    let Some(folder) = shared() else { return };
    let input = |name: &str| {
        prepare(&std::fs::read(folder.join(name)).unwrap(), &Limits::default(), |_| ()).pixels.unwrap().input
    };
    for (reference, others) in [
        ("RG2_RLE.dcm", ["RG2_J2KR.dcm", "RG2_JLSL.dcm", "RG2_JPLL.dcm"].as_slice()),
        ("RG3_UNC.dcm", &["RG3_J2KR.dcm", "RG3_JLSL.dcm", "RG3_JPLL.dcm", "RG3_RLE.dcm"]),
    ] {
        let expected = input(reference);
        for other in others {
            assert!(input(other) == expected, "{other} differs from {reference}");
        }
    }
}
