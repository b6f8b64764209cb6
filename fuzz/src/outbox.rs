//! A device's database whose rows are anything: what a release to come, a mistake of ours or a damaged disk may leave there.
//! SQLite itself is not what is tested: the file is whole, and its columns are of their declared types.

use std::cell::RefCell;
use std::path::Path;

use ::wire::v1::ReceiptStatus;
use outbox::{DatabaseKey, DeliveryEvent, DeliveryState, Outbox, OutboxError, Retry};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tempfile::TempDir;

/// Columns: `i` an integer, `t` a text, `b` a blob, `r` a real number; capital where it may be null.
const TABLES: [(&str, &str, &str); 8] = [
    (
        "instance",
        "id, sop_instance, digest, file, source, received_ms, receive_ms, traceparent, state, attempts, result, sop_class, wanted, rank",
        "itbTtirTtiBTii",
    ),
    (
        "message",
        "sequence, id, kind, priority, created_ms, traceparent, state, lease_ends_ms, attempts, place",
        "ibtiiTtIii",
    ),
    ("payload", "message, bytes", "ib"),
    ("commitment", "id, transaction_uid, scanner, called, asked, asked_ms, due_ms, attempts", "ittttiii"),
    ("report", "id, instance, payload", "iib"),
    (
        "delivery",
        "id, report, destination, object, sop_instance, priority, state, created_ms, changed_ms, due_ms, attempts, asks, transaction_uid, reason",
        "iittTitiiiiiTT",
    ),
    ("ledger", "instance, concluded_ms, study, object, patient, status, detail, total_ms, identity", "iitttttrB"),
    (
        "rejected",
        "sequence, id, kind, priority, place, created_ms, traceparent, attempts, reason, payload",
        "ibtiiiTitb",
    ),
];

/// Words that the programs themselves write into such columns.
const WORDS: [&str; 16] = [
    "pending",
    "leased",
    "rejected",
    "accepted",
    "concluded",
    "receipted",
    "waiting",
    "sent",
    "refused",
    "unconfirmed",
    "result",
    "image",
    "shadow",
    "pacs",
    "2.25.42",
    "read",
];

const KEY: [u8; 32] = [7; 32];

/// More than the rows of any input.
const ALL: u32 = 1000;

struct World {
    outbox: Outbox,
    /// As a process that keeps no rule.
    raw: Connection,
    _folder: TempDir,
}

pub(crate) fn outbox(data: &[u8]) {
    thread_local! {
        static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
    }
    WORLD.with_borrow_mut(|world| {
        let world = world.get_or_insert_with(World::new);
        world.fill(data);
        world.read();
        world.change();
        world.clear();
    });
}

/// A folder in memory, where there is one: nothing here is to survive.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder for a moment")
}

impl World {
    fn new() -> Self {
        let folder = scratch();
        let file = folder.path().join("device.db");
        let key = DatabaseKey::from(KEY);
        let outbox = Outbox::open(&file, &key).expect("a new database");
        let raw = Connection::open(&file).expect("the same file");
        raw.pragma_update(None, "key", format!("x'{}'", *key.text())).expect("its key");
        raw.execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF;")
            .expect("a connection without rules");
        Self { outbox, raw, _folder: folder }
    }

    /// Rows, one after another: which table, then each of its columns.
    fn fill(&mut self, data: &[u8]) {
        let mut rest = data;
        let unit = self.raw.transaction().expect("nobody else writes");
        while let Some((table, columns)) = rest.split_first() {
            let (name, list, types) = TABLES[usize::from(*table) % TABLES.len()];
            rest = columns;
            let values: Vec<Value> = types.bytes().map(|kind| value(kind, &mut rest)).collect();
            let places: Vec<&str> = types
                .bytes()
                .map(|kind| if kind.eq_ignore_ascii_case(&b't') { "CAST(? AS TEXT)" } else { "?" })
                .collect();
            let insert = format!("INSERT OR IGNORE INTO {name} ({list}) VALUES ({})", places.join(", "));
            unit.prepare_cached(&insert)
                .and_then(|mut insert| insert.execute(params_from_iter(values)))
                .expect("a row of the declared types");
        }
        unit.commit().expect("nobody else writes");
    }

    /// Everything that is read.
    fn read(&self) {
        let outbox = &self.outbox;
        told(outbox.waiting(i64::MIN, ALL));
        told(outbox.depth());
        told(outbox.rejected(ALL));
        told(outbox.unread(None, ALL));
        told(outbox.unread_since(0, 0, ALL));
        told(outbox.dispensable(ALL));
        told(outbox.journal_counts());
        told(outbox.holdings("2.25.42"));
        told(outbox.delivery_counts());
        told(outbox.delivery_troubles(ALL));
        told(outbox.undelivered(ALL));
        told(outbox.deliveries_asked("2.25.42"));
        told(outbox.owed_reports(i64::MAX, ALL));
        told(outbox.entries(None, ALL));
        told(outbox.tally(0));
        told(outbox.pseudonyms_like("", ALL));
    }

    /// Everything that moves a row on.
    fn change(&mut self) {
        for state in DeliveryState::ALL {
            let due = told(self.outbox.deliveries_due("pacs", state, i64::MAX, ALL)).unwrap_or_default();
            let events: Vec<_> = due.into_iter().map(|due| (due.id, DeliveryEvent::Sent)).collect();
            told(self.outbox.advance_deliveries(&events, 1));
        }
        told(self.outbox.retry_deliveries(&Retry::All, 1));
        let leased = told(self.outbox.lease(ALL, 0, 1000)).unwrap_or_default();
        for message in leased {
            let rejected = ReceiptStatus::Rejected { reason: "no".into() };
            let status = if message.attempts % 2 == 0 { ReceiptStatus::Stored } else { rejected };
            told(self.outbox.settle(message.id, &status));
        }
        told(self.outbox.end_leases());
        told(self.outbox.retry_rejected());
        for image in told(self.outbox.unread(None, ALL)).unwrap_or_default() {
            told(self.outbox.begin_reading(image.id));
        }
    }

    fn clear(&self) {
        let delete: String = TABLES.iter().map(|(name, ..)| format!("DELETE FROM {name};")).collect();
        self.raw.execute_batch(&delete).expect("nobody else writes");
        self.raw.execute_batch("UPDATE turn SET leased = 0; DELETE FROM access;").expect("nobody else writes");
    }
}

/// What was found, or a refusal that says something.
fn told<T>(result: Result<T, OutboxError>) -> Option<T> {
    result.inspect_err(|error| assert!(!error.to_string().is_empty())).ok()
}

/// The next column's value out of the bytes; 0 or nothing at their end.
fn value(kind: u8, rest: &mut &[u8]) -> Value {
    let first = byte(rest);
    if kind.is_ascii_uppercase() && first == 0 {
        return Value::Null;
    }
    match kind.to_ascii_lowercase() {
        b'i' => Value::Integer(integer(first, rest)),
        b'r' => Value::Real(f64::from_bits(integer(first, rest).cast_unsigned())),
        // A real number that is none is null to SQLite.
        b't' => Value::Blob(match WORDS.get(usize::from(first)) {
            Some(word) => word.as_bytes().to_vec(),
            None => taken(first % 32, rest).to_vec(),
        }),
        // Sixteen and thirty-two are the lengths of ids and digests.
        _ => Value::Blob(match first {
            16 | 32 => vec![byte(rest); first.into()],
            other => taken(other, rest).to_vec(),
        }),
    }
}

/// Small ones in one byte, others in eight more.
fn integer(first: u8, rest: &mut &[u8]) -> i64 {
    if first < 128 {
        return i64::from(first) - 8;
    }
    let mut bytes = [0; 8];
    let given = taken(8, rest);
    bytes[..given.len()].copy_from_slice(given);
    i64::from_le_bytes(bytes)
}

fn byte(rest: &mut &[u8]) -> u8 {
    taken(1, rest).first().copied().unwrap_or(0)
}

fn taken<'a>(count: u8, rest: &mut &'a [u8]) -> &'a [u8] {
    let (head, tail) = rest.split_at(usize::from(count).min(rest.len()));
    *rest = tail;
    head
}
