//! What people on site are told of each image, and the way back from a pseudonym.

#![cfg(test)]

use std::path::Path;

use outbox::{Accepted, InstanceId, NewEntry, NewInstance, NewMessage, Outbox, Priority, Pseudonyms, Tally};
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;

fn conclude(outbox: &mut Outbox, number: u8, names: [&str; 3], status: &str, detail: &str) -> InstanceId {
    let sop_instance = format!("1.2.{number}");
    let new = NewInstance {
        sop_instance: &sop_instance,
        sop_class: "1.2.840.10008.5.1.4.1.1.7",
        digest: [number; 32],
        file: &sop_instance,
        source: "XR-1",
        received_ms: 0,
        receive_ms: 1.0,
        traceparent: None,
    };
    let Accepted::New(id) = outbox.accept(&new).unwrap() else { panic!("it is new") };
    let result = MessageId(Uuid::from_u128(number.into()));
    let message = NewMessage {
        id: result,
        kind: Up::Result,
        priority: Priority::Live,
        created_ms: 0,
        traceparent: None,
        payload: b"",
    };
    let [study, object, patient] = names.map(str::to_owned);
    let entry = NewEntry {
        concluded_ms: 1000 * i64::from(number),
        pseudonyms: Pseudonyms { study, object, patient },
        status,
        detail,
        total_ms: 12.5,
        identity: Some(&[number, 0xff]),
        lost: None,
    };
    outbox.conclude_with(id, result, &[message], None, Some(&entry)).unwrap();
    id
}

fn three(folder: &Path) -> (Outbox, [InstanceId; 3]) {
    let mut outbox = Outbox::open(&folder.join("outbox.sqlite"), &[9; 32].into()).unwrap();
    let ids = [
        conclude(&mut outbox, 1, ["aaa2", "oaa", "paa"], "read", "positive"),
        conclude(&mut outbox, 2, ["aaa2", "obb", "paa"], "abstained", "lateral"),
        conclude(&mut outbox, 3, ["aab7", "occ", "pbb"], "read", "negative"),
    ];
    (outbox, ids)
}

#[test]
fn the_newest_come_first_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, ids) = three(folder.path());
    let list = |before, limit| outbox.entries(before, limit).unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(list(None, 2), [ids[2], ids[1]]);
    assert_eq!(list(Some(ids[1]), 2), [ids[0]]);
    assert_eq!(outbox.tally(0).unwrap(), Tally { read: 2, positive: 1, abstained: 1, unreadable: 0 });
    assert_eq!(outbox.tally(2001).unwrap(), Tally { read: 1, ..Tally::default() });
}

#[test]
fn a_pseudonym_leads_to_its_images_and_every_look_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut outbox, ids) = three(folder.path());
    assert_eq!(outbox.pseudonyms_like("aa", 10).unwrap(), ["aaa2", "aab7"]);
    assert_eq!(outbox.pseudonyms_like("aab", 10).unwrap(), ["aab7"]);
    assert_eq!(outbox.pseudonyms_like("zz", 10).unwrap(), [""; 0]);
    let found = outbox.look_up("aaa2", "mary", 5).unwrap();
    let sealed: Vec<_> = found.into_iter().map(|one| (one.entry.id, one.identity.unwrap())).collect();
    assert_eq!(sealed, [(ids[1], vec![2, 0xff]), (ids[0], vec![1, 0xff])]);
    assert_eq!(outbox.look_up("pbb", "root", 6).unwrap().len(), 1);
    assert!(outbox.look_up("nobody", "root", 7).unwrap().is_empty());
    let noted: Vec<_> =
        outbox.accesses(10).unwrap().into_iter().map(|one| (one.who, one.pseudonym, one.hits)).collect();
    let of = |who: &str, pseudonym: &str, hits| (who.to_owned(), pseudonym.to_owned(), hits);
    assert_eq!(noted, [of("root", "nobody", 0), of("root", "pbb", 1), of("mary", "aaa2", 2)]);
}

#[test]
fn what_is_too_old_is_forgotten_and_the_notes_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (mut outbox, _) = three(folder.path());
    outbox.look_up("aaa2", "mary", 5).unwrap();
    assert_eq!(outbox.forget_entries(2500, 1).unwrap(), 1);
    assert_eq!(outbox.forget_entries(2500, 9).unwrap(), 1);
    assert_eq!(outbox.forget_entries(2500, 9).unwrap(), 0);
    assert_eq!(outbox.entries(None, 9).unwrap().len(), 1);
    assert_eq!(outbox.accesses(9).unwrap().len(), 1);
}
