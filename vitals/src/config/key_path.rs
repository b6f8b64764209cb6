//! Where in a configuration: the way from its root to one value. It knows no file and no line.

use std::fmt;

/// One step of the way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Into a table.
    Key(String),
    /// Into a list; the first is 0.
    Item(usize),
}

/// The way from the root; empty for the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPath(Vec<Step>);

impl KeyPath {
    pub(super) fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    pub(super) fn item(&self, index: usize) -> Self {
        self.then(Step::Item(index))
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The table or list that holds it; none for the root.
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, before) = self.0.split_last()?;
        Some(Self(before.to_vec()))
    }

    /// Its last key, where it is a key of `parent`.
    pub(super) fn key_in(&self, parent: &Self) -> Option<&str> {
        match self.0.split_last()? {
            (Step::Key(key), before) if before == parent.0 => Some(key),
            _ => None,
        }
    }

    /// True for `other` itself and everything in it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// Its keys with dots between them.
    pub(super) fn dotted(&self) -> String {
        dotted(&self.0)
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// As the file would write it: a table as its header, a value as its table's header and its key.
    pub(super) fn words(&self, is_table: bool) -> String {
        let (table, key) = match self.0.split_last() {
            Some((Step::Key(key), before)) if !is_table => (before, Some(key)),
            _ => (&self.0[..], None),
        };
        let header = Header(table).to_string();
        match key {
            None => header,
            Some(key) if header.is_empty() => key.clone(),
            Some(key) => format!("{header} {key}"),
        }
    }
}

/// A table's header: `[dicom]`, or `[[dicom.allow]]` for one of a list.
struct Header<'p>(&'p [Step]);

impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = dotted(self.0);
        match self.0.last() {
            None => Ok(()),
            Some(Step::Key(_)) => write!(f, "[{name}]"),
            Some(Step::Item(_)) => write!(f, "[[{name}]]"),
        }
    }
}

fn dotted(steps: &[Step]) -> String {
    let keys = steps.iter().filter_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None });
    keys.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_the_file_is_written() {
        let root = KeyPath::default();
        let scanner = root.key("dicom").key("allow").item(1);
        assert_eq!(root.key("dicom").key("listen").words(false), "[dicom] listen");
        assert_eq!(root.key("dicom").words(true), "[dicom]");
        assert_eq!(scanner.key("address").words(false), "[[dicom.allow]] address");
        assert_eq!(scanner.words(true), "[[dicom.allow]]");
        assert_eq!(root.key("site").words(false), "site");
        assert_eq!(scanner.key("address").key_in(&scanner), Some("address"));
        assert!(scanner.is_within(&root.key("dicom")) && !root.key("dicom").is_within(&scanner));
    }
}
