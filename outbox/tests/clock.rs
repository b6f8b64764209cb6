//! A clock that jumps by years, forward and back: nothing that waits is left waiting for the years in between.

#![allow(clippy::unwrap_used, reason = "a test states its expectations")]

use outbox::{
    Commitment, DeliveryEvent, DeliveryState, InstanceId, NewDelivery, NewInstance, NewMessage, NewReport, Outbox,
    Priority,
};
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;

const NOW: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;

/// One message that waits, one delivery that waits, one report of commitment that is owed.
fn device(folder: &tempfile::TempDir) -> Outbox {
    let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
    let new = NewInstance {
        sop_class: "1.2",
        sop_instance: "1.3",
        digest: [1; 32],
        file: "1.dcm",
        source: "XR",
        received_ms: NOW,
        receive_ms: 0.0,
        traceparent: None,
    };
    outbox.accept(&new).unwrap();
    let id = MessageId(Uuid::from_u128(1));
    let message = NewMessage {
        id,
        kind: Up::Result,
        priority: Priority::Live,
        created_ms: NOW,
        traceparent: None,
        payload: b"r",
    };
    let delivery = NewDelivery { destination: "pacs", object: "sr", sop_instance: None, priority: Priority::Live };
    let report = NewReport { payload: b"p", created_ms: NOW, deliveries: &[delivery] };
    outbox.conclude_with(InstanceId(1), id, &[message], Some(&report), None).unwrap();
    let commitment = Commitment {
        transaction: "2.25.1".into(),
        scanner: "XR".into(),
        called: "HILUM".into(),
        asked: Vec::new(),
        asked_ms: NOW,
    };
    outbox.ask_commitment(&commitment).unwrap();
    outbox
}

#[test]
fn what_was_put_off_by_a_clock_that_ran_ahead_is_due_once_it_is_put_back() {
    // The clock while it was put off, the clock afterwards, and whether it is due then.
    for (then, now, due) in [
        (NOW, NOW, false),
        (NOW, NOW + 6 * MINUTE, true),
        (NOW, NOW + 5 * YEAR, true),
        (NOW, NOW - 30 * MINUTE, false),
        (NOW + 5 * YEAR, NOW, true),
        (NOW, NOW - 30 * YEAR, true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = device(&folder);
        assert_eq!(outbox.lease(1, then, 5 * MINUTE).unwrap().len(), 1);
        let delivery = outbox.deliveries_due("pacs", DeliveryState::Waiting, then, 1).unwrap().remove(0).id;
        let put_off = DeliveryEvent::Postponed { due_ms: then + 5 * MINUTE, reason: "away".into() };
        outbox.advance_deliveries(&[(delivery, put_off)], then).unwrap();
        let owed = outbox.owed_reports(then.max(NOW), 1).unwrap().remove(0).id;
        outbox.postpone_report(owed, then + 5 * MINUTE).unwrap();
        let leased = outbox.lease(1, now, 5 * MINUTE).unwrap().len();
        let delivered = outbox.deliveries_due("pacs", DeliveryState::Waiting, now, 1).unwrap().len();
        let reported = outbox.owed_reports(now, 1).unwrap().len();
        assert_eq!([leased, delivered, reported], [usize::from(due); 3], "from {then} to {now}");
    }
}
