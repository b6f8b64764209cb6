//! How a service reads its configuration: a TOML file whose every mistake is told with the file, the key and what to do. It
//! knows no key of anybody's; each service says what its own values must be.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// A service's configuration, with the rules that its types alone cannot state.
pub trait Checked: DeserializeOwned {
    /// The first value that cannot work, as table and key, and what to write instead.
    fn unusable(&self) -> Option<(&'static str, &'static str)>;
}

/// Reads and checks a file.
///
/// # Errors
/// [`ConfigError`].
pub fn load<T: Checked>(file: &Path) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
    parse(file, &text)
}

/// Reads and checks `text`, which is the content of `file`.
///
/// # Errors
/// [`ConfigError`].
pub fn parse<T: Checked>(file: &Path, text: &str) -> Result<T, ConfigError> {
    let config: T = toml::from_str(text)
        .map_err(|source| ConfigError::Parse { file: file.to_owned(), source: Box::new(source) })?;
    match config.unusable() {
        Some((key, remedy)) => Err(ConfigError::Value { file: file.to_owned(), key, remedy }),
        None => Ok(config),
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not readable.
    #[error("the configuration {} cannot be read; check --config and the file's permissions", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or with a key that is missing, unknown or of another type; TOML's words name line and key.
    #[error("the configuration {} has a mistake; correct the key it names", file.display())]
    Parse {
        /// The file.
        file: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A value that cannot work.
    #[error("the configuration {} has an unusable {key}; {remedy}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// Table and key.
        key: &'static str,
        /// What to write instead.
        remedy: &'static str,
    },
}
