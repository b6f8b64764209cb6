//! Why a value could not be taken, in words for whoever wrote it. Values are not repeated: one may be a password.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::key_path::KeyPath;
use super::words;

/// Where reading stopped, and why.
#[derive(Debug)]
pub(super) struct Fault {
    at: Option<KeyPath>,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// A key of the table at hand.
    Missing(&'static str),
    /// A value in hand.
    Unusable(String),
}

impl Fault {
    /// Says where, unless that is known already: the innermost place is the right one.
    pub(super) fn at(mut self, path: &KeyPath) -> Self {
        self.at.get_or_insert_with(|| path.clone());
        self
    }

    /// The value's own place, which for a missing key is one step further than the table.
    pub(super) fn place(&self) -> KeyPath {
        let table = self.at.clone().unwrap_or_default();
        match self.cause {
            Cause::Missing(key) => table.key(key),
            Cause::Unusable(_) => table,
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self.cause, Cause::Missing(_))
    }

    /// What is wrong and what to do.
    pub(super) fn remedy(&self) -> String {
        match &self.cause {
            Cause::Missing(_) => "missing; add it".to_owned(),
            Cause::Unusable(words) => words.clone(),
        }
    }

    fn unusable(words: String) -> Self {
        Self { at: None, cause: Cause::Unusable(words) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.remedy())
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::unusable(words::plain(&words.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::unusable(format!("this is {}; use {}", words::kind(&found), words::wanted(&wanted.to_string())))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let wanted = words::wanted(&wanted.to_string());
        Self::unusable(match found {
            Unexpected::Signed(number) => format!("{number} is out of range; use {wanted}"),
            Unexpected::Unsigned(number) => format!("{number} is out of range; use {wanted}"),
            _ => format!("this cannot be used; use {wanted}"),
        })
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        let hint = words::did_you_mean(found, known);
        Self::unusable(format!("\"{found}\" is not known{hint}; use {}", words::one_of(known)))
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        let hint = words::did_you_mean(found, known);
        Self::unusable(format!("it holds the unknown key {found}{hint}; it takes {}", words::list(known)))
    }

    fn missing_field(key: &'static str) -> Self {
        Self { at: None, cause: Cause::Missing(key) }
    }
}
