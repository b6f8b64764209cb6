//! Damage done to the file on purpose, page by page and at random, and a power cut after each step of the rescue.

use std::os::unix::fs::FileExt;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;
use wire::v1::ReceiptStatus;

use super::*;
use crate::{InstanceId, NewDelivery, NewEntry, NewInstance, NewMessage, NewReport, Priority, Pseudonyms, power_cut};

const PAGE: u64 = 4096;
/// The first third is in the cloud, the second waits for it, the last is to be read.
const IMAGES: u32 = 150;
const STEPS: [Step; 4] = [Step::Condemned, Step::Moved, Step::Salvaged, Step::Placed];

fn key(byte: u8) -> DatabaseKey {
    [byte; 32].into()
}

fn accept(outbox: &mut Outbox, number: u32) -> InstanceId {
    let (sop_instance, file) = (format!("1.2.{number}"), format!("{number}.dcm"));
    let mut digest = [7; 32];
    digest[..4].copy_from_slice(&number.to_le_bytes());
    let new = NewInstance {
        sop_class: "1.2.840.10008.5.1.4.1.1.1.1",
        sop_instance: &sop_instance,
        digest,
        file: &file,
        source: "XR-ROOM-1",
        received_ms: 1,
        receive_ms: 2.0,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    };
    outbox.accept(&new).unwrap();
    InstanceId(i64::from(number))
}

fn conclude(outbox: &mut Outbox, image: InstanceId) {
    let id = MessageId(Uuid::from_u128(image.0 as u128));
    // Some lie within their page, most on pages of their own.
    let payload = vec![image.0 as u8; 200 + (image.0 as usize % 7) * 1500];
    let message = NewMessage {
        id,
        kind: Up::Result,
        priority: Priority::Live,
        created_ms: 1,
        traceparent: None,
        payload: &payload,
    };
    let delivery = NewDelivery { destination: "pacs", object: "sr", sop_instance: None, priority: Priority::Live };
    let report = NewReport { payload: &payload, created_ms: 1, deliveries: &[delivery] };
    let name = |kind: &str| format!("{kind}{:013}", image.0);
    let entry = NewEntry {
        concluded_ms: 1,
        pseudonyms: Pseudonyms { study: name("s"), object: name("o"), patient: name("p") },
        status: "read",
        detail: "negative",
        total_ms: 3.0,
        identity: Some(&[1; 120]),
        lost: None,
    };
    outbox.conclude_with(image, id, &[message], Some(&report), Some(&entry)).unwrap();
}

/// A database that was closed in good order: all of it is in the one file.
fn fill(path: &Path) {
    let mut outbox = Outbox::open(path, &key(9)).unwrap();
    outbox.begin_group().unwrap();
    for number in 1..=IMAGES {
        let image = accept(&mut outbox, number);
        if number <= IMAGES / 3 * 2 {
            conclude(&mut outbox, image);
        }
        if number <= IMAGES / 3 {
            outbox.settle(MessageId(Uuid::from_u128(number.into())), &ReceiptStatus::Stored).unwrap();
        }
    }
    outbox.commit_group().unwrap();
}

fn pages(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len() / PAGE
}

fn damage(path: &Path, page: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&[0xa5; PAGE as usize], page * PAGE).unwrap();
}

/// A start of the appliance, as far as the database goes: checks, and rescues what is damaged.
fn start(path: &Path) -> Result<(Outbox, Option<Rescue>), OutboxError> {
    if let Some(damage) = inspect(path, &key(9), true)? {
        condemn(path, &damage)?;
    }
    match go_on(path, &key(9), &path.with_file_name("damaged"), "20260102T030405Z")? {
        None => Ok((Outbox::open(path, &key(9))?, None)),
        Some(rescue) => Ok((rescue.open()?, Some(rescue))),
    }
}

/// What must be true of the new database, whatever was damaged, where each image's file is on the disk still.
fn holds(outbox: &mut Outbox, account: &Account, what: &str) {
    let known: Vec<u32> = (1..=IMAGES).filter(|number| outbox.knows_file(&format!("{number}.dcm")).unwrap()).collect();
    // An image without a row has a file that nobody knows, and is journalled again; it must not be an unnamed gap in the account.
    let images = account.tables.iter().find(|table| table.what == "images");
    let missing = IMAGES as usize - known.len();
    match images {
        Some(images) => {
            assert_eq!(images.rows as usize, known.len(), "{what}");
            assert!(images.lost.is_none_or(|lost| lost as usize == missing), "{what}: {images:?}");
            let gaps: i64 = images.gaps.iter().map(|(from, to)| to - from + 1).sum();
            assert!(gaps >= missing as i64, "{what}: {images:?}");
        }
        None => assert_eq!(missing, IMAGES as usize, "{what}"),
    }
    // Nothing is called read whose result is gone.
    let counts = outbox.journal_counts().unwrap();
    let leased = outbox.lease(IMAGES, 10, 1).unwrap();
    assert!(leased.len() as u64 >= counts.concluded, "{what}: {counts:?}, {} messages", leased.len());
    for message in leased {
        let number = message.id.0.as_u128();
        assert!(message.payload.iter().all(|byte| *byte == number as u8), "{what}: another message's bytes");
    }
    // What is to be read again says which result the next one replaces.
    for image in outbox.unread(None, IMAGES).unwrap() {
        let number: u128 = image.file.trim_end_matches(".dcm").parse().unwrap();
        let expected = (number <= u128::from(IMAGES / 3 * 2)).then(|| MessageId(Uuid::from_u128(number)));
        assert_eq!(image.supersedes, expected, "{what}");
    }
    // And it is a database like any other.
    accept(outbox, 1_000_000);
}

#[test]
fn a_whole_file_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    assert!(start(&path).unwrap().1.is_none(), "no file is no damage");
    fill(&path);
    let (outbox, rescue) = start(&path).unwrap();
    assert!(rescue.is_none() && outbox.knows_file("1.dcm").unwrap());
    assert!(!folder.path().join("damaged").exists());
}

#[test]
fn whichever_pages_are_damaged_the_rest_goes_on_and_what_is_lost_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.sqlite");
    fill(&whole);
    let count = pages(&whole);
    let found = std::cell::Cell::new(0);
    // Each run damages from one page to a fifth of them.
    let bad = prop::collection::btree_set(0..count, 1..=usize::try_from(count / 5).unwrap());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(8) });
    runner
        .run(&bad, |bad| {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join("outbox.sqlite");
            fs::copy(&whole, &path).unwrap();
            bad.iter().for_each(|page| damage(&path, *page));
            let damaged = fs::read(&path).unwrap();
            let (mut outbox, Some(rescue)) = start(&path).unwrap() else { return Ok(()) };
            found.set(found.get() + 1);
            assert!(fs::read(rescue.folder.join("outbox.sqlite")).unwrap() == damaged, "{bad:?}: it is kept as it was");
            holds(&mut outbox, &rescue.account, &format!("{bad:?}"));
            assert!(matches!(Outbox::open(&path, &key(9)), Err(OutboxError::Condemned { .. })), "not before the end");
            rescue.conclude("what happened").unwrap();
            drop(outbox);
            assert!(start(&path).unwrap().1.is_none(), "{bad:?}: once");
            assert_eq!(noted(&place.path().join("damaged")).unwrap(), [(rescue.folder, "what happened".to_owned())]);
            Ok(())
        })
        .unwrap();
    assert!(found.get() > 5, "{found:?} of 8 were found out");
}

#[test]
fn one_bad_page_costs_the_rows_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.sqlite");
    fill(&whole);
    let mut lost = Vec::new();
    for page in (1..pages(&whole)).step_by(5) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("outbox.sqlite");
        fs::copy(&whole, &path).unwrap();
        damage(&path, page);
        let (mut outbox, Some(rescue)) = start(&path).unwrap() else { continue };
        holds(&mut outbox, &rescue.account, &format!("page {page}"));
        lost.push(rescue.account.tables.iter().map(|table| table.lost.unwrap_or(0)).sum::<u64>());
    }
    lost.sort_unstable();
    // Pages of bytes and of indexes cost one row or none, leaves some dozens, the few above them a table.
    assert!(lost.len() > 20 && lost[lost.len() / 2] <= 1, "{lost:?}");
    assert!(lost[lost.len() * 9 / 10] <= 60, "{lost:?}");
}

#[test]
fn another_key_is_never_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    fill(&path);
    let before = pages(&path);
    assert_eq!(inspect(&path, &key(8), false).unwrap(), None);
    assert!(matches!(Outbox::open(&path, &key(8)), Err(OutboxError::Key { .. })));
    // Damaged as well: still nobody knows whose key it is.
    damage(&path, 3);
    assert_eq!(inspect(&path, &key(8), false).unwrap(), None);
    assert!(matches!(Outbox::open(&path, &key(8)), Err(OutboxError::Key { .. })));
    assert!(!is_condemned(&path) && go_on(&path, &key(8), folder.path(), "x").unwrap().is_none());
    assert!(pages(&path) == before, "it is left as it was");
    // The first page is the way to all others: with the device's own key it is damage, without a proof of that it is not.
    damage(&path, 0);
    assert_eq!(inspect(&path, &key(9), false).unwrap(), None);
    assert!(inspect(&path, &key(9), true).unwrap().is_some());
}

#[test]
fn damage_that_shows_while_it_runs_condemns_the_file_and_an_error_of_another_kind_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    fill(&path);
    let mut outbox = Outbox::open(&path, &key(9)).unwrap();
    let harmless = OutboxError::Statement { doing: "x", source: rusqlite::Error::InvalidQuery };
    let alike = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOMEM), None);
    for error in [harmless, OutboxError::statement("x")(alike)] {
        outbox.suspect(&error);
        assert!(!is_condemned(&path), "{error}");
    }
    assert!(outbox.knows_file("1.dcm").unwrap());
    (4..pages(&path)).for_each(|page| damage(&path, page));
    let error = outbox.lease(8, 0, 1).unwrap_err();
    outbox.suspect(&error);
    assert!(is_condemned(&path), "{error}");
    assert!(start(&path).unwrap().1.is_some());
}

#[test]
fn who_has_the_old_file_open_notices_and_takes_nothing_of_the_new_one_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    fill(&path);
    damage(&path, pages(&path) - 1);
    let mut theirs = Outbox::open(&path, &key(9)).unwrap();
    condemn(&path, "because").unwrap();
    assert!(!theirs.is_replaced());
    let (mut ours, rescue) = start(&path).unwrap();
    assert!(theirs.is_replaced() && !ours.is_replaced());
    assert!(matches!(theirs.open_again(), Err(OutboxError::Condemned { .. })));
    rescue.unwrap().conclude("").unwrap();
    // The new file's last commits are in its log while the old one is closed.
    accept(&mut ours, 2_000_000);
    let _ = theirs.end_leases();
    drop(theirs);
    std::mem::forget(ours);
    assert!(Outbox::open(&path, &key(9)).unwrap().knows_file("2000000.dcm").unwrap());
}

#[test]
#[ignore = "the other tests start it"]
fn the_process_that_dies() {
    let Some((path, mut end)) = power_cut::order(&STEPS) else { return };
    condemn(&path, &inspect(&path, &key(9), true).unwrap().unwrap()).unwrap();
    go_on_step_by_step(&path, &key(9), (&path.with_file_name("damaged"), "first"), &mut end).unwrap();
}

#[test]
fn the_power_may_go_after_each_step_and_the_next_start_goes_on() {
    for (index, step) in STEPS.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.sqlite");
        fill(&path);
        let middle = pages(&path) / 2;
        (middle..middle + 4).for_each(|page| damage(&path, page));
        let damaged = fs::read(&path).unwrap();
        power_cut::die("rescue::tests::the_process_that_dies", &path, index);
        assert!(matches!(Outbox::open(&path, &key(9)), Err(OutboxError::Condemned { .. })), "{step:?}");
        let (mut outbox, rescue) = start(&path).unwrap();
        let rescue = rescue.unwrap();
        assert!(fs::read(rescue.folder.join("outbox.sqlite")).unwrap() == damaged, "{step:?}");
        holds(&mut outbox, &rescue.account, &format!("{step:?}"));
        rescue.conclude("").unwrap();
        drop((outbox, rescue));
        assert!(start(&path).unwrap().1.is_none());
        assert_eq!(noted(&folder.path().join("damaged")).unwrap().len(), 1, "{step:?}: one rescue, one folder");
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, ["damaged", "outbox.sqlite", "outbox.sqlite.door"], "{step:?}");
    }
}

/// A log that lost its end has lost commits without a word: the files of those images are journalled again at the next start.
#[test]
fn a_damaged_log_is_no_longer_believed_from_its_damage_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let mut outbox = Outbox::open(&path, &key(9)).unwrap();
    for number in 1..=20 {
        accept(&mut outbox, number);
    }
    let killed = folder.path().join("killed.sqlite");
    fs::copy(&path, &killed).unwrap();
    fs::copy(aside::with(&path, "-wal"), aside::with(&killed, "-wal")).unwrap();
    let log = aside::with(&killed, "-wal");
    let middle = fs::metadata(&log).unwrap().len() * 3 / 4;
    File::options().write(true).open(&log).unwrap().write_all_at(&[0xa5; 64], middle).unwrap();
    let (found, rescue) = start(&killed).unwrap();
    let known = (1..=20).filter(|number| found.knows_file(&format!("{number}.dcm")).unwrap()).count();
    assert!(rescue.is_none() && (1..20).contains(&known), "{known}");
}
