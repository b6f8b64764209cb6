//! Figures as a Markdown table, which a terminal shows as well as a browser; and the place in a document that is replaced by
//! what was measured.

use std::path::Path;

use anyhow::{Context, Result, bail};

/// A head and its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
        let mut text = line(&mut self.head.iter().map(|cell| (*cell).to_owned()));
        text += &line(&mut self.head.iter().map(|_| "---".to_owned()));
        // A bar ends a cell.
        self.rows.iter().for_each(|row| text += &line(&mut row.iter().map(|cell| cell.replace('|', "\\|"))));
        text
    }
}

/// Before the measured part.
const BEGIN: &str = "<!-- measured by `hw-tests --write`: begin -->";
/// After it.
const END: &str = "<!-- measured by `hw-tests --write`: end -->";

/// Replaces what stands between the marks of `document`.
pub(crate) fn write(document: &Path, measured: &str) -> Result<()> {
    let text = std::fs::read_to_string(document).with_context(|| format!("{} cannot be read", document.display()))?;
    let replaced = replace(&text, measured).with_context(|| format!("{} was left as it is", document.display()))?;
    std::fs::write(document, replaced).with_context(|| format!("{} cannot be written", document.display()))
}

fn replace(text: &str, measured: &str) -> Result<String> {
    match (text.find(BEGIN), text.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            let (before, after) = (&text[..begin], &text[end..]);
            Ok(format!("{before}{BEGIN}\n{}\n{after}", measured.trim()))
        }
        _ => bail!("it needs a line `{BEGIN}` and after it a line `{END}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_measured_part_changes() {
        let text = format!("# Title\n{BEGIN}\nold\n{END}\nkept\n");
        let new = replace(&text, "new\n").unwrap();
        assert_eq!(new, format!("# Title\n{BEGIN}\nnew\n{END}\nkept\n"));
        assert_eq!(replace(&new, "new").unwrap(), new);
        for broken in ["", BEGIN, END, &format!("{END}{BEGIN}")] {
            assert!(replace(broken, "new").is_err(), "{broken}");
        }
    }

    #[test]
    fn the_shipped_document_has_its_marks() {
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/BENCHMARKS.md");
        assert!(replace(&std::fs::read_to_string(document).unwrap(), "new").is_ok());
    }

    #[test]
    fn a_table_is_markdown() {
        let table = Table { head: vec!["a", "b"], rows: vec![vec!["1".into(), "x|y".into()]] };
        assert_eq!(table.markdown(), "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n");
    }
}
