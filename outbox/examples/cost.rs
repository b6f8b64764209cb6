//! What the outbox costs, measured from inside: `cargo xtask bench outbox` builds this, runs it and makes a table of its lines.
//! Each line is `WHAT CASE MILLISECONDS`; a round's figures stand together.
//!
//! ```text
//! cost depth  FOLDER ROUNDS            append and lease with 0, 10,000, 100,000 and 1,000,000 rows
//! cost group  FOLDER ROUNDS            a group commit beside bare loops of the same batch, sealed and plain
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
        outboxes.push((depth, depth, outbox));
    }
    for round in 0..rounds {
        outboxes.rotate_left(1);
        for (depth, next, outbox) in &mut outboxes {
            let (mut appends, mut leases) = (Vec::new(), Vec::new());
            for _ in 0..BATCHES {
                let numbers = *next..*next + u128::from(BATCH);
                *next = numbers.end;
                appends.push(timed(|| post(outbox, numbers, Priority::Live, &payload))?.1);
                let (leased, time) = timed(|| Ok(outbox.lease(BATCH, 0, 1_000)?))?;
                leases.push(time);
                outbox.begin_group()?;
                for one in leased {
                    outbox.settle(one.id, &ReceiptStatus::Stored)?;
                }
                outbox.commit_group()?;
            }
            // The first round fills caches.
            if round > 0 {
                println!("append {depth} {:.4}", median(appends));
                println!("lease {depth} {:.4}", median(leases));
            }
        }
    }
    Ok(())
}

fn group(folder: &Path, rounds: usize) -> Result<(), Failed> {
    let payload = payload(0)?;
    let mut outbox = open(&folder.join("group.sqlite"))?;
    let sealed = bare(&folder.join("sealed.sqlite"), true)?;
    let plain = bare(&folder.join("plain.sqlite"), false)?;
    let mut next = 0;
    for round in 0..rounds {
        let (mut ours, mut as_ours, mut in_plain) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..BATCHES {
            let numbers = next..next + u128::from(BATCH);
            next = numbers.end;
            ours.push(timed(|| post(&mut outbox, numbers, Priority::Live, &payload))?.1);
            as_ours.push(timed(|| insert(&sealed, &payload))?.1);
            in_plain.push(timed(|| insert(&plain, &payload))?.1);
        }
        if round > 0 {
            println!("group outbox {:.4}\ngroup sealed {:.4}", median(ours), median(as_ours));
            println!("group plain {:.4}", median(in_plain));
        }
    }
    Ok(())
}

/// The same promise to the disk as the outbox's, `sealed` by the same SQLCipher, and one table with nothing but the payloads.
fn bare(file: &Path, sealed: bool) -> Result<Connection, Failed> {
    let bare = Connection::open(file)?;
    if sealed {
        bare.pragma_update(None, "key", format!("x'{}'", "01".repeat(32)))?;
    }
    bare.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    bare.execute_batch("PRAGMA synchronous = FULL; CREATE TABLE row (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)")?;
    Ok(bare)
}

fn insert(bare: &Connection, payload: &[u8]) -> Result<(), Failed> {
    bare.execute_batch("BEGIN IMMEDIATE")?;
    for _ in 0..BATCH {
        bare.prepare_cached("INSERT INTO row (payload) VALUES (?1)")?.execute([payload])?;
    }
    Ok(bare.execute_batch("COMMIT")?)
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
