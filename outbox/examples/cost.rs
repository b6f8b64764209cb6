//! What the outbox costs, measured from inside: `cargo xtask bench outbox` builds this, runs it and makes a table of its lines.
//! Each line is `WHAT CASE MILLISECONDS`; a round's figures stand together.
//!
//! ```text
//! cost depth  FOLDER ROUNDS            append and lease with 0, 10,000, 100,000 and 1,000,000 rows
//! cost group  FOLDER ROUNDS            a group commit beside bare loops of the same batch
//! cost fill   DATABASE COUNT           puts so many results of the lowest priority into an outbox
//! cost urgent DATABASE SAMPLES CASE    an urgent result's time from its commit to its receipt, while somebody drains
//! ```

#![allow(clippy::print_stdout, reason = "its lines are its answer")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use outbox::{Accepted, DatabaseKey, NewInstance, NewMessage, Outbox, Priority};
use rusqlite::Connection;
use uuid::Uuid;
use wire::codec;
use wire::ids::{MessageId, Pseudonym};
use wire::topics::Up;
use wire::v1::ReceiptStatus;
use wire::v1::result::{FactsV1, OutcomeV1, ReasonV1, ResultV1, StagesV1};

type Failed = Box<dyn std::error::Error>;

const DEPTHS: [u128; 4] = [0, 10_000, 100_000, 1_000_000];

/// Messages in a commit and in a lease: the sync-agent's window.
const BATCH: u32 = 32;

/// Batches in one figure, whose median it is.
const BATCHES: usize = 9;

/// Rows in a commit while an outbox is filled; not measured.
const FILL: u128 = 5_000;

/// Commits after which each log has been round once, and is written over from there on instead of growing, which has the file
/// system find room for it: a device's is, after its first hundred images. Some 15 pages of the log's 4,096 are written by a commit.
const ONCE_ROUND: usize = 400;

/// Far longer than any receipt takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["depth", folder, rounds] => rounds.parse().map_err(Into::into).and_then(|n| depth(Path::new(folder), n)),
        ["group", folder, rounds] => rounds.parse().map_err(Into::into).and_then(|n| group(Path::new(folder), n)),
        ["fill", database, count] => count.parse().map_err(Into::into).and_then(|n| fill(Path::new(database), n)),
        ["urgent", database, samples, case] => {
            samples.parse().map_err(Into::into).and_then(|n| urgent(Path::new(database), n, case))
        }
        _ => Err("see the first lines of outbox/examples/cost.rs".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cost: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A result as small as they come: nothing but the rows shall count.
fn payload(received_at_ms: i64) -> Result<Vec<u8>, Failed> {
    let reason = ReasonV1 { code: "not_a_chest".into(), words: "The header says HIP.".into() };
    let result = ResultV1 {
        site: "bench".into(),
        study: Pseudonym("s".repeat(26)),
        instance: Pseudonym("i".repeat(26)),
        patient: Pseudonym("p".repeat(26)),
        received_at_ms,
        facts: FactsV1::default(),
        outcome: OutcomeV1::Abstained { reason },
        caveats: Vec::new(),
        stages: StagesV1::default(),
        appliance_version: "0.1.0".into(),
        supersedes: None,
    };
    Ok(codec::encode(&result)?)
}

fn message(id: Uuid, priority: Priority, payload: &[u8]) -> NewMessage<'_> {
    NewMessage { id: MessageId(id), kind: Up::Result, priority, created_ms: 0, traceparent: None, payload }
}

/// With the key that lies beside a lab device's folder; a database of our own has one of no consequence.
fn open(database: &Path) -> Result<Outbox, Failed> {
    let key = database.parent().and_then(Path::parent).map(|device| device.join("database.key"));
    let key = match key.filter(|key| key.is_file()) {
        Some(key) => DatabaseKey::load(None, Some(&key))?,
        None => [1; 32].into(),
    };
    Ok(Outbox::open(database, &key)?)
}

/// Posts these numbers in one commit.
fn post(outbox: &mut Outbox, numbers: std::ops::Range<u128>, priority: Priority, payload: &[u8]) -> Result<(), Failed> {
    outbox.begin_group()?;
    for number in numbers {
        outbox.post(&message(Uuid::from_u128(number), priority, payload))?;
    }
    Ok(outbox.commit_group()?)
}

fn depth(folder: &Path, rounds: usize) -> Result<(), Failed> {
    let payload = payload(0)?;
    let mut outboxes = Vec::new();
    for depth in DEPTHS {
        let mut outbox = open(&folder.join(format!("depth-{depth}.sqlite")))?;
        for first in (0..depth).step_by(FILL as usize) {
            post(&mut outbox, first..depth.min(first + FILL), Priority::Live, &payload)?;
        }
        let mut next = depth;
        for _ in 0..ONCE_ROUND {
            pass(&mut outbox, &mut next, &payload)?;
        }
        outboxes.push((depth, next, outbox));
    }
    // What a million rows left for the kernel to write would slow whoever comes first.
    std::process::Command::new("sync").status()?;
    for _ in 0..rounds {
        outboxes.rotate_left(1);
        for (depth, next, outbox) in &mut outboxes {
            let (mut appends, mut leases) = (Vec::new(), Vec::new());
            for _ in 0..BATCHES {
                let (append, lease) = pass(outbox, next, &payload)?;
                appends.push(append);
                leases.push(lease);
            }
            println!("append {depth} {:.4}", median(appends));
            println!("lease {depth} {:.4}", median(leases));
        }
    }
    Ok(())
}

/// A batch is written, leased and settled: the milliseconds of the first two.
fn pass(outbox: &mut Outbox, next: &mut u128, payload: &[u8]) -> Result<(f64, f64), Failed> {
    let numbers = *next..*next + u128::from(BATCH);
    *next = numbers.end;
    let ((), append) = timed(|| post(outbox, numbers, Priority::Live, payload))?;
    let (leased, lease) = timed(|| Ok(outbox.lease(BATCH, 0, 1_000)?))?;
    outbox.begin_group()?;
    for one in leased {
        outbox.settle(one.id, &ReceiptStatus::Stored)?;
    }
    outbox.commit_group()?;
    Ok((append, lease))
}

fn group(folder: &Path, rounds: usize) -> Result<(), Failed> {
    let payload = payload(0)?;
    let mut outbox = open(&folder.join("group.sqlite"))?;
    let bare = Bare::ALL.map(|bare| Ok::<_, Failed>((bare, bare.open(folder)?)));
    let bare = bare.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut next = 0;
    for round in 0..=rounds {
        let mut times = vec![Vec::new(); 1 + bare.len()];
        for _ in 0..if round == 0 { ONCE_ROUND } else { BATCHES } {
            let numbers = next..next + u128::from(BATCH);
            next = numbers.end;
            times[0].push(timed(|| post(&mut outbox, numbers.clone(), Priority::Live, &payload))?.1);
            for (times, (kind, connection)) in times[1..].iter_mut().zip(&bare) {
                times.push(timed(|| kind.insert(connection, numbers.clone(), &payload))?.1);
            }
        }
        if round > 0 {
            let names = std::iter::once("outbox").chain(Bare::ALL.map(Bare::name));
            names.zip(times).for_each(|(name, times)| println!("group {name} {:.4}", median(times)));
        }
    }
    Ok(())
}

/// A loop that makes the same promise to the disk as the outbox and no other, in a table of its own file.
#[derive(Clone, Copy)]
enum Bare {
    /// The same messages under the same cipher, each with its identity, once.
    Messages,
    /// Nothing but the payloads, under the same cipher.
    Payloads,
    /// The payloads as they are.
    Plain,
}

impl Bare {
    const ALL: [Self; 3] = [Self::Messages, Self::Payloads, Self::Plain];

    fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Payloads => "payloads",
            Self::Plain => "plain",
        }
    }

    fn open(self, folder: &Path) -> Result<Connection, Failed> {
        let bare = Connection::open(folder.join(self.name()))?;
        if !matches!(self, Self::Plain) {
            bare.pragma_update(None, "key", format!("x'{}'", "01".repeat(32)))?;
        }
        bare.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        bare.execute_batch(match self {
            Self::Messages => {
                "PRAGMA synchronous = FULL; CREATE TABLE row (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
                 kind TEXT NOT NULL, priority INTEGER NOT NULL, created_ms INTEGER NOT NULL, payload BLOB NOT NULL)"
            }
            Self::Payloads | Self::Plain => {
                "PRAGMA synchronous = FULL; CREATE TABLE row (number INTEGER PRIMARY KEY, payload BLOB NOT NULL)"
            }
        })?;
        Ok(bare)
    }

    fn insert(self, bare: &Connection, numbers: std::ops::Range<u128>, payload: &[u8]) -> Result<(), Failed> {
        bare.execute_batch("BEGIN IMMEDIATE")?;
        for number in numbers {
            match self {
                Self::Messages => bare
                    .prepare_cached(
                        "INSERT INTO row (id, kind, priority, created_ms, payload) VALUES (?1, 'result', 1, 0, ?2)",
                    )?
                    .execute((Uuid::from_u128(number).as_bytes(), payload))?,
                Self::Payloads | Self::Plain => {
                    bare.prepare_cached("INSERT INTO row (payload) VALUES (?1)")?.execute([payload])?
                }
            };
        }
        Ok(bare.execute_batch("COMMIT")?)
    }
}

fn fill(database: &Path, count: u128) -> Result<(), Failed> {
    let (payload, mut outbox) = (payload(0)?, open(database)?);
    for first in (0..count).step_by(FILL as usize) {
        // A prefix of its own, so that no urgent one has the same id.
        let numbered = |number: u128| (1 << 100) + number;
        post(&mut outbox, numbered(first)..numbered(count.min(first + FILL)), Priority::Backlog, &payload)?;
    }
    Ok(())
}

fn urgent(database: &Path, samples: u64, case: &str) -> Result<(), Failed> {
    let mut outbox = open(database)?;
    let payload = payload(0)?;
    let before = outbox.journal_counts()?.receipted;
    for sample in 0..samples {
        let sop_instance = format!("1.2.{case}.{sample}");
        let new = NewInstance {
            sop_class: "1.2",
            sop_instance: &sop_instance,
            digest: [0; 32],
            file: "none",
            source: "BENCH",
            received_ms: 0,
            receive_ms: 0.0,
            traceparent: None,
        };
        let Accepted::New(instance) = outbox.accept(&new)? else { return Err("use another case".into()) };
        let id = Uuid::from_u128((u128::from(before) << 32) + u128::from(sample) + 1);
        let began = Instant::now();
        outbox.conclude(instance, MessageId(id), &[message(id, Priority::Urgent, &payload)])?;
        while outbox.journal_counts()?.receipted <= before + sample {
            if began.elapsed() > PATIENCE {
                return Err(format!("no receipt within {PATIENCE:?}").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("urgent {case} {:.3}", began.elapsed().as_secs_f64() * 1e3);
    }
    println!("left {case} {}", outbox.depth()?.waiting);
    Ok(())
}

/// What `work` gave, and its milliseconds.
fn timed<T>(work: impl FnOnce() -> Result<T, Failed>) -> Result<(T, f64), Failed> {
    let began = Instant::now();
    let done = work()?;
    Ok((done, began.elapsed().as_secs_f64() * 1e3))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
