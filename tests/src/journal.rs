//! A look into a device's journal and outbox from outside: with the key that the sync-agent is given and the library that the
//! programs write it with (Debian's sqlcipher reads an older format), and with none of their own rooms. It only reads.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::patience;

/// The file with the key, beside the folder that the programs share.
pub(crate) const KEY: &str = "database.key";

/// A writer holds the file for milliseconds; this is far over that.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// One acknowledged image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Its place in the order of acknowledgement.
    pub id: i64,
    /// SOP Instance UID.
    pub sop_instance: String,
    /// SHA-256 of the dataset as received, hexadecimal.
    pub digest: String,
    /// `accepted`, `concluded` or `receipted`.
    pub state: String,
    /// The result message's id, hexadecimal, once concluded.
    pub result: Option<String>,
}

/// What waits in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Waiting {
    /// Not yet receipted.
    pub waiting: u64,
    /// Refused by the gateway for good.
    pub rejected: u64,
}

impl Entry {
    /// What the gateway calls the result of this image, once there is one: UUIDv5 of the device's name in the message's.
    ///
    /// # Errors
    /// Where the journal holds something else than an id.
    pub fn result_id(&self, device: &str) -> anyhow::Result<Option<String>> {
        let Some(message) = &self.result else { return Ok(None) };
        let message = Uuid::try_parse(message).context("the journal names a result that is no UUID")?;
        Ok(Some(Uuid::new_v5(&message, device.as_bytes()).to_string()))
    }
}

/// Every acknowledged image, oldest first; none where the device has not started yet.
///
/// # Errors
/// Where the file can't be read.
pub fn entries(outbox: &Path) -> anyhow::Result<Vec<Entry>> {
    let sql = "SELECT id, sop_instance, lower(hex(digest)) AS digest, state, lower(hex(result)) AS result \
               FROM instance ORDER BY id";
    let mut entries: Vec<Entry> = ask(outbox, sql)?;
    // hex(NULL) is an empty text in SQLite.
    entries.iter_mut().for_each(|entry| entry.result = entry.result.take().filter(|id| !id.is_empty()));
    Ok(entries)
}

/// What waits in the outbox; nothing where the device has not started yet.
///
/// # Errors
/// Where the file can't be read.
pub fn waiting(outbox: &Path) -> anyhow::Result<Waiting> {
    let sql = "SELECT (SELECT count(*) FROM message) AS waiting, (SELECT count(*) FROM rejected) AS rejected";
    Ok(ask(outbox, sql)?.pop().unwrap_or_default())
}

/// One object for one of the hospital's systems.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    /// The destination's name.
    pub destination: String,
    /// What kind of object.
    pub object: String,
    /// SOP Instance UID, where it has one.
    pub sop_instance: Option<String>,
    /// Where it stands.
    pub state: String,
    /// Why it waits or failed.
    pub reason: Option<String>,
}

/// Every delivery, oldest first; none where the device has not started yet.
///
/// # Errors
/// Where the file can't be read.
pub fn deliveries(outbox: &Path) -> anyhow::Result<Vec<Delivery>> {
    ask(outbox, "SELECT destination, object, sop_instance, state, reason FROM delivery ORDER BY id")
}

/// Waits until there are so many deliveries, all in that state, for as long as some films take to be read, sent, stored and
/// committed to; the longest pause after one failure is within it.
///
/// # Errors
/// Where they are not by then; all are told.
pub fn settled(outbox: &Path, count: usize, state: &str) -> anyhow::Result<Vec<Delivery>> {
    let what = format!("{count} deliveries to be {state}");
    let settled = patience::until(&what, patience::BATCH, || {
        let deliveries = deliveries(outbox)?;
        let done = deliveries.len() == count && deliveries.iter().all(|one| one.state == state);
        Ok(done.then_some(deliveries))
    });
    settled.with_context(|| format!("{:#?}", deliveries(outbox).unwrap_or_default()))
}

/// Every page of the database as it would be without the encryption, for a search that must find something.
///
/// # Errors
/// Where the file can't be read.
pub fn plain(outbox: &Path) -> anyhow::Result<Vec<u8>> {
    let copy = outbox.with_extension("plain");
    let connection = open(outbox, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.execute("ATTACH DATABASE ?1 AS plain KEY ''", [copy.to_string_lossy()])?;
    connection.query_row("SELECT sqlcipher_export('plain')", [], |_| Ok(()))?;
    connection.execute_batch("DETACH DATABASE plain")?;
    let bytes = std::fs::read(&copy).context("the plain copy cannot be read")?;
    std::fs::remove_file(&copy).context("the plain copy cannot be removed")?;
    Ok(bytes)
}

fn ask<T: for<'a> Deserialize<'a>>(outbox: &Path, sql: &str) -> anyhow::Result<Vec<T>> {
    if !outbox.exists() {
        return Ok(Vec::new());
    }
    let rows = rows(outbox, sql).context("the device's journal cannot be read")?;
    serde_json::from_value(Value::Array(rows)).context("the device's journal has other columns")
}

fn rows(outbox: &Path, sql: &str) -> anyhow::Result<Vec<Value>> {
    let connection = open(outbox, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (index, name) in names.iter().enumerate() {
            object.insert(name.clone(), json(row.get_ref(index)?)?);
        }
        found.push(Value::Object(object));
    }
    Ok(found)
}

fn open(outbox: &Path, how: OpenFlags) -> anyhow::Result<Connection> {
    let folder = outbox.parent().and_then(Path::parent).context("it lies in no device's folder")?;
    let key = std::fs::read_to_string(folder.join(KEY)).context("its key cannot be read")?;
    let connection = Connection::open_with_flags(outbox, how)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "key", format!("x'{}'", key.trim()))?;
    Ok(connection)
}

fn json(value: ValueRef<'_>) -> anyhow::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => std::str::from_utf8(text)?.into(),
        ValueRef::Blob(bytes) => hex::encode(bytes).into(),
    })
}
