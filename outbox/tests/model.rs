//! The outbox against a model in memory: whatever is done to it in whatever order, power cuts included, the file says what the
//! model says, and hands out what the model would, in the model's order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use outbox::{Accepted, InstanceId, JournalCounts, NewInstance, NewMessage, Outbox, Priority, Settlement};
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;
use wire::v1::ReceiptStatus;

/// Cases of each of the two tests, which run beside each other: 10,000 in all.
const CASES: u32 = 5_000;

/// Steps of a case at most: enough for each to meet each other, few enough for CI.
const STEPS: usize = 20;

const LEASE_MS: i64 = 100;

/// What the two processes may do.
#[derive(Clone, Debug)]
enum Step {
    /// An image is acknowledged.
    Accept,
    /// An image is acknowledged and read.
    Conclude(Priority),
    /// Several are acknowledged and read, and share one commit, or the power goes before it.
    Group(Vec<Priority>, bool),
    /// The drain takes some.
    Lease(u32),
    /// The gateway has, or refuses, the n-th message ever written.
    Receipt(usize, bool),
    /// The drain gives back what it took.
    EndLeases,
    /// Somebody puts back what was refused.
    Retry,
    /// Time passes.
    Wait(i64),
    /// The power goes; the file is opened again as the disk has it.
    Crash,
}

/// What the file ought to hold.
#[derive(Clone, Debug, Default)]
struct Model {
    written: u128,
    accepted: u64,
    receipted: u64,
    /// In the order in which they were written.
    waiting: BTreeMap<u128, Priority>,
    rejected: BTreeMap<u128, Priority>,
    leased_until: BTreeMap<u128, i64>,
    /// When each message was written.
    written_ms: BTreeMap<u128, i64>,
    /// Ever leased.
    leased: u32,
    now_ms: i64,
}

impl Model {
    /// What a lease hands out: of every four places that were ever given one by age alone, the others by urgency.
    fn lease(&mut self, limit: u32) -> Vec<u128> {
        self.leased_until.retain(|_, until| *until > self.now_ms);
        let free = || self.waiting.iter().filter(|(number, _)| !self.leased_until.contains_key(number));
        let by_age = ((self.leased % 4 + limit) / 4) as usize;
        let mut urgent: Vec<_> = free().map(|(number, priority)| (*priority, *number)).collect();
        urgent.sort_unstable();
        let mut taken: Vec<u128> = urgent.into_iter().map(|(_, number)| number).take(limit as usize - by_age).collect();
        let first: BTreeSet<u128> = taken.iter().copied().collect();
        taken.extend(free().map(|(number, _)| *number).filter(|number| !first.contains(number)).take(by_age));
        self.leased += u32::try_from(taken.len()).unwrap();
        self.leased_until.extend(taken.iter().map(|number| (*number, self.now_ms + LEASE_MS)));
        taken
    }

    fn counts(&self) -> JournalCounts {
        let concluded = (self.waiting.len() + self.rejected.len()) as u64;
        JournalCounts { accepted: self.accepted, concluded, receipted: self.receipted }
    }
}

/// A file, and the disks that it lay on before each power cut.
struct Device {
    folder: TempDir,
    lives: u32,
    outbox: Outbox,
}

/// In memory, where the system has a place for it: a sync of a real disk takes milliseconds, and there are some 100,000. What a
/// disk does with syncs is not the question here.
fn somewhere() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// An empty file of today's schema: making one takes longer than a case.
fn empty() -> &'static [u8] {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    EMPTY.get_or_init(|| {
        let folder = somewhere();
        let path = folder.path().join("outbox.sqlite");
        // Closed in order, it moves its log into the file.
        drop(Outbox::open(&path, &[9; 32].into()).unwrap());
        fs::read(&path).unwrap()
    })
}

impl Device {
    fn new() -> Self {
        let folder = somewhere();
        let path = Self::file(folder.path(), 0);
        fs::write(&path, empty()).unwrap();
        let outbox = Outbox::open(&path, &[9; 32].into()).unwrap();
        Self { folder, lives: 0, outbox }
    }

    fn file(folder: &Path, life: u32) -> PathBuf {
        folder.join(format!("{life}.sqlite"))
    }

    /// Database and log as they lie there this moment, beside a process that never closes them, on a new disk.
    fn crash(&mut self) {
        let [from, to] = [self.lives, self.lives + 1].map(|life| Self::file(self.folder.path(), life));
        let log = |path: &Path| path.with_extension("sqlite-wal");
        fs::copy(&from, &to).unwrap();
        fs::copy(log(&from), log(&to)).unwrap();
        self.lives += 1;
        self.outbox = Outbox::open(&to, &[9; 32].into()).unwrap();
    }
}

fn step() -> impl Strategy<Value = Step> {
    let priority = || prop_oneof![Just(Priority::Urgent), Just(Priority::Live), Just(Priority::Backlog)];
    prop_oneof![
        1 => Just(Step::Accept),
        4 => priority().prop_map(Step::Conclude),
        2 => (prop::collection::vec(priority(), 1..5), any::<bool>()).prop_map(|(all, whole)| Step::Group(all, whole)),
        4 => (0_u32..9).prop_map(Step::Lease),
        4 => (0_usize..24, any::<bool>()).prop_map(|(which, stored)| Step::Receipt(which, stored)),
        1 => Just(Step::EndLeases),
        1 => Just(Step::Retry),
        2 => (0_i64..150).prop_map(Step::Wait),
        2 => Just(Step::Crash),
    ]
}

fn accept(outbox: &mut Outbox, name: &str) -> InstanceId {
    let new = NewInstance {
        sop_class: "1.2",
        sop_instance: name,
        digest: [0; 32],
        file: "f",
        source: "S",
        received_ms: 0,
        receive_ms: 0.0,
        traceparent: None,
    };
    let Accepted::New(instance) = outbox.accept(&new).unwrap() else { panic!("seen before") };
    instance
}

fn write(outbox: &mut Outbox, model: &mut Model, priority: Priority) {
    model.written += 1;
    let number = model.written;
    let instance = accept(outbox, &number.to_string());
    let id = MessageId(Uuid::from_u128(number));
    let message =
        NewMessage { id, kind: Up::Result, priority, created_ms: model.now_ms, traceparent: None, payload: b"p" };
    outbox.conclude(instance, id, &[message]).unwrap();
    model.waiting.insert(number, priority);
    model.written_ms.insert(number, model.now_ms);
}

fn group(device: &mut Device, model: &mut Model, all: Vec<Priority>, whole: bool) {
    let before = model.clone();
    device.outbox.begin_group().unwrap();
    all.into_iter().for_each(|priority| write(&mut device.outbox, model, priority));
    if whole {
        device.outbox.commit_group().unwrap();
    } else {
        *model = before;
        device.crash();
    }
}

fn lease(outbox: &mut Outbox, model: &mut Model, limit: u32) {
    let taken = outbox.lease(limit, model.now_ms, LEASE_MS).unwrap();
    let taken: Vec<u128> = taken.iter().map(|leased| leased.id.0.as_u128()).collect();
    assert_eq!(taken, model.lease(limit), "what is handed out, and its order");
}

fn receipt(outbox: &mut Outbox, model: &mut Model, which: usize, stored: bool) {
    let number = which as u128 + 1;
    let known = model.waiting.remove(&number).or_else(|| model.rejected.remove(&number));
    let status = if stored { ReceiptStatus::Stored } else { ReceiptStatus::Rejected { reason: "no".to_owned() } };
    let expected = match (known, stored) {
        (None, _) => Settlement::Unknown,
        (Some(_), true) => {
            model.receipted += 1;
            Settlement::Deleted
        }
        (Some(priority), false) => {
            model.rejected.insert(number, priority);
            Settlement::Kept
        }
    };
    model.leased_until.remove(&number);
    assert_eq!(outbox.settle(MessageId(Uuid::from_u128(number)), &status).unwrap(), expected);
}

fn act(device: &mut Device, model: &mut Model, step: Step) {
    match step {
        Step::Accept => {
            model.accepted += 1;
            accept(&mut device.outbox, &format!("unread {}", model.accepted));
        }
        Step::Conclude(priority) => write(&mut device.outbox, model, priority),
        Step::Group(all, whole) => group(device, model, all, whole),
        Step::Lease(limit) => lease(&mut device.outbox, model, limit),
        Step::Receipt(which, stored) => receipt(&mut device.outbox, model, which, stored),
        Step::EndLeases => {
            device.outbox.end_leases().unwrap();
            model.leased_until.clear();
        }
        Step::Retry => {
            assert_eq!(device.outbox.retry_rejected().unwrap(), model.rejected.len());
            model.waiting.append(&mut model.rejected);
        }
        Step::Wait(ms) => model.now_ms += ms,
        Step::Crash => device.crash(),
    }
}

/// Does it all; what waits, what was refused and where each image stands is compared after every step.
fn compare(steps: Vec<Step>) {
    let (mut device, mut model) = (Device::new(), Model::default());
    for step in steps {
        let what = format!("{step:?}");
        act(&mut device, &mut model, step);
        let depth = device.outbox.depth().unwrap();
        let expected = (model.waiting.len() as u64, model.rejected.len() as u64);
        assert_eq!((depth.waiting, depth.rejected), expected, "after {what}");
        assert_eq!(device.outbox.journal_counts().unwrap(), model.counts(), "after {what}");
        let really = model.waiting.keys().map(|number| model.written_ms[number]).min();
        assert_eq!(depth.oldest_ms, really, "after {what}");
    }
    // At the end everything that waits can be had, nothing else, and in its order.
    device.outbox.end_leases().unwrap();
    model.leased_until.clear();
    lease(&mut device.outbox, &mut model, 1_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn the_file_says_what_the_model_says(steps in prop::collection::vec(step(), 1..STEPS)) {
        compare(steps);
    }

    /// Written first, so that leases, receipts and power cuts meet a queue that is not empty.
    #[test]
    fn a_full_queue_says_what_the_model_says(
        first in prop::collection::vec(prop_oneof![Just(Priority::Urgent), Just(Priority::Live), Just(Priority::Backlog)], 4..12),
        steps in prop::collection::vec(step(), 1..STEPS),
    ) {
        compare(std::iter::once(Step::Group(first, true)).chain(steps).collect());
    }
}
