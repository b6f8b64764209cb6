//! What differs between two versions of a configuration, key by key. It knows no key's meaning, so that a key that nobody
//! thought of is noticed, too.

use toml::{Table, Value};

use super::key_path::KeyPath;

/// A key with another value than before. A list is one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Its table and key with dots, such as `dicom.listen`.
    pub path: String,
    /// As the file writes it, such as `[dicom] listen`.
    pub key: String,
    /// The value before, as the file wrote it; none where it was not written.
    pub before: Option<String>,
}

/// The keys that differ, in order. A text that is no TOML counts as empty; [`super::Reading`] tells what is wrong with it.
#[must_use]
pub fn differences(before: &str, after: &str) -> Vec<Difference> {
    let table = |text: &str| text.parse::<Table>().unwrap_or_default();
    let mut found = Vec::new();
    compare(&KeyPath::default(), &table(before), &table(after), &mut found);
    found
}

fn compare(at: &KeyPath, before: &Table, after: &Table, found: &mut Vec<Difference>) {
    let empty = Table::new();
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let path = at.key(key);
        match (before.get(key), after.get(key)) {
            (Some(Value::Table(before)), Some(Value::Table(after))) => compare(&path, before, after, found),
            (Some(Value::Table(before)), None) => compare(&path, before, &empty, found),
            (None, Some(Value::Table(after))) => compare(&path, &empty, after, found),
            (before, after) if before == after => {}
            (before, _) => found.push(Difference {
                path: path.dotted(),
                key: path.words(false),
                before: before.filter(|value| !value.is_array()).map(ToString::to_string),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_differs_is_named_and_no_other() {
        let before =
            "[dicom]\nlisten = \"0.0.0.0:104\"\nallow = [{ae_title = \"A\"}]\nsame = 1\n[log]\nlevel = \"info\"\n";
        let after =
            "[dicom]\nsame = 1\nlisten = \"0.0.0.0:11112\"\n[[dicom.allow]]\nae_title = \"B\"\n[model]\nthreads = 2\n";
        let found: Vec<_> = differences(before, after).into_iter().map(|one| (one.path, one.key, one.before)).collect();
        let of = |path: &str, key: &str, before: Option<&str>| (path.into(), key.into(), before.map(Into::into));
        assert_eq!(
            found,
            [
                of("dicom.allow", "[dicom] allow", None),
                of("dicom.listen", "[dicom] listen", Some("\"0.0.0.0:104\"")),
                of("log.level", "[log] level", Some("\"info\"")),
                of("model.threads", "[model] threads", None),
            ]
        );
        // Order, layout and comments are no difference.
        assert_eq!(differences(before, &format!("# changed\n{}", before.replace(" = ", "="))), []);
    }
}
