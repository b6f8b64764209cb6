//! Why an image was not read, or is to be read with care: a stable code for machines, a sentence for a technician.
//! It never holds anything about the patient, and never text taken from the image.

use serde::{Deserialize, Serialize};

/// A code and its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, snake_case; what metrics count and programs compare.
    pub code: String,
    /// What is so, and where there is something to do, what to do.
    pub words: String,
}

impl Reason {
    pub(crate) fn new(code: &str, words: impl Into<String>) -> Self {
        Self { code: code.to_owned(), words: words.into() }
    }
}
