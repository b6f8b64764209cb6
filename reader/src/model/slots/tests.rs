//! The power goes before every single step of every change, and what is on the disk then is looked at by a new start.

use super::*;
use crate::model::Trust;

/// The tiny bundle, signed by its throw-away key; `version` tells two of them apart.
fn bundle(folder: &Path, version: &str) -> Bundle {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/tiny");
    let copy = folder.join(format!("bundle-{version}"));
    fs::create_dir_all(copy.join("golden")).unwrap();
    let files = ["model.onnx", "MODEL_CARD.md", "distribution.bin", "golden/ramp.png", "golden/corner.png"];
    for file in files {
        fs::copy(tiny.join(file), copy.join(file)).unwrap();
    }
    let manifest = fs::read_to_string(tiny.join("manifest.json")).unwrap();
    fs::write(copy.join("manifest.json"), manifest.replace("\"1.0.0\"", &format!("\"{version}\""))).unwrap();
    Bundle::draft(&copy).unwrap()
}

/// Every slot is whole, and every name means one.
fn sound(slots: &Slots) {
    slots.tidy().unwrap();
    for slot in slots.list().unwrap() {
        let found = Bundle::draft(&slots.path(&slot.digest)).unwrap();
        assert_eq!(found.digest, slot.digest);
    }
    for name in Name::ALL {
        let link = fs::symlink_metadata(slots.folder.join(name.as_str()));
        assert_eq!(link.is_ok(), slots.named(name).is_some(), "{name:?} means nothing");
    }
}

/// Runs `change` again and again, the power going one step later each time, until it goes through; gives what `look` saw
/// after each cut, and last after the whole of it.
fn cut<T>(
    prepare: impl Fn(&Slots),
    change: impl Fn(&Slots) -> Result<(), SlotError>,
    look: impl Fn(&Slots) -> T,
) -> Vec<T> {
    let mut seen = Vec::new();
    for steps in 0..500 {
        let folder = tempfile::tempdir().unwrap();
        let slots = Slots::open(folder.path()).unwrap();
        prepare(&slots);
        slots.disk.steps_left.set(Some(steps));
        let done = change(&slots).is_ok();
        let started_again = Slots::open(folder.path()).unwrap();
        sound(&started_again);
        seen.push(look(&started_again));
        if done {
            return seen;
        }
    }
    panic!("it never went through");
}

#[test]
fn a_power_cut_leaves_a_whole_slot_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let one = bundle(folder.path(), "1.0.0");
    let seen = cut(|_| (), |slots| slots.install(&one), |slots| slots.list().unwrap().len());
    assert!(seen.len() > 20, "{} steps", seen.len());
    assert_eq!((seen[0], seen.last()), (0, Some(&1)));
    assert!(seen.is_sorted(), "{seen:?}");
}

#[test]
fn a_power_cut_leaves_one_active_model_whichever() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (bundle(folder.path(), "1.0.0"), bundle(folder.path(), "2.0.0"));
    let prepare = |slots: &Slots| {
        slots.install(&one).unwrap();
        slots.install(&two).unwrap();
        slots.put_in_force(&one.digest).unwrap();
        slots.set_candidate(Some(&two.digest)).unwrap();
    };
    let names = |slots: &Slots| Name::ALL.map(|name| slots.named(name));
    let seen = cut(prepare, |slots| slots.put_in_force(&two.digest), names);
    for [active, _, previous] in &seen {
        let active = active.as_ref().expect("there is always an active model");
        assert!(*active == one.digest || *active == two.digest);
        // Once the new one is active there is a way back.
        assert!(*active == one.digest || previous.as_ref() == Some(&one.digest));
    }
    assert_eq!(seen.last(), Some(&[Some(two.digest.clone()), None, Some(one.digest.clone())]));
    assert_eq!(seen[0], [Some(one.digest.clone()), Some(two.digest.clone()), None]);
}

#[test]
fn there_and_back_again() {
    let folder = tempfile::tempdir().unwrap();
    let slots = Slots::open(&folder.path().join("models")).unwrap();
    let (one, two) = (bundle(folder.path(), "1.0.0"), bundle(folder.path(), "2.0.0"));
    assert!(matches!(slots.previous(), Err(SlotError::NoPrevious)));
    for bundle in [&one, &two, &two] {
        slots.install(bundle).unwrap();
        slots.put_in_force(&bundle.digest).unwrap();
    }
    assert_eq!(slots.previous().unwrap(), one.digest);
    slots.put_in_force(&slots.previous().unwrap()).unwrap();
    assert_eq!((slots.named(Name::Active), slots.previous().unwrap()), (Some(one.digest.clone()), two.digest.clone()));
    assert_eq!(slots.find(&one.digest[..9]).unwrap(), one.digest);
    assert!(matches!(slots.find("zz"), Err(SlotError::Unknown { .. })));
    assert!(matches!(slots.find(""), Err(SlotError::Ambiguous { .. })));
}

#[test]
fn only_so_many_without_a_name_are_kept_and_named_ones_always() {
    let folder = tempfile::tempdir().unwrap();
    let slots = Slots::open(&folder.path().join("models")).unwrap();
    let first = bundle(folder.path(), "1.0.0");
    slots.install(&first).unwrap();
    slots.put_in_force(&first.digest).unwrap();
    for version in 0..UNNAMED + 3 {
        slots.install(&bundle(folder.path(), &format!("2.{version}.0"))).unwrap();
    }
    assert_eq!(slots.list().unwrap().len(), UNNAMED + 1);
    assert_eq!(slots.named(Name::Active), Some(first.digest));
    sound(&slots);
}

#[test]
fn what_is_in_a_slot_opens_with_its_signature() {
    let folder = tempfile::tempdir().unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let trust = Trust::load(&[models.join("tiny.pub")]).unwrap();
    let bundle = Bundle::open(&models.join("tiny"), &trust).unwrap();
    let slots = Slots::open(folder.path()).unwrap();
    slots.install(&bundle).unwrap();
    assert_eq!(Bundle::open(&slots.path(&bundle.digest), &trust).unwrap().publisher, bundle.publisher);
}
