//! `docs/BENCHMARKS.md`: puts the measured part between its marks and leaves what people wrote around it alone.

use std::path::Path;

use anyhow::{Context, bail};
use lab::place;

/// Before the measured part.
const BEGIN: &str = "<!-- measured by `cargo xtask bench appliance --write`: begin -->";
/// After it.
const END: &str = "<!-- measured by `cargo xtask bench appliance --write`: end -->";

/// Replaces the measured part of `file`.
///
/// # Errors
/// Where the file can't be read or written, or its marks are gone.
pub(super) fn write(file: &Path, measured: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let replaced = replace(&text, measured).with_context(|| format!("{} was left as it is", file.display()))?;
    place::write(file, replaced)?;
    println!("written to {}", file.display());
    Ok(())
}

/// Pure.
fn replace(text: &str, measured: &str) -> anyhow::Result<String> {
    let (Some((before, rest)), true) = (text.split_once(BEGIN), text.matches(END).count() == 1) else {
        bail!("it needs one line `{BEGIN}` and after it one line `{END}`");
    };
    let (_, after) = rest.split_once(END).context("the two marks are in the wrong order")?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", measured.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_measured_part_changes() {
        let text = format!("# Title\n\n{BEGIN}\nold\nfigures\n{END}\n\n## By hand\nkept\n");
        let new = replace(&text, "new\n").unwrap();
        assert_eq!(new, format!("# Title\n\n{BEGIN}\nnew\n{END}\n\n## By hand\nkept\n"));
        assert_eq!(replace(&new, "new").unwrap(), new);
    }

    #[test]
    fn a_document_without_its_marks_is_left_alone() {
        assert!(replace("# Title\n", "new").is_err());
        assert!(replace(&format!("{END}\n{BEGIN}\n"), "new").is_err());
        assert!(replace(BEGIN, "new").is_err());
    }

    #[test]
    fn the_shipped_document_has_its_marks() {
        let text = std::fs::read_to_string(place::root().join("docs/BENCHMARKS.md")).unwrap();
        assert!(replace(&text, "new").is_ok());
    }
}
