//! A look into a device's journal and outbox from outside, with Debian's sqlite3: a witness that shares no code with the
//! programs under test. It only reads.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use uuid::Uuid;

use crate::{patience, process};

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
    let sql = "SELECT count(*) FILTER (WHERE state <> 'rejected') AS waiting, \
               count(*) FILTER (WHERE state = 'rejected') AS rejected FROM message";
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

fn ask<T: for<'a> Deserialize<'a>>(outbox: &Path, sql: &str) -> anyhow::Result<Vec<T>> {
    if !outbox.exists() {
        return Ok(Vec::new());
    }
    let sqlite3 = Path::new("sqlite3");
    // A writer holds the file for milliseconds; 5 s is far over that.
    let arguments = ["-readonly", "-json", "-cmd", ".timeout 5000", &outbox.display().to_string(), sql];
    let text = process::finish(sqlite3, arguments).context("the device's journal cannot be read")?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text).context("sqlite3 answered with something else than rows")
}
