//! Orthanc as a careful administrator sets it up: storage synced before the answer, the built-in SQLite index.

use std::path::Path;

use anyhow::Context;
use lab::process::{self, Process};
use lab::{api, place, ports};
use serde_json::{Value, json};

use super::Receiver;
use crate::shell;

/// Starts it.
pub(super) fn start(folder: &Path) -> anyhow::Result<Receiver> {
    let (port, http) = (ports::free()?, ports::free()?);
    // What is not here is Orthanc's own default.
    let configuration = json!({
        "Name": "bench",
        "StorageDirectory": folder.join("storage"),
        "IndexDirectory": folder.join("index"),
        "SyncStorageArea": true,
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": false,
        "DicomAlwaysAllowStore": true,
        "HttpPort": http,
        "RemoteAccessAllowed": false,
        "AuthenticationEnabled": false,
        "Plugins": [],
    });
    let file = folder.join("orthanc.json");
    place::write(&file, configuration.to_string())?;
    let program = shell::find("Orthanc").context("Orthanc is not installed; run `cargo xtask setup`")?;
    let mut command = process::command(&program);
    command.arg(&file);
    let mut process = Process::start("Orthanc", command, &folder.join("orthanc.log"))?;
    super::wait_until_it_echoes(&mut process, port)?;
    Ok(Receiver { port, process, kept: Box::new(move || instances(http)), results: None })
}

fn instances(http: u16) -> anyhow::Result<usize> {
    let (_, text) = api::text(&format!("http://127.0.0.1:{http}/statistics"))?;
    let statistics: Value = serde_json::from_str(&text).context("Orthanc's statistics are no JSON")?;
    let count = statistics.get("CountInstances").and_then(Value::as_u64);
    let count = count.with_context(|| format!("Orthanc does not say how many images it has: {text}"))?;
    Ok(usize::try_from(count)?)
}
