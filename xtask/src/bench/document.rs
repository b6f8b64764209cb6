//! `docs/BENCHMARKS.md`: puts the measured part between its marks and leaves what people wrote around it alone.

use std::path::Path;

use anyhow::{Context, bail};
use lab::place;

/// Replaces the part of `file` that `bench` measured.
///
/// # Errors
/// Where the file can't be read or written, or its marks are gone.
pub(super) fn write(file: &Path, bench: &str, measured: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let replaced = replace(&text, bench, measured).with_context(|| format!("{} was left as it is", file.display()))?;
    place::write(file, replaced)?;
    println!("written to {}", file.display());
    Ok(())
}

/// Pure.
fn replace(text: &str, bench: &str, measured: &str) -> anyhow::Result<String> {
    let [begin, end] =
        ["begin", "end"].map(|mark| format!("<!-- measured by `cargo xtask bench {bench} --write`: {mark} -->"));
    let (Some((before, rest)), true) = (text.split_once(&begin), text.matches(&end).count() == 1) else {
        bail!("it needs one line `{begin}` and after it one line `{end}`");
    };
    let (_, after) = rest.split_once(&end).context("the two marks are in the wrong order")?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", measured.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "<!-- measured by `cargo xtask bench appliance --write`: begin -->";
    const END: &str = "<!-- measured by `cargo xtask bench appliance --write`: end -->";

    #[test]
    fn only_the_measured_part_changes() {
        let text = format!("# Title\n\n{BEGIN}\nold\nfigures\n{END}\n\n## By hand\nkept\n");
        let new = replace(&text, "appliance", "new\n").unwrap();
        assert_eq!(new, format!("# Title\n\n{BEGIN}\nnew\n{END}\n\n## By hand\nkept\n"));
        assert_eq!(replace(&new, "appliance", "new").unwrap(), new);
    }

    #[test]
    fn a_document_without_its_marks_is_left_alone() {
        assert!(replace("# Title\n", "appliance", "new").is_err());
        assert!(replace(&format!("{END}\n{BEGIN}\n"), "appliance", "new").is_err());
        assert!(replace(BEGIN, "appliance", "new").is_err());
    }

    #[test]
    fn the_shipped_document_has_its_marks() {
        let text = std::fs::read_to_string(place::root().join("docs/BENCHMARKS.md")).unwrap();
        for bench in ["appliance", "outbox"] {
            assert!(replace(&text, bench, "new").is_ok(), "{bench}");
        }
    }
}
