//! Remembers what something was made from, so that it is made again only when that has changed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use lab::place;
use sha2::{Digest, Sha256};

/// What something was made from, as one digest.
#[derive(Debug, Default)]
pub(crate) struct Ingredients(Sha256);

impl Ingredients {
    /// Adds a file, or every file below a folder in the order of their names; what is not there counts as nothing.
    ///
    /// # Errors
    /// Where something can't be read.
    pub(crate) fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be listed", path.display()))?;
            let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            inside.sort();
            return inside.iter().try_for_each(|path| self.add(path));
        }
        if path.is_file() {
            let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
            self.0.update(path.as_os_str().as_encoded_bytes());
            self.0.update(bytes.len().to_le_bytes());
            self.0.update(bytes);
        }
        Ok(())
    }

    /// Adds words, such as a version.
    pub(crate) fn add_words(&mut self, words: &str) {
        self.0.update(words);
    }

    fn digest(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// Calls `make` unless `name` was last made from the same ingredients and `product` is still there.
///
/// # Errors
/// Those of `make`, or where the stamp can't be written.
pub(crate) fn unless_fresh(
    name: &str,
    ingredients: Ingredients,
    product: &Path,
    make: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = place::workshop().join("stamps");
    let (stamp, digest) = (folder.join(name), ingredients.digest());
    if product.exists() && std::fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == digest) {
        return Ok(());
    }
    // Half-made is not made: the old stamp goes first.
    if stamp.exists() {
        std::fs::remove_file(&stamp).with_context(|| format!("{} cannot be removed", stamp.display()))?;
    }
    make()?;
    place::make(&folder)?;
    place::write(&stamp, digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(folder: &Path) -> String {
        let mut ingredients = Ingredients::default();
        ingredients.add(folder).unwrap();
        ingredients.digest()
    }

    #[test]
    fn content_names_and_additions_matter() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "1").unwrap();
        let first = of(folder.path());
        assert_eq!(of(folder.path()), first);
        std::fs::write(&file, "2").unwrap();
        let second = of(folder.path());
        std::fs::write(folder.path().join("b"), "").unwrap();
        let third = of(folder.path());
        assert!(first != second && second != third && third != first);
    }

    #[test]
    fn a_thing_is_made_again_only_for_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let (product, name) = (folder.path().join("product"), format!("test-{}", std::process::id()));
        let mut made = 0;
        for words in ["a", "a", "b"] {
            let mut ingredients = Ingredients::default();
            ingredients.add_words(words);
            unless_fresh(&name, ingredients, &product, || {
                made += 1;
                place::write(&product, words)
            })
            .unwrap();
        }
        assert_eq!(made, 2);
        std::fs::remove_file(place::workshop().join("stamps").join(name)).unwrap();
    }
}
