//! How much lies where in the state folder, in numbers.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::commands::database;
use crate::config::DeviceConfig;
use crate::privacy;

pub(super) fn counts(device: &DeviceConfig) -> Value {
    let outbox = database::open(device).ok();
    let depth = outbox.as_ref().and_then(|outbox| outbox.depth().ok());
    let images = outbox.as_ref().and_then(|outbox| outbox.journal_counts().ok());
    let tally = outbox.as_ref().and_then(|outbox| outbox.tally(0).ok());
    json!({
        "schema": outbox.as_ref().and_then(|outbox| outbox.schema_version().ok()),
        "messages": depth.map(|depth| json!({ "waiting": depth.waiting, "rejected": depth.rejected })),
        "images": images.map(|images| json!({
            "accepted": images.accepted, "concluded": images.concluded, "receipted": images.receipted,
        })),
        "outcomes": tally.map(|tally| json!({
            "read": tally.read, "positive": tally.positive, "abstained": tally.abstained, "unreadable": tally.unreadable,
        })),
        "quarantine": quarantine(&device.state_dir.join("quarantine")),
    })
}

/// How many files are kept aside for which reason; a code that is none of ours counts as unknown.
fn quarantine(folder: &Path) -> BTreeMap<&'static str, u64> {
    let mut reasons = BTreeMap::new();
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let note: Value =
            std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        *reasons.entry(privacy::code(note["code"].as_str().unwrap_or_default())).or_default() += 1;
    }
    reasons
}
