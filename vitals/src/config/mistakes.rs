//! What is wrong with a configuration: collected, given its lines, told. It finds nothing itself.

use std::fmt;

use super::key_path::KeyPath;

/// Something found at a place.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) path: KeyPath,
    pub(super) words: String,
    /// The keys that a missing table needs.
    pub(super) needs: Vec<String>,
    /// It works, and is unwise.
    pub(super) warning: bool,
}

impl Finding {
    pub(super) fn mistake(path: KeyPath, words: String) -> Self {
        Self { path, words, needs: Vec::new(), warning: false }
    }
}

/// Where a room notes what is wrong in its own table.
pub struct Mistakes<'f> {
    findings: &'f mut Vec<Finding>,
    table: KeyPath,
}

impl<'f> Mistakes<'f> {
    pub(super) fn at_root(findings: &'f mut Vec<Finding>) -> Self {
        Self { findings, table: KeyPath::default() }
    }

    /// The table under `key`, such as `dicom` for `[dicom]`.
    pub fn table(&mut self, key: &str) -> Mistakes<'_> {
        Mistakes { table: self.table.key(key), findings: self.findings }
    }

    /// One of the tables or values of the list under `key`; the first is 0.
    pub fn item(&mut self, key: &str, index: usize) -> Mistakes<'_> {
        Mistakes { table: self.table.key(key).item(index), findings: self.findings }
    }

    /// `key` cannot be used; `remedy` says why and what to write instead.
    pub fn mistake(&mut self, key: &str, remedy: impl Into<String>) {
        self.findings.push(Finding::mistake(self.table.key(key), remedy.into()));
    }

    /// [`Mistakes::mistake`] unless `fine`.
    pub fn require(&mut self, fine: bool, key: &str, remedy: &str) {
        if !fine {
            self.mistake(key, remedy);
        }
    }

    /// `key` works, and is unwise; `advice` says why.
    pub fn warning(&mut self, key: &str, advice: impl Into<String>) {
        self.findings.push(Finding { warning: true, ..Finding::mistake(self.table.key(key), advice.into()) });
    }
}

/// One thing that is wrong, with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file as it was named.
    pub file: String,
    /// Its line, from 1; none for a table that is not there.
    pub line: Option<usize>,
    /// Table and key as the file writes them; empty where the line is no TOML at all.
    pub key: String,
    /// What is wrong and what to do.
    pub words: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.key.is_empty() {
            return write!(f, ": {}", self.words);
        }
        write!(f, ": {}: {}", self.key, self.words)
    }
}

/// All of them, by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MistakeList(Vec<Mistake>);

impl MistakeList {
    /// Sorted by line; what has none comes last.
    pub(super) fn sorted(mut list: Vec<Mistake>) -> Self {
        list.sort_by(|a, b| (a.line.unwrap_or(usize::MAX), &a.key).cmp(&(b.line.unwrap_or(usize::MAX), &b.key)));
        list.dedup();
        Self(list)
    }

    /// Each of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for MistakeList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "the configuration has a mistake\n{only}"),
            many => {
                write!(f, "the configuration has {} mistakes", many.len())?;
                many.iter().try_for_each(|mistake| write!(f, "\n{mistake}"))
            }
        }
    }
}
