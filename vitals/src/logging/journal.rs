//! Log lines as entries of systemd's journal: each field of ours is a field there (`journalctl HILUM_TRACE=…`), and so are
//! those of the spans around it. It decides nothing about what is logged.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::os::linux::fs::MetadataExt;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

/// What every field of ours begins with, so that none is taken for one of the journal's own.
const PREFIX: &str = "HILUM_";

/// Writes entries: `NAME=value` each.
pub(super) struct Journal {
    send: fn(&[&str]),
}

/// True where systemd connected standard error to the journal: `JOURNAL_STREAM` names that very stream by its device and
/// inode (`systemd.exec(5)`).
pub(super) fn is_listening() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = std::fs::metadata("/proc/self/fd/2");
    stderr.is_ok_and(|file| stream == format!("{}:{}", file.st_dev(), file.st_ino()))
}

impl Journal {
    pub(super) fn native() -> Self {
        // A journal that does not take an entry has nobody to be told of it.
        Self { send: |fields| drop(systemd::journal::send(fields)) }
    }
}

/// The fields of an event or a span by their names in the journal.
#[derive(Clone, Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(name(field.name()), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{value:?}");
        self.0.insert(name(field.name()), text);
    }
}

/// Upper-case letters, digits and underscores, as `systemd.journal-fields(7)` asks.
fn name(field: &str) -> String {
    if field == "message" {
        return "MESSAGE".to_owned();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(field.chars().map(plain)).collect()
}

/// syslog's numbers, RFC 5424 6.2.1.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Journal {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut entry = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                entry.0.extend(fields.0.clone());
            }
        }
        event.record(&mut entry);
        let about = event.metadata();
        entry.0.insert("PRIORITY".to_owned(), priority(*about.level()).to_owned());
        entry.0.insert(name("target"), about.target().to_owned());
        let lines: Vec<String> = entry.0.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        (self.send)(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    static SENT: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn fields_are_fields_and_those_of_the_span_come_along() {
        let send = |fields: &[&str]| SENT.lock().unwrap().extend(fields.iter().map(|field| (*field).to_owned()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Journal { send }), || {
            let _span = tracing::info_span!("association", trace = "00-ab", peer = %"10.1.2.3").entered();
            tracing::warn!(total_ms = 12.5, outcome = "read", "image concluded");
        });
        assert_eq!(
            *SENT.lock().unwrap(),
            [
                "HILUM_OUTCOME=read",
                "HILUM_PEER=10.1.2.3",
                "HILUM_TARGET=vitals::logging::journal::tests",
                "HILUM_TOTAL_MS=12.5",
                "HILUM_TRACE=00-ab",
                "MESSAGE=image concluded",
                "PRIORITY=4",
            ]
        );
    }
}
