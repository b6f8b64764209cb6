//! The bound as a property over hostile orders of arrival, and the plans that make every step cost the same at any depth.

use proptest::prelude::*;
use uuid::Uuid;
use wire::v1::ReceiptStatus;

use super::*;
use crate::NewMessage;
use crate::queue::{APPEND, APPEND_PAYLOAD, DELETE, DELETE_PAYLOAD, FIND};
use crate::rejection::{AGAIN, KEEP, TAKEN};

/// What happens before the next lease, and how much that takes.
#[derive(Clone, Debug)]
struct Round {
    arrive: u8,
    limit: u32,
    reopen: bool,
    /// Sent in vain instead of receipted.
    in_vain: bool,
}

fn round() -> impl Strategy<Value = Round> {
    (0_u8..6, 1_u32..7, prop::bool::weighted(0.1), any::<bool>()).prop_map(|(arrive, limit, reopen, in_vain)| Round {
        arrive,
        limit,
        reopen,
        in_vain,
    })
}

fn id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn post(outbox: &mut Outbox, number: u128, priority: Priority, payload: &[u8]) {
    let message = NewMessage { id: id(number), kind: Up::Result, priority, created_ms: 0, traceparent: None, payload };
    outbox.post(&message).unwrap();
}

/// How many messages are leased until `victim` is, while urgent ones keep coming as `rounds` says.
fn leased_until(victim: u128, before: u128, rounds: &[Round]) -> u32 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let mut outbox = Outbox::open(&path, &[9; 32].into()).unwrap();
    (1..=before).for_each(|number| post(&mut outbox, number, Priority::Urgent, b"p"));
    post(&mut outbox, victim, Priority::Backlog, b"p");
    let (mut next, mut count) = (victim + 1, 0);
    for round in rounds.iter().cycle() {
        for _ in 0..round.arrive {
            post(&mut outbox, next, Priority::Urgent, b"p");
            next += 1;
        }
        if round.reopen {
            outbox = Outbox::open(&path, &[9; 32].into()).unwrap();
            outbox.end_leases().unwrap();
        }
        for message in outbox.lease(round.limit, 0, 1_000).unwrap() {
            count += 1;
            if message.id == id(victim) {
                return count;
            }
            if round.in_vain {
                outbox.requeue(&[message.id]).unwrap();
            } else {
                outbox.settle(message.id, &ReceiptStatus::Stored).unwrap();
            }
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_waits_longer_than_the_bound(
        before in 0_u128..12,
        rounds in prop::collection::vec(round(), 1..12),
    ) {
        let count = leased_until(1_000, before, &rounds);
        let bound = AGE_SHARE * (u32::try_from(before).unwrap() + 1);
        // A lease is one step: the places after the victim's in the last one may be counted before it.
        prop_assert!(count <= bound + 6, "{count} were leased, the bound is {bound}");
    }

    #[test]
    fn the_share_of_the_first_in_line_does_not_depend_on_the_size_of_leases(limits in prop::collection::vec(0_u32..9, 0..40)) {
        let (mut turn, mut given) = (0_i64, 0);
        for limit in limits {
            given += age_places(turn, limit);
            turn += i64::from(limit);
        }
        prop_assert_eq!(i64::from(given), turn / i64::from(AGE_SHARE));
    }
}

#[test]
fn one_place_at_a_time_the_oldest_has_its_share_all_the_same() {
    let urgent_ones_keep_coming = Round { arrive: 2, limit: 1, reopen: false, in_vain: false };
    assert_eq!(leased_until(1_000, 0, &[urgent_ones_keep_coming]), AGE_SHARE);
    let and_the_agent_is_killed_each_time = Round { arrive: 2, limit: 1, reopen: true, in_vain: false };
    assert_eq!(leased_until(1_000, 0, &[and_the_agent_is_killed_each_time]), AGE_SHARE);
}

#[test]
fn what_is_sent_in_vain_lets_the_others_pass() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
    (1..=4).for_each(|number| post(&mut outbox, number, Priority::Urgent, b"p"));
    let mut order = Vec::new();
    for _ in 0..6 {
        let leased = outbox.lease(1, 0, 1_000).unwrap().remove(0).id;
        order.push(leased.0.as_u128());
        outbox.requeue(&[leased]).unwrap();
    }
    assert_eq!(order, [1, 2, 3, 4, 1, 2]);
    outbox.lease(1, 0, 1_000).unwrap();
    outbox.end_lease(&[id(3)]).unwrap();
    assert_eq!(outbox.lease(1, 0, 1_000).unwrap()[0].id, id(3), "what was not sent keeps its place");
}

#[test]
fn every_step_finds_its_rows_without_a_scan_or_a_sort() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
    let line = [EXPIRE, EXPIRE_AHEAD, ADVANCE, BY_PRIORITY, HEAD, READ, WAITING, MARK, END, DRAW, REQUEUE, END_ALL];
    let rows = [APPEND, APPEND_PAYLOAD, FIND, DELETE, DELETE_PAYLOAD, KEEP, TAKEN, AGAIN];
    for statement in line.into_iter().chain(rows) {
        let mut plan = outbox.connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let none = vec![rusqlite::types::Null; plan.parameter_count()];
        let steps: Vec<String> = plan
            .query_map(rusqlite::params_from_iter(none), |row| row.get("detail"))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for step in steps {
            // Walking an index in its order until the limit is no scan, nor is walking that of all leases where all of them end;
            // and the counter's table has a row for each table that numbers its rows.
            let walked =
                ["message_line", "message_leased"].iter().any(|index| step.contains(&format!("USING INDEX {index}")))
                    || step == "SCAN sqlite_sequence";
            let sought = step.starts_with("SEARCH") || step.contains("SCALAR SUBQUERY") || walked;
            assert!(sought && !step.contains("TEMP B-TREE"), "{statement}\n{step}");
        }
    }
}

#[test]
fn what_waits_is_read_in_order_whoever_has_leased_it_and_rejected_ones_stay_here() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
    (1..=5).for_each(|number| post(&mut outbox, number, Priority::Live, &[number.try_into().unwrap()]));
    outbox.lease(1, 0, 1_000).unwrap();
    outbox.requeue(&[id(1)]).unwrap();
    outbox.lease(1, 0, 1_000).unwrap();
    outbox.settle(id(3), &ReceiptStatus::Rejected { reason: "no".to_owned() }).unwrap();
    outbox.settle(id(4), &ReceiptStatus::Stored).unwrap();
    let first = outbox.waiting(0, 2).unwrap();
    let rest = outbox.waiting(first[1].0, 2).unwrap();
    let read: Vec<_> = first.iter().chain(&rest).map(|(_, one)| (one.id.0.as_u128(), one.payload[0])).collect();
    assert_eq!(read, [(1, 1), (2, 2), (5, 5)]);
    assert_eq!(outbox.depth().unwrap().waiting, 3);
}

#[test]
fn a_change_of_state_does_not_write_the_payload_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let mut outbox = Outbox::open(&path, &[9; 32].into()).unwrap();
    let payload = vec![7; 1 << 20];
    (1..=4).for_each(|number| post(&mut outbox, number, Priority::Live, &payload));
    let written = |outbox: &Outbox| {
        let log = std::fs::metadata(path.with_extension("sqlite-wal")).unwrap().len();
        outbox.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        log
    };
    assert!(written(&outbox) > 4 << 20, "the payloads are written once");
    outbox.lease(4, 0, 1_000).unwrap();
    outbox.requeue(&[id(1)]).unwrap();
    outbox.end_lease(&[id(2)]).unwrap();
    let log = written(&outbox);
    assert!(log < payload.len() as u64 / 2, "three changes of state wrote {log} bytes");
    // SQLCipher has `secure_delete` on: what is deleted is wiped, once, page by page.
    outbox.settle(id(3), &ReceiptStatus::Stored).unwrap();
    let log = written(&outbox);
    assert!(log < payload.len() as u64 * 3 / 2, "a deletion wrote {log} bytes");
}

#[test]
fn what_a_later_release_wrote_waits_and_holds_up_nobody() {
    let named = |statement: &str| Up::ALL.iter().all(|kind| statement.contains(&format!("'{}'", kind.as_str())));
    assert!([BY_PRIORITY, HEAD, WAITING].into_iter().all(named), "each kind is in the statements that choose");
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
    (1..=9).for_each(|number| post(&mut outbox, number, Priority::Live, b"p"));
    outbox.connection.execute("UPDATE message SET kind = 'of tomorrow' WHERE sequence IN (1, 3)", []).unwrap();
    let leased: Vec<u128> = outbox.lease(8, 0, 1_000).unwrap().iter().map(|one| one.id.0.as_u128()).collect();
    assert_eq!(leased, [2, 4, 5, 6, 7, 8, 9]);
    assert_eq!(outbox.waiting(0, 9).unwrap().len(), 7);
    assert_eq!(outbox.depth().unwrap().waiting, 9, "they are still there");
}

#[test]
fn no_place_is_given_twice_however_often_one_goes_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
    for number in 1..=20 {
        post(&mut outbox, number, Priority::Live, b"p");
        for message in outbox.lease(2, 0, 1_000).unwrap() {
            outbox.requeue(&[message.id]).unwrap();
        }
    }
    let [count, places]: [i64; 2] = outbox
        .connection
        .query_row("SELECT count(*), count(DISTINCT place) FROM message", [], |row| Ok([row.get(0)?, row.get(1)?]))
        .unwrap();
    assert_eq!((count, places), (20, 20));
}
