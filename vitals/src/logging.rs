//! One log stream: fields for journald where systemd listens, JSON for collectors, text for people. It never carries patient
//! data; what is logged is the caller's choice of fields, and the callers' rule is ids of this product only.

#[cfg(feature = "systemd")]
mod journal;

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt as format, reload};

use crate::config::Mistakes;

/// The `[log]` table of a configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// Least severe level shown: `error`, `warn`, `info`, `debug`, `trace`, or a `tracing` filter directive.
    pub level: String,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// journald's own protocol where systemd connected standard error to it, else JSON.
    #[default]
    Auto,
    /// One JSON object a line, on standard error.
    Json,
    /// For a terminal, on standard error.
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: "info".to_owned() }
    }
}

impl LogConfig {
    /// What cannot work in `[log]`.
    pub fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.require(
            filter(&self.level).is_ok(),
            "level",
            "use \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        );
    }
}

/// A filter that cannot be used, or a second initialisation.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is no filter.
    #[error("[log] level = \"{level}\" is not understood; use error, warn, info, debug or trace")]
    Level {
        /// As configured.
        level: String,
    },
    /// Somebody else writes the log already.
    #[error("the log was started twice in one process")]
    Started,
    /// There is no log to change.
    #[error("the log's level cannot be changed; restart the service")]
    Ended,
}

/// Changes the level while the log runs. Clones change the same log.
#[derive(Clone)]
pub struct LogLevel(Arc<reload::Handle<EnvFilter, Registry>>);

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel")
    }
}

impl LogLevel {
    /// Shows this level from now on.
    ///
    /// # Errors
    /// [`LoggingError`]; the level stays as it was.
    pub fn set(&self, level: &str) -> Result<(), LoggingError> {
        self.0.reload(filter(level)?).map_err(|_| LoggingError::Ended)
    }
}

/// Starts the log of this process.
///
/// # Errors
/// [`LoggingError`]; nothing is logged then.
pub fn init(config: &LogConfig) -> Result<LogLevel, LoggingError> {
    let (filter, handle) = reload::Layer::new(filter(&config.level)?);
    let registry = tracing_subscriber::registry().with(filter).with(writer(config.format));
    registry.try_init().map_err(|_| LoggingError::Started)?;
    Ok(LogLevel(Arc::new(handle)))
}

/// What the filter lets through is written by.
type Writer = Box<dyn Layer<Layered<reload::Layer<EnvFilter, Registry>, Registry>> + Send + Sync>;

fn writer(format: LogFormat) -> Writer {
    #[cfg(feature = "systemd")]
    if format == LogFormat::Auto && journal::is_listening() {
        return Box::new(journal::Journal::native());
    }
    let lines = format::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => Box::new(lines),
        LogFormat::Auto | LogFormat::Json => {
            Box::new(lines.json().flatten_event(true).with_current_span(true).with_span_list(false))
        }
    }
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    // ONNX Runtime tells its whole start at info.
    let directives = format!("{level},ort=warn");
    EnvFilter::builder().parse(directives).map_err(|_| LoggingError::Level { level: level.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_changes_while_the_log_runs() {
        let (layer, handle) = reload::Layer::new(filter("warn").unwrap());
        let level = LogLevel(Arc::new(handle));
        let shows_info = || tracing::enabled!(tracing::Level::INFO);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            assert!(!shows_info());
            level.set("info").unwrap();
            assert!(shows_info());
            // A level that is none changes nothing.
            assert!(matches!(level.set("chatty=loud"), Err(LoggingError::Level { .. })));
            assert!(shows_info());
        });
    }
}
