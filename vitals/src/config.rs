//! How a service reads its configuration: a TOML file whose mistakes are told all at once, each with its file, line and key
//! and what to do. It knows no key of anybody's; each service says what its own values must be.

mod deserializer;
mod difference;
mod document;
mod fault;
mod key_path;
mod mistakes;
mod reading;
mod stand_in;
mod words;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub use difference::{Difference, differences};
pub use mistakes::{Mistake, MistakeList, Mistakes};
pub use reading::Reading;

/// A service's configuration, with the rules that its types alone cannot state.
pub trait Checked: DeserializeOwned {
    /// Notes every value that cannot work, and every one that works and is unwise. It looks at the values alone: neither at
    /// the disk nor at the network.
    fn mistakes(&self, mistakes: &mut Mistakes<'_>);
}

/// Reads and checks a file; what is only unwise is passed over.
///
/// # Errors
/// [`ConfigError`], with every mistake.
pub fn load<T: Checked>(file: &Path) -> Result<T, ConfigError> {
    Reading::of_file(file)?.finish().map(|(config, _)| config)
}

/// Reads and checks `text`, which is the content of `file`.
///
/// # Errors
/// [`ConfigError`], with every mistake.
pub fn parse<T: Checked>(file: &Path, text: &str) -> Result<T, ConfigError> {
    Reading::of_text(file, text).finish().map(|(config, _)| config)
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
    /// Readable, with mistakes.
    #[error("{0}")]
    Mistakes(MistakeList),
}

#[cfg(test)]
mod tests;
