//! What was found as one Markdown text, with all that is needed to judge it: device, driver, model, provider. Pure.

use crate::Arguments;
use crate::board::Board;
use crate::check::{Check, Outcome};
use crate::table::Table;

/// Everything that was found.
pub(crate) struct Report<'a> {
    pub(crate) board: &'a Board,
    pub(crate) arguments: &'a Arguments,
    pub(crate) outcomes: &'a [(Check, Outcome)],
}

impl Report<'_> {
    pub(crate) fn markdown(&self) -> String {
        let Arguments { provider, precision, bundle, .. } = self.arguments;
        let (Board { name, driver }, version) = (self.board, env!("CARGO_PKG_VERSION"));
        let (precision, bundle) = (precision.name(), bundle.display());
        let mut text =
            format!("{name}, driver {driver}; {provider:?}, {precision}; `{bundle}`; hw-tests {version}.\n\n");
        let row = |(check, outcome): &(Check, Outcome)| {
            vec![check.name(), outcome.word().to_owned(), outcome.words().to_owned()]
        };
        let head = vec!["Check", "", "What was found"];
        text += &Table { head, rows: self.outcomes.iter().map(row).collect() }.markdown();
        for (check, outcome) in self.outcomes {
            if let Some(table) = outcome.table() {
                text += &format!("\n`{}`:\n\n{}", check.name(), table.markdown());
            }
        }
        text
    }
}
