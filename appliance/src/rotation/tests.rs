//! A state folder under one key, put under another; the power cuts are in `tests/tests/key_rotated.rs`, with real processes.

use std::fs;

use outbox::Outbox;
use uuid::Uuid;

use super::*;
use crate::quarantine::{Note, Quarantine};
use crate::spool::{FileMeta, Spool};

fn root(byte: &str) -> RootKey {
    RootKey::parse(&byte.repeat(32)).unwrap()
}

fn key(byte: &str) -> AtRest {
    root(byte).at_rest(rand::random)
}

/// A film in the spool; its name.
fn film(spool: &Spool, number: u128) -> String {
    let meta = FileMeta { sop_class: "1.2", sop_instance: "1.3", transfer_syntax: "1.2", source: "XR" };
    let mut writer = spool.create(Uuid::from_u128(number), &meta).unwrap();
    writer.write(&[7; 1_200_000]).unwrap();
    writer.finish().unwrap().name
}

fn rotate(folder: &Path) -> Done {
    note(folder, &root("01"), &key("02")).unwrap();
    resume(folder, &key("02"), &mut || {}).unwrap().unwrap()
}

#[test]
fn afterwards_the_new_key_opens_all_that_the_old_one_did_and_the_old_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    key("01").claim(folder).unwrap();
    let spool = Spool::open(&folder.join("spool"), &key("01")).unwrap();
    let names: Vec<_> = (1..=3).map(|number| film(&spool, number)).collect();
    let quarantine = Quarantine::open(&folder.join("quarantine")).unwrap();
    let why = Note { code: "c".into(), words: "w".into(), kept_at_ms: 1, appliance_version: "0".into() };
    quarantine.keep(&spool, &names[0], &why).unwrap();
    quarantine.keep(&spool, &names[1], &why).unwrap();
    spool.remove(&names[1]).unwrap();
    fs::write(folder.join("spool/torn.dcm"), b"HILUMAR1").unwrap();
    fs::write(folder.join("outbox.sqlite.set-aside"), b"old").unwrap();
    drop(Outbox::open(&folder.join("outbox.sqlite"), &key("01").database_key().unwrap()).unwrap());

    let done = rotate(folder);
    assert_eq!(done.files, 3, "one file of two names is one");
    assert_eq!(done.damaged, [folder.join("spool/torn.dcm")]);
    assert_eq!(done.set_aside, [folder.join("outbox.sqlite.set-aside")]);
    let under = |byte: &str| Spool::open(&folder.join("spool"), &key(byte)).unwrap();
    for name in [&names[0], &names[2]] {
        assert!(under("02").is_whole(name).unwrap() && !under("01").is_whole(name).unwrap());
    }
    for (name, number) in names.iter().zip(0..2) {
        quarantine.export(name, &key("02"), &folder.join(format!("out-{number}"))).unwrap();
        assert!(quarantine.export(name, &key("01"), &folder.join("never")).is_err());
    }
    assert!(files::tests::is_one(&folder.join("spool"), &folder.join("quarantine"), &names[0]), "twice the room");
    let database = |byte: &str| Outbox::open(&folder.join("outbox.sqlite"), &key(byte).database_key().unwrap());
    assert!(database("02").is_ok() && matches!(database("01"), Err(OutboxError::Key { .. })));
    key("02").opens(folder).unwrap();
    assert!(matches!(key("01").opens(folder), Err(AtRestError::Wrong { .. })));
    assert_eq!(resume(folder, &key("02"), &mut || {}).unwrap(), None);
}

#[test]
fn one_that_changed_nothing_is_taken_back_by_the_old_key() {
    let folder = tempfile::tempdir().unwrap();
    key("01").claim(folder.path()).unwrap();
    note(folder.path(), &root("01"), &key("02")).unwrap();
    assert!(matches!(key("02").opens(folder.path()), Err(AtRestError::Changing { .. })));
    assert_eq!(resume(folder.path(), &key("01"), &mut || {}).unwrap(), None);
    assert!(matches!(key("02").opens(folder.path()), Err(AtRestError::Wrong { .. })));
    key("01").opens(folder.path()).unwrap();
}

#[test]
fn a_stranger_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    key("01").claim(folder.path()).unwrap();
    note(folder.path(), &root("01"), &key("02")).unwrap();
    let refused = resume(folder.path(), &key("03"), &mut || {});
    assert!(matches!(refused, Err(RotationError::AtRest(AtRestError::Wrong { .. }))), "{refused:?}");
    assert_eq!(resume(folder.path(), &key("02"), &mut || {}).unwrap(), Some(Done::default()));
}
