//! One log stream on stderr: JSON for journald and collectors, text for people. It never carries patient data; what is
//! logged is the caller's choice of fields, and the callers' rule is ids of this product only.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

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
    /// One JSON object a line.
    #[default]
    Json,
    /// For a terminal.
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: "info".to_owned() }
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
}

/// Starts the log of this process.
///
/// # Errors
/// [`LoggingError`]; nothing is logged then.
pub fn init(config: &LogConfig) -> Result<(), LoggingError> {
    // ONNX Runtime tells its whole start at info.
    let directives = format!("{},ort=warn", config.level);
    let filter =
        EnvFilter::builder().parse(&directives).map_err(|_| LoggingError::Level { level: config.level.clone() })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogFormat::Text => log.try_init(),
    };
    started.map_err(|_| LoggingError::Started)
}
