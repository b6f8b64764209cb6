//! The last lines of the log, each reduced to fields that are ours and cannot hold anything of a patient. A line of anybody
//! else's, such as a library's, is left out whole.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

/// Fields that are figures or words of our own tables, whatever happened.
const FIELDS: [&str; 26] = [
    "timestamp",
    "level",
    "outcome",
    "detail",
    "status",
    "end",
    "part",
    "reason_code",
    "receive_ms",
    "decode_ms",
    "queue_ms",
    "transfer_ms",
    "infer_ms",
    "total_ms",
    "attempts",
    "unread",
    "missing",
    "files",
    "images",
    "contexts",
    "grace_s",
    "unfinished_removed",
    "unacknowledged_removed",
    "trace",
    "line",
    "port",
];

/// Whose lines are ours.
const TARGETS: [&str; 4] = ["appliance", "hilum_appliance", "reader", "vitals"];

/// What [`crate`]'s fields are called in systemd's journal.
const PREFIX: &str = "HILUM_";

/// From a file of JSON lines, or from systemd's journal.
pub(super) fn lines(file: Option<&Path>, most: u32) -> String {
    let text = match file {
        Some(file) => std::fs::read_to_string(file).unwrap_or_default(),
        None => journal(most),
    };
    let all: Vec<&str> = text.lines().collect();
    let last = &all[all.len().saturating_sub(most as usize)..];
    last.iter().filter_map(|line| told(line)).map(|line| format!("{line}\n")).collect()
}

fn journal(most: u32) -> String {
    let mut journalctl = Command::new("journalctl");
    journalctl.args(["--unit", "hilum-appliance", "--output", "json", "--no-pager", "--lines", &most.to_string()]);
    journalctl.output().map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default()
}

/// What may be told of a line; nothing of one that is not ours.
fn told(line: &str) -> Option<Value> {
    let entry = flat(serde_json::from_str(line).ok()?);
    let target = entry.get("target")?.as_str()?;
    TARGETS.iter().find(|ours| target.split("::").next() == Some(ours))?;
    let mut told = Map::new();
    told.insert(
        "target".to_owned(),
        Value::String(target.chars().filter(|c| c.is_ascii_lowercase() || "_:".contains(*c)).collect()),
    );
    if let Some(message) = entry.get("message").and_then(Value::as_str).filter(|message| is_ours(message)) {
        told.insert("message".to_owned(), message.into());
    }
    for field in FIELDS {
        let value = entry.get(field).filter(|value| match value {
            Value::Number(_) | Value::Bool(_) => true,
            Value::String(text) => is_figure_or_code(text),
            _ => false,
        });
        told.extend(value.map(|value| (field.to_owned(), value.clone())));
    }
    Some(Value::Object(told))
}

/// A line of the journal as the service would have written it to a file: either its message is such a line, or each of our
/// fields is a field there.
fn flat(entry: Map<String, Value>) -> Map<String, Value> {
    let Some(message) = entry.get("MESSAGE").and_then(Value::as_str) else { return entry };
    if let Ok(Value::Object(line)) = serde_json::from_str(message) {
        return line;
    }
    let ours =
        entry.iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_lowercase(), value.clone())));
    let mut line: Map<String, Value> = ours.collect();
    line.insert("message".to_owned(), message.into());
    for (name, known) in [("PRIORITY", "level"), ("__REALTIME_TIMESTAMP", "timestamp")] {
        line.extend(entry.get(name).map(|value| (known.to_owned(), value.clone())));
    }
    line
}

/// Our messages are constants in small letters. One with anything else in it was put together from something.
fn is_ours(message: &str) -> bool {
    message.chars().all(|c| c.is_ascii_lowercase() || " ,;:.'()/-".contains(c))
}

/// A code of a table, a time, a number or a trace's id: no spaces, no carets, no capital letters but a time's.
fn is_figure_or_code(text: &str) -> bool {
    let code = |c: char| c.is_ascii_lowercase() || c == '_';
    let time = |c: char| c.is_ascii_digit() || "-:.TZ+".contains(c);
    let level = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&text);
    let trace = text.len() == 55 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let is_time = text.len() >= 20 && text.contains('T') && text.chars().all(time);
    level || trace || is_time || (text.len() <= 40 && text.chars().all(code)) || is_short_number(text)
}

/// A figure, and no identifier: those are longer or have several dots.
fn is_short_number(text: &str) -> bool {
    text.len() <= 16 && text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_figures_are_told_and_everything_else_is_left_out() {
        let line = r#"{"timestamp":"2026-11-21T14:00:00.123Z","level":"INFO","message":"image concluded","source":"XR-ROOM-1","outcome":"read","total_ms":12.5,"target":"appliance::pipeline::one","patient":"DOE^JANE","detail":"DOE^JANE"}"#;
        let told = told(line).unwrap().to_string();
        assert!(told.contains("image concluded") && told.contains("12.5") && told.contains("2026-11-21T14"), "{told}");
        assert!(!told.contains("DOE") && !told.contains("XR-ROOM"), "{told}");
    }

    #[test]
    fn the_journals_entries_are_read_as_well() {
        let line = r#"{"MESSAGE":"image concluded","PRIORITY":"6","HILUM_TARGET":"appliance::pipeline","HILUM_TOTAL_MS":"12.5","HILUM_SOURCE":"XR-1","_HOSTNAME":"box"}"#;
        assert_eq!(
            told(line).unwrap(),
            serde_json::json!({"message": "image concluded", "target": "appliance::pipeline", "total_ms": "12.5", "level": "6"})
        );
    }

    #[test]
    fn lines_of_others_and_messages_put_together_are_withheld() {
        assert_eq!(told(r#"{"target":"dicom_ul::pdu","message":"patient doe"}"#), None);
        assert_eq!(told("DOE^JANE"), None);
        let put_together = told(r#"{"target":"appliance","message":"read 1.2.840.1 of DOE^JANE"}"#).unwrap();
        assert_eq!(put_together, serde_json::json!({"target": "appliance"}));
    }
}
