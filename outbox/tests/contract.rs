//! The outbox's promises, each as a test that fails without it: one row for one image, one transaction for one result,
//! deletion on a receipt only, priority without starvation, and survival of a crash at any point.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

use std::path::Path;

use outbox::{
    Accepted, InstanceId, NewEntry, NewInstance, NewMessage, Outbox, OutboxError, Priority, Pseudonyms, Rank, Renewed,
    Settlement,
};
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;
use wire::v1::ReceiptStatus;

const LEASE_MS: i64 = 1_000;

fn open(folder: &Path) -> Outbox {
    Outbox::open(&folder.join("outbox.sqlite"), &[9; 32].into()).unwrap()
}

fn image(sop_instance: &str, content: u8) -> NewInstance<'_> {
    NewInstance {
        sop_class: "1.2",
        sop_instance,
        digest: [content; 32],
        file: "a.dcm",
        source: "XR-ROOM-1",
        received_ms: 5,
        receive_ms: 1.5,
        traceparent: None,
    }
}

fn id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn message(number: u128, priority: Priority) -> NewMessage<'static> {
    NewMessage { id: id(number), kind: Up::Result, priority, created_ms: 10, traceparent: None, payload: b"payload" }
}

fn accept(outbox: &mut Outbox, number: u128) -> InstanceId {
    match outbox.accept(&image(&format!("1.2.{number}"), 1)).unwrap() {
        Accepted::New(id) => id,
        other => panic!("{other:?}"),
    }
}

fn conclude(outbox: &mut Outbox, number: u128, priority: Priority) {
    let instance = accept(outbox, number);
    outbox.conclude(instance, id(number), &[message(number, priority)]).unwrap();
}

fn leased(outbox: &mut Outbox, limit: u32, now_ms: i64) -> Vec<u128> {
    outbox.lease(limit, now_ms, LEASE_MS).unwrap().into_iter().map(|leased| leased.id.0.as_u128()).collect()
}

#[test]
fn a_message_without_an_image_waits_and_goes_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    outbox.post(&NewMessage { kind: Up::Shadow, ..message(7, Priority::Backlog) }).unwrap();
    assert!(outbox.post(&message(7, Priority::Backlog)).is_err(), "an id is used once");
    let sent = outbox.lease(8, 0, LEASE_MS).unwrap();
    assert_eq!((sent.len(), sent[0].id, sent[0].kind), (1, id(7), Up::Shadow));
    assert_eq!(outbox.settle(id(7), &ReceiptStatus::Stored).unwrap(), Settlement::Deleted);
    assert_eq!(outbox.depth().unwrap().waiting, 0);
}

#[test]
fn a_resend_is_one_image_and_other_bytes_are_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    let first = outbox.accept(&image("1.2.3", 1)).unwrap();
    assert!(matches!(first, Accepted::New(_)));
    let Accepted::New(first) = first else { unreachable!() };
    assert_eq!(outbox.accept(&image("1.2.3", 1)).unwrap(), Accepted::Again(first));
    assert!(matches!(outbox.accept(&image("1.2.3", 2)).unwrap(), Accepted::Conflicting(_)));
    assert_eq!(outbox.unread(None, 10).unwrap().len(), 2);
}

#[test]
fn a_result_and_its_messages_come_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    let instance = accept(&mut outbox, 1);
    // The second message repeats the first one's id: the transaction must leave no trace of either.
    let twice = [message(1, Priority::Live), message(1, Priority::Backlog)];
    assert!(outbox.conclude(instance, id(1), &twice).is_err());
    assert_eq!(outbox.depth().unwrap().waiting, 0);
    assert_eq!(outbox.unread(None, 10).unwrap().len(), 1);
    outbox.conclude(instance, id(1), &twice[..1]).unwrap();
    assert!(matches!(
        outbox.conclude(instance, id(2), &[message(2, Priority::Live)]),
        Err(OutboxError::Refused { .. })
    ));
    assert_eq!(outbox.depth().unwrap().waiting, 1);
}

#[test]
fn a_result_without_its_message_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    let instance = accept(&mut outbox, 1);
    assert!(matches!(outbox.conclude(instance, id(1), &[]), Err(OutboxError::Refused { .. })));
    assert_eq!(outbox.journal_counts().unwrap().accepted, 1);
}

#[test]
fn a_row_leaves_on_a_receipt_only_and_a_replayed_receipt_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    conclude(&mut outbox, 1, Priority::Live);
    assert_eq!(leased(&mut outbox, 8, 0), [1]);
    assert_eq!(leased(&mut outbox, 8, LEASE_MS - 1), [0_u128; 0], "a lease was given twice");
    assert_eq!(leased(&mut outbox, 8, LEASE_MS), [1], "an ended lease was not given again");
    outbox.end_lease(&[id(1), id(2)]).unwrap();
    assert_eq!(leased(&mut outbox, 8, LEASE_MS), [1], "a lease that was ended was not given again");
    assert_eq!(outbox.end_leases().unwrap(), 1);
    assert_eq!(outbox.depth().unwrap().waiting, 1);
    assert_eq!(outbox.settle(id(1), &ReceiptStatus::Stored).unwrap(), Settlement::Deleted);
    assert_eq!(outbox.settle(id(1), &ReceiptStatus::Stored).unwrap(), Settlement::Unknown);
    assert_eq!(outbox.depth().unwrap().waiting, 0);
}

#[test]
fn a_rejected_message_is_kept_with_its_reason_and_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    conclude(&mut outbox, 1, Priority::Live);
    let rejected = ReceiptStatus::Rejected { reason: "does not open".to_owned() };
    assert_eq!(outbox.settle(id(1), &rejected).unwrap(), Settlement::Kept);
    assert_eq!(leased(&mut outbox, 8, i64::MAX - LEASE_MS), [0_u128; 0]);
    let kept = outbox.rejected(8).unwrap();
    assert_eq!((kept.len(), kept[0].id, kept[0].reason.as_str()), (1, id(1), "does not open"));
    assert_eq!(outbox.depth().unwrap().rejected, 1);
    assert_eq!(outbox.retry_rejected().unwrap(), 1);
    assert_eq!(leased(&mut outbox, 8, 0), [1], "what was put back is sent again");
}

#[test]
fn urgent_goes_first_and_the_oldest_is_never_starved() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    conclude(&mut outbox, 1, Priority::Backlog);
    conclude(&mut outbox, 2, Priority::Live);
    for urgent in 3..20 {
        conclude(&mut outbox, urgent, Priority::Urgent);
    }
    assert_eq!(leased(&mut outbox, 1, 0), [3]);
    assert_eq!(leased(&mut outbox, 4, 0), [4, 5, 6, 1], "one place of four belongs to the oldest");
    assert_eq!(leased(&mut outbox, 4, 0), [7, 8, 9, 2]);
}

#[test]
fn a_file_is_dispensable_only_after_its_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    let instance = accept(&mut outbox, 1);
    assert!(outbox.forget_file(instance).is_err());
    outbox.conclude(instance, id(1), &[message(1, Priority::Live)]).unwrap();
    assert!(outbox.dispensable(8).unwrap().is_empty());
    assert!(outbox.forget_file(instance).is_err());
    outbox.settle(id(1), &ReceiptStatus::Stored).unwrap();
    assert_eq!(outbox.dispensable(8).unwrap().len(), 1);
    assert!(outbox.knows_file("a.dcm").unwrap());
    outbox.forget_file(instance).unwrap();
    assert!(outbox.dispensable(8).unwrap().is_empty());
}

/// The same bytes once more, in another file.
fn again(file: &str) -> NewInstance<'_> {
    NewInstance { file, received_ms: 900, ..image("1.2.1", 1) }
}

#[test]
fn a_resend_replaces_a_lost_file_while_the_image_is_unread_and_never_after() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    let instance = accept(&mut outbox, 1);
    assert_eq!(outbox.file_of(instance).unwrap().as_deref(), Some("a.dcm"));
    let replaced = Renewed::Replaced { before: Some("a.dcm".to_owned()) };
    assert_eq!(outbox.renew(instance, &again("b.dcm")).unwrap(), replaced);
    assert_eq!(outbox.unread(None, 1).unwrap()[0].file, "b.dcm");
    outbox.conclude(instance, id(1), &[message(1, Priority::Live)]).unwrap();
    assert_eq!(outbox.renew(instance, &again("c.dcm")).unwrap(), Renewed::Needless);
    assert_eq!(outbox.file_of(instance).unwrap(), None, "there is nothing to read");
    assert!(outbox.knows_file("b.dcm").unwrap() && !outbox.knows_file("c.dcm").unwrap());
}

fn lost(file: &str) -> NewEntry<'_> {
    let names = ["s", "o", "p"].map(str::to_owned);
    let [study, object, patient] = names;
    NewEntry {
        concluded_ms: 7,
        pseudonyms: Pseudonyms { study, object, patient },
        status: "unreadable",
        detail: "file_damaged",
        total_ms: 1.0,
        identity: None,
        lost: Some(file),
    }
}

#[test]
fn an_image_whose_result_told_of_a_lost_file_is_opened_again_by_a_resend() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    let instance = accept(&mut outbox, 1);
    outbox.begin_reading(instance).unwrap();
    outbox.conclude_with(instance, id(1), &[message(1, Priority::Live)], None, Some(&lost("a.dcm"))).unwrap();
    assert_eq!(outbox.accept(&again("b.dcm")).unwrap(), Accepted::Wanted(instance));
    let reopened = Renewed::Reopened { before: Some("a.dcm".to_owned()) };
    assert_eq!(outbox.renew(instance, &again("b.dcm")).unwrap(), reopened);
    assert_eq!(outbox.accept(&again("c.dcm")).unwrap(), Accepted::Again(instance), "it is as good as new");
    // The receipt of the first result comes late, and takes nothing of the second with it.
    assert_eq!(outbox.settle(id(1), &ReceiptStatus::Stored).unwrap(), Settlement::Deleted);
    let open_again = outbox.unread(None, 8).unwrap().remove(0);
    assert_eq!((open_again.file.as_str(), open_again.attempts, open_again.received_ms), ("b.dcm", 0, 900));
    assert_eq!(open_again.supersedes, Some(id(1)));

    let read = NewEntry { status: "read", detail: "positive", lost: None, ..lost("") };
    outbox.conclude_with(instance, id(2), &[message(2, Priority::Urgent)], None, Some(&read)).unwrap();
    let entries = outbox.entries(None, 8).unwrap();
    assert_eq!((entries.len(), entries[0].detail.as_str()), (1, "positive"));
    assert_eq!(outbox.accept(&again("d.dcm")).unwrap(), Accepted::Again(instance));
    outbox.settle(id(2), &ReceiptStatus::Stored).unwrap();
    assert_eq!(outbox.journal_counts().unwrap().receipted, 1);
}

#[test]
fn a_file_that_came_while_its_loss_was_being_told_is_read_instead() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    let instance = accept(&mut outbox, 1);
    outbox.renew(instance, &again("b.dcm")).unwrap();
    let late = outbox.conclude_with(instance, id(1), &[message(1, Priority::Live)], None, Some(&lost("a.dcm")));
    assert!(matches!(late, Err(OutboxError::Refused { .. })), "{late:?}");
    assert_eq!((outbox.unread(None, 8).unwrap().len(), outbox.depth().unwrap().waiting), (1, 0));
}

#[test]
fn what_just_came_is_listed_by_when_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    let names: Vec<String> = (0..6).map(|number| format!("1.2.{number}")).collect();
    for (name, received_ms) in names.iter().zip([5, 90, 6, 80, 100, 7]) {
        outbox.accept(&NewInstance { received_ms, ..image(name, 1) }).unwrap();
    }
    let listed = |since, skip, limit| -> Vec<i64> {
        outbox.unread_since(since, skip, limit).unwrap().iter().map(|image| image.received_ms).collect()
    };
    assert_eq!(listed(50, 0, 8), [80, 90, 100]);
    assert_eq!(listed(50, 1, 1), [90]);
}

#[test]
fn looking_for_a_file_walks_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let witness = witness(&folder.path().join("outbox.sqlite"));
    let look = "EXPLAIN QUERY PLAN SELECT 1 FROM instance WHERE file = 'x'";
    let plan: String = witness.query_row(look, [], |row| row.get("detail")).unwrap();
    assert!(plan.starts_with("SEARCH") && plan.contains("COVERING INDEX"), "{plan}");
}

#[test]
fn a_reading_that_was_begun_is_counted_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = open(folder.path());
    let instance = accept(&mut first, 1);
    first.begin_reading(instance).unwrap();
    drop(first);
    let again = open(folder.path());
    assert_eq!(again.unread(None, 1).unwrap()[0].attempts, 1);
    let mut again = again;
    for left in [0, 0] {
        again.withdraw_reading(instance).unwrap();
        assert_eq!(again.unread(None, 1).unwrap()[0].attempts, left, "a stop is not the image's fault");
    }
    assert!(again.unread(Some(instance), 1).unwrap().is_empty());
}

#[test]
fn the_other_process_sees_that_something_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut appliance, sync_agent) = (open(folder.path()), open(folder.path()));
    let before = sync_agent.change_counter().unwrap();
    assert_eq!(sync_agent.change_counter().unwrap(), before);
    accept(&mut appliance, 1);
    assert_ne!(sync_agent.change_counter().unwrap(), before);
}

#[test]
fn a_newer_or_foreign_file_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    witness(&path).pragma_update(None, "user_version", 99).unwrap();
    let newer = Outbox::open(&path, &[9; 32].into()).err().unwrap().to_string();
    assert!(newer.contains("schema 99"), "{newer}");
    std::fs::write(
        &path,
        b"this is not a database, it is a text of more than a hundred bytes that somebody put here by mistake",
    )
    .unwrap();
    assert!(matches!(Outbox::open(&path, &[9; 32].into()), Err(OutboxError::Key { .. })));
}

#[test]
fn the_file_and_its_log_are_ciphertext_under_this_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let mut outbox = open(folder.path());
    conclude(&mut outbox, 1, Priority::Live);
    let found: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(found.iter().any(|file| file.to_string_lossy().ends_with("-wal")), "{found:?}");
    for file in &found {
        let bytes = std::fs::read(file).unwrap();
        for word in [&b"SQLite format 3"[..], b"CREATE TABLE", b"XR-ROOM-1"] {
            let there = bytes.windows(word.len()).any(|piece| piece == word);
            assert!(!there, "{} holds {}", file.display(), String::from_utf8_lossy(word));
        }
    }
    let told: i64 = witness(&path)
        .query_row("SELECT count(*) FROM instance WHERE source = 'XR-ROOM-1'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(told, 1, "the words that were looked for are in no row either");
    let wrong = Outbox::open(&path, &[8; 32].into()).err().unwrap();
    assert!(matches!(wrong, OutboxError::Key { .. }), "{wrong}");
    drop(outbox);
    assert!(matches!(Outbox::open(&path, &[8; 32].into()), Err(OutboxError::Key { .. })));
}

#[test]
fn a_file_from_before_the_encryption_is_refused_until_the_appliance_has_encrypted_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE instance (id INTEGER)").unwrap();
    let refused = Outbox::open(&path, &[9; 32].into()).err().unwrap();
    assert!(matches!(refused, OutboxError::Plain { .. }), "{refused}");
    assert!(refused.to_string().contains("start hilum-appliance"), "{refused}");
}

/// Another hand on the file, with the same key.
fn witness(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "key", format!("x'{}'", "09".repeat(32))).unwrap();
    connection
}

#[test]
fn a_group_is_seen_by_others_with_its_commit_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ours, theirs) = (open(folder.path()), open(folder.path()));
    ours.begin_group().unwrap();
    let first = accept(&mut ours, 1);
    conclude(&mut ours, 2, Priority::Live);
    assert_eq!(theirs.journal_counts().unwrap().accepted, 0, "told before it was durable");
    // One that is refused takes none of the others with it.
    let refused = ours.conclude(first, id(3), &[]);
    assert!(matches!(refused, Err(OutboxError::Refused { .. })));
    assert!(ours.conclude(first, id(2), &[message(2, Priority::Live)]).is_err(), "an id that is taken");
    ours.commit_group().unwrap();
    let counts = theirs.journal_counts().unwrap();
    assert_eq!((counts.accepted, counts.concluded, theirs.depth().unwrap().waiting), (1, 1, 1));
}

#[test]
fn a_group_that_is_never_committed_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed = open(folder.path());
    killed.begin_group().unwrap();
    conclude(&mut killed, 1, Priority::Live);
    drop(killed);
    let mut again = open(folder.path());
    assert_eq!((again.journal_counts().unwrap().concluded, again.depth().unwrap().waiting), (0, 0));
    accept(&mut again, 1);
    assert!(again.commit_group().is_err(), "there is no group");
}

#[test]
fn what_is_read_first_is_said_by_rank_then_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(folder.path());
    for (name, received_ms, rank) in [
        ("1.1", 100, Rank::Urgent),
        ("1.2", 200, Rank::Medium),
        ("1.3", 900, Rank::Low),
        ("1.4", 901, Rank::Medium),
        ("1.5", 902, Rank::High),
        ("1.6", 903, Rank::Urgent),
        ("1.7", 904, Rank::Medium),
    ] {
        outbox.accept_ranked(&NewInstance { received_ms, ..image(name, 1) }, rank).unwrap();
    }
    let names = |found: Vec<outbox::Instance>| found.into_iter().map(|one| one.sop_instance).collect::<Vec<_>>();
    let live = outbox.unread_since(900, 0, 9).unwrap();
    assert_eq!(live.iter().map(|one| one.rank).max(), Some(Rank::Low));
    assert_eq!(names(live), ["1.1", "1.6", "1.5", "1.4", "1.7", "1.3"], "urgent ones however old, no other old ones");
    assert_eq!(names(outbox.unread_since(900, 4, 9).unwrap()), ["1.7", "1.3"]);
    assert_eq!(names(outbox.unread(None, 3).unwrap()), ["1.1", "1.2", "1.3"], "by age alone");
}
