//! The configuration without its texts: numbers and switches are told, and texts of a few keys that hold one of our own words.

use toml::{Table, Value};

/// Keys whose text is one of a list in this product's documentation.
const TOLD: [&str; 4] = ["format", "level", "provider", "kind"];

/// As TOML; a file that is none gives a sentence.
pub(super) fn redacted(text: &str) -> String {
    match text.parse::<Table>() {
        Ok(table) => {
            table.into_iter().map(|(key, value)| (told(&key), redact(&key, value))).collect::<Table>().to_string()
        }
        Err(_) => "# the configuration is no TOML; `hilum-appliance check-config` tells its mistakes\n".to_owned(),
    }
}

fn redact(key: &str, value: Value) -> Value {
    match value {
        Value::String(text) if TOLD.contains(&key) && is_word(&text) => Value::String(text),
        Value::String(text) => Value::String(format!("withheld, {} characters", text.chars().count())),
        Value::Datetime(_) => Value::String("withheld".to_owned()),
        Value::Array(list) => Value::Array(list.into_iter().map(|item| redact(key, item)).collect()),
        Value::Table(table) => {
            Value::Table(table.into_iter().map(|(key, value)| (told(&key), redact(&key, value))).collect())
        }
        figure @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_)) => figure,
    }
}

/// Keys are ours: a name that is not shaped like one was put in the wrong place.
fn told(key: &str) -> String {
    if is_word(key) { key.to_owned() } else { "withheld".to_owned() }
}

fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stay_and_texts_go() {
        let text = "[device]\nsite = \"St Mary\"\nid = \"xr-2\"\n[dicom]\nmax_associations = 7\n[[dicom.allow]]\n\
                    ae_title = \"XR-ROOM-1\"\naddress = \"10.1.2.3\"\n[log]\nlevel = \"debug\"\nformat = \"John Doe\"\n\
                    [Doe]\n\"4711\" = true\n";
        let redacted = redacted(text);
        assert!(redacted.contains("max_associations = 7") && redacted.contains("level = \"debug\""), "{redacted}");
        for secret in ["Mary", "xr-2", "XR-ROOM", "10.1", "Doe", "4711"] {
            assert!(!redacted.contains(secret), "{secret}: {redacted}");
        }
        assert!(redacted.contains("site = \"withheld, 7 characters\""), "{redacted}");
    }
}
