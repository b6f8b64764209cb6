//! The outbox against a model of three sets: whatever is done to it in whatever order, crashes included, the file says
//! what the model says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use outbox::{Accepted, NewInstance, NewMessage, Outbox, Priority, Settlement};
use proptest::prelude::*;
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;
use wire::v1::ReceiptStatus;

/// What the two processes may do.
#[derive(Clone, Debug)]
enum Step {
    /// An image is acknowledged and read.
    Conclude(Priority),
    /// Several are acknowledged and read, and share one commit, or die before it.
    Group(Vec<Priority>, bool),
    /// The drain takes some.
    Lease(u32),
    /// The gateway has, or refuses, the n-th message ever written.
    Receipt(usize, bool),
    /// Time passes.
    Wait(i64),
    /// Both processes die; the file is opened again.
    Crash,
}

/// What the file ought to hold.
#[derive(Default)]
struct Model {
    written: u128,
    waiting: BTreeSet<u128>,
    rejected: BTreeSet<u128>,
    leased_until: std::collections::BTreeMap<u128, i64>,
    now_ms: i64,
}

const LEASE_MS: i64 = 100;

fn step() -> impl Strategy<Value = Step> {
    let priority = || prop_oneof![Just(Priority::Urgent), Just(Priority::Live), Just(Priority::Backlog)];
    prop_oneof![
        4 => priority().prop_map(Step::Conclude),
        2 => (prop::collection::vec(priority(), 1..5), any::<bool>()).prop_map(|(all, whole)| Step::Group(all, whole)),
        3 => (0_u32..6).prop_map(Step::Lease),
        3 => (0_usize..24, any::<bool>()).prop_map(|(which, stored)| Step::Receipt(which, stored)),
        1 => (0_i64..150).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ]
}

fn write(outbox: &mut Outbox, model: &mut Model, priority: Priority) {
    model.written += 1;
    let number = model.written;
    let new = NewInstance {
        sop_class: "1.2",
        sop_instance: &number.to_string(),
        digest: [0; 32],
        file: "f",
        source: "S",
        received_ms: 0,
        receive_ms: 0.0,
        traceparent: None,
    };
    let Accepted::New(instance) = outbox.accept(&new).unwrap() else { panic!("seen before") };
    let id = MessageId(Uuid::from_u128(number));
    let message =
        NewMessage { id, kind: Up::Result, priority, created_ms: model.now_ms, traceparent: None, payload: b"p" };
    outbox.conclude(instance, id, &[message]).unwrap();
    model.waiting.insert(number);
}

/// Gives the outbox that goes on: where the group died, another one.
fn group(mut outbox: Outbox, path: &Path, model: &mut Model, all: Vec<Priority>, whole: bool) -> Outbox {
    let before = (model.written, model.waiting.clone());
    outbox.begin_group().unwrap();
    all.into_iter().for_each(|priority| write(&mut outbox, model, priority));
    if whole {
        outbox.commit_group().unwrap();
        return outbox;
    }
    (model.written, model.waiting) = before;
    drop(outbox);
    Outbox::open(path).unwrap()
}

fn lease(outbox: &mut Outbox, model: &mut Model, limit: u32) {
    let taken = outbox.lease(limit, model.now_ms, LEASE_MS).unwrap();
    model.leased_until.retain(|_, until| *until > model.now_ms);
    let free = model.waiting.iter().filter(|number| !model.leased_until.contains_key(number)).count();
    assert_eq!(taken.len(), free.min(limit as usize), "a lease takes what is free, up to its limit");
    for leased in taken {
        let number = leased.id.0.as_u128();
        assert!(model.waiting.contains(&number), "leased what is not waiting");
        assert!(model.leased_until.insert(number, model.now_ms + LEASE_MS).is_none(), "leased twice");
    }
}

fn receipt(outbox: &mut Outbox, model: &mut Model, which: usize, stored: bool) {
    let number = which as u128 + 1;
    let known = model.waiting.contains(&number) || model.rejected.contains(&number);
    let status = if stored { ReceiptStatus::Stored } else { ReceiptStatus::Rejected { reason: "no".to_owned() } };
    let expected = match (known, stored) {
        (false, _) => Settlement::Unknown,
        (true, true) => Settlement::Deleted,
        (true, false) => Settlement::Kept,
    };
    assert_eq!(outbox.settle(MessageId(Uuid::from_u128(number)), &status).unwrap(), expected);
    model.waiting.remove(&number);
    model.leased_until.remove(&number);
    match expected {
        Settlement::Kept => drop(model.rejected.insert(number)),
        Settlement::Deleted => drop(model.rejected.remove(&number)),
        Settlement::Unknown => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_file_says_what_the_model_says(steps in prop::collection::vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("outbox.sqlite");
        let mut outbox = Outbox::open(&path).unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Conclude(priority) => write(&mut outbox, &mut model, priority),
                Step::Group(all, whole) => outbox = group(outbox, &path, &mut model, all, whole),
                Step::Lease(limit) => lease(&mut outbox, &mut model, limit),
                Step::Receipt(which, stored) => receipt(&mut outbox, &mut model, which, stored),
                Step::Wait(ms) => model.now_ms += ms,
                Step::Crash => outbox = Outbox::open(&path).unwrap(),
            }
            let depth = outbox.depth().unwrap();
            prop_assert_eq!(depth.waiting, model.waiting.len() as u64);
            prop_assert_eq!(depth.rejected, model.rejected.len() as u64);
        }
    }
}
