//! Deliveries' promises: written with their result or not at all, urgent first, moved only along the table of states, and
//! never forgotten while anybody is owed them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

use outbox::{
    Accepted, Delivery, DeliveryEvent, DeliveryState, InstanceId, NewDelivery, NewInstance, NewMessage, NewReport,
    Outbox, OutboxError, Priority, Retry,
};
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;

struct Device {
    outbox: Outbox,
    _folder: TempDir,
}

impl Device {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { outbox: Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap(), _folder: folder }
    }

    fn accept(&mut self, number: u128) -> InstanceId {
        let image = NewInstance {
            sop_class: "1.2",
            sop_instance: &format!("1.2.{number}"),
            digest: [1; 32],
            file: "a.dcm",
            source: "XR-ROOM-1",
            received_ms: 0,
            receive_ms: 0.0,
            traceparent: None,
        };
        let Accepted::New(id) = self.outbox.accept(&image).unwrap() else { panic!("a new image") };
        id
    }

    fn conclude(&mut self, number: u128, priority: Priority) -> Result<(), OutboxError> {
        let instance = self.accept(number);
        self.conclude_again(instance, number, priority)
    }

    fn conclude_again(&mut self, instance: InstanceId, number: u128, priority: Priority) -> Result<(), OutboxError> {
        let id = MessageId(Uuid::from_u128(number));
        let message =
            NewMessage { id, kind: Up::Result, priority, created_ms: 0, traceparent: None, payload: b"message" };
        let delivery = |object| NewDelivery { destination: "pacs", object, sop_instance: None, priority };
        let deliveries = [delivery("sr"), delivery("sc")];
        let payload = format!("report {number}");
        let report = NewReport { payload: payload.as_bytes(), created_ms: 10, deliveries: &deliveries };
        self.outbox.conclude_with(instance, id, &[message], Some(&report), None)
    }

    fn due(&self, state: DeliveryState, now_ms: i64) -> Vec<Delivery> {
        self.outbox.deliveries_due("pacs", state, now_ms, 100).unwrap()
    }

    fn advance(&mut self, delivery: &Delivery, event: DeliveryEvent, now_ms: i64) -> usize {
        self.outbox.advance_deliveries(&[(delivery.id, event)], now_ms).unwrap()
    }
}

#[test]
fn a_report_is_written_with_its_result_and_once() {
    let mut device = Device::new();
    let instance = device.accept(1);
    device.conclude_again(instance, 1, Priority::Live).unwrap();
    let again = device.conclude_again(instance, 2, Priority::Live);
    assert!(matches!(again, Err(OutboxError::Refused { .. })));
    let due = device.due(DeliveryState::Waiting, 10);
    assert_eq!(due.iter().map(|one| one.object.as_str()).collect::<Vec<_>>(), ["sr", "sc"]);
    assert_eq!(device.outbox.report_payload(due[0].report).unwrap().as_deref(), Some(b"report 1".as_slice()));
}

#[test]
fn urgent_ones_go_first_and_postponed_ones_when_they_are_due() {
    let mut device = Device::new();
    device.conclude(1, Priority::Live).unwrap();
    device.conclude(2, Priority::Urgent).unwrap();
    let first = device.due(DeliveryState::Waiting, 10)[0].clone();
    assert_eq!(device.outbox.report_payload(first.report).unwrap().as_deref(), Some(b"report 2".as_slice()));
    assert!(device.outbox.deliveries_due("archive", DeliveryState::Waiting, 10, 9).unwrap().is_empty());
    assert_eq!(device.advance(&first, DeliveryEvent::Postponed { due_ms: 500, reason: "no answer".into() }, 20), 1);
    assert!(!device.due(DeliveryState::Waiting, 499).iter().any(|one| one.id == first.id));
    let again = device.due(DeliveryState::Waiting, 500)[0].clone();
    assert_eq!((again.id, again.attempts), (first.id, 1));
    let troubles = device.outbox.delivery_troubles(9).unwrap();
    assert_eq!((troubles[0].reason.as_str(), troubles[0].count, troubles[0].last_ms), ("no answer", 1, 20));
}

#[test]
fn commitment_is_asked_awaited_and_answered_even_late() {
    let mut device = Device::new();
    device.conclude(1, Priority::Live).unwrap();
    let [report, capture] = &device.due(DeliveryState::Waiting, 10)[..] else { panic!("two") };
    for delivery in [report, capture] {
        assert_eq!(device.advance(delivery, DeliveryEvent::Sent, 20), 1);
        assert_eq!(device.advance(delivery, DeliveryEvent::Asked { transaction: "2.25.1".into(), due_ms: 90 }, 30), 1);
    }
    assert!(device.due(DeliveryState::Sent, 89).is_empty(), "the answer is awaited");
    let asked = device.outbox.deliveries_asked("2.25.1").unwrap();
    assert_eq!((asked.len(), asked[0].asks), (2, 1));
    device.advance(capture, DeliveryEvent::Unasked { due_ms: 60 }, 35);
    let unasked = device.due(DeliveryState::Sent, 60);
    assert_eq!((unasked.len(), unasked[0].asks), (1, 0), "a request that did not arrive does not count");
    assert_eq!(device.advance(report, DeliveryEvent::Committed, 40), 1);
    assert_eq!(device.advance(capture, DeliveryEvent::Unanswered { reason: "no answer".into() }, 95), 1);
    assert_eq!(device.advance(capture, DeliveryEvent::Committed, 99), 1, "a late answer counts");
    assert_eq!(device.advance(capture, DeliveryEvent::Refused { reason: "gone".into() }, 100), 0, "committed is final");
    let counts = device.outbox.delivery_counts().unwrap();
    assert_eq!((counts.len(), counts[0].state, counts[0].count), (1, DeliveryState::Committed, 2));
    assert!(device.outbox.delivery_troubles(9).unwrap().is_empty());
}

#[test]
fn only_what_is_final_and_old_is_forgotten() {
    let mut device = Device::new();
    for number in 1..=2 {
        device.conclude(number, Priority::Live).unwrap();
    }
    let due = device.due(DeliveryState::Waiting, 10);
    device.advance(&due[0], DeliveryEvent::Delivered, 50);
    assert_eq!(device.outbox.forget_reports(1_000, 9).unwrap(), 0, "the first report's capture still waits");
    device.advance(&due[1], DeliveryEvent::Refused { reason: "class".into() }, 60);
    assert_eq!(device.outbox.forget_reports(60, 9).unwrap(), 0, "not old enough");
    assert_eq!(device.outbox.forget_reports(61, 9).unwrap(), 1);
    assert_eq!(device.outbox.report_payload(due[0].report).unwrap(), None);
    assert_eq!(device.due(DeliveryState::Waiting, 99).len(), 2, "the second report is untouched");
}

#[test]
fn what_did_not_arrive_begins_anew_by_order() {
    let mut device = Device::new();
    for number in 1..=3 {
        device.conclude(number, Priority::Live).unwrap();
    }
    let due = device.due(DeliveryState::Waiting, 10);
    let [refused, unconfirmed, postponed, taken, untried, other] = &due[..] else { panic!("six") };
    let why = |words: &str| words.to_owned();
    device.advance(refused, DeliveryEvent::Postponed { due_ms: 11, reason: why("away") }, 11);
    device.advance(refused, DeliveryEvent::Refused { reason: why("class") }, 20);
    device.advance(unconfirmed, DeliveryEvent::Sent, 20);
    device.advance(unconfirmed, DeliveryEvent::Asked { transaction: "2.25.1".into(), due_ms: 30 }, 20);
    device.advance(unconfirmed, DeliveryEvent::Unanswered { reason: why("silence") }, 30);
    device.advance(postponed, DeliveryEvent::Postponed { due_ms: 9_000, reason: why("away") }, 20);
    device.advance(taken, DeliveryEvent::Delivered, 20);
    device.advance(other, DeliveryEvent::Refused { reason: why("class") }, 20);
    let told: Vec<_> = device.outbox.undelivered(9).unwrap().into_iter().map(|one| (one.id, one.state)).collect();
    let (waiting, given_up) = (DeliveryState::Waiting, [DeliveryState::Refused, DeliveryState::Unconfirmed]);
    let expected = [
        (refused, given_up[0]),
        (unconfirmed, given_up[1]),
        (postponed, waiting),
        (untried, waiting),
        (other, given_up[0]),
    ];
    assert_eq!(told, expected.map(|(one, state)| (one.id, state)));

    assert_eq!(device.outbox.retry_deliveries(&Retry::One(other.id), 40).unwrap(), 1);
    assert_eq!(device.outbox.retry_deliveries(&Retry::One(taken.id), 40).unwrap(), 0, "it has arrived");
    assert_eq!(device.outbox.retry_deliveries(&Retry::To("ris".into()), 40).unwrap(), 0);
    assert_eq!(device.outbox.retry_deliveries(&Retry::To("pacs".into()), 40).unwrap(), 3);
    assert_eq!(device.outbox.retry_deliveries(&Retry::All, 40).unwrap(), 0, "nothing failed since");
    let again = device.due(DeliveryState::Waiting, 40);
    assert_eq!(again.len(), 5);
    assert!(again.iter().all(|one| (one.attempts, one.asks) == (0, 0)), "{again:?}");
    assert!(device.outbox.delivery_troubles(9).unwrap().is_empty());
}

fn event() -> impl Strategy<Value = DeliveryEvent> {
    prop_oneof![
        Just(DeliveryEvent::Postponed { due_ms: 0, reason: "r".into() }),
        Just(DeliveryEvent::Refused { reason: "r".into() }),
        Just(DeliveryEvent::Delivered),
        Just(DeliveryEvent::Sent),
        Just(DeliveryEvent::Asked { transaction: "2.25.1".into(), due_ms: 0 }),
        Just(DeliveryEvent::Unasked { due_ms: 0 }),
        Just(DeliveryEvent::Committed),
        Just(DeliveryEvent::Unanswered { reason: "r".into() }),
        Just(DeliveryEvent::Retried),
    ]
}

proptest! {
    #[test]
    fn nothing_is_called_kept_that_was_not_taken_and_what_is_final_stays(events in prop::collection::vec(event(), 0..20)) {
        let mut state = DeliveryState::Waiting;
        let mut taken = false;
        for event in events {
            let Some(next) = state.after(&event) else { continue };
            taken = match next {
                DeliveryState::Waiting => false,
                DeliveryState::Sent | DeliveryState::Delivered => true,
                _ => taken,
            };
            let is_final = [DeliveryState::Delivered, DeliveryState::Committed, DeliveryState::Refused].contains(&state);
            // By order what was refused is sent again; what has arrived never is.
            let by_order = state == DeliveryState::Refused && event == DeliveryEvent::Retried;
            prop_assert!(!is_final || by_order, "{state:?} was left by {event:?}");
            prop_assert!(next != DeliveryState::Committed || taken);
            state = next;
        }
    }
}
