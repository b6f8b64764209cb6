//! The file as parsed: its values with their lines, and the lines that are no TOML. It knows no configuration's keys.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key_path::{KeyPath, Step};

/// A parsed text.
pub(super) struct Document<'t> {
    text: &'t str,
    root: DeTable<'t>,
    /// Line and words of what could not be parsed.
    broken: Vec<(usize, String)>,
}

impl<'t> Document<'t> {
    pub(super) fn parse(text: &'t str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut broken: Vec<(usize, String)> = Vec::new();
        for error in errors {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            // One slip makes several complaints about its line; the first says where it began.
            if broken.iter().all(|(known, _)| *known != line) {
                broken.push((line, format!("cannot be understood: {}", error.message())));
            }
        }
        Self { text, root: root.into_inner(), broken }
    }

    pub(super) fn root(&self) -> &DeTable<'t> {
        &self.root
    }

    pub(super) fn broken(&self) -> &[(usize, String)] {
        &self.broken
    }

    /// True where a finding at `line` may be the echo of a line that is no TOML: the line itself, and everything below a
    /// broken header, which belongs to another table than it seems to.
    pub(super) fn is_doubtful(&self, line: Option<usize>) -> bool {
        let header = |line: usize| {
            self.text.lines().nth(line.saturating_sub(1)).is_some_and(|text| text.trim_start().starts_with('['))
        };
        let first = self.broken.iter().map(|(line, _)| *line).filter(|line| header(*line)).min();
        let is_broken = self.broken.iter().any(|(broken, _)| Some(*broken) == line);
        is_broken || first.is_some_and(|first| line.is_none_or(|line| line >= first))
    }

    /// The line of what lies at `path`, or of the nearest table around it that is written.
    pub(super) fn line(&self, path: &KeyPath) -> Option<usize> {
        let mut span: Option<Range<usize>> = None;
        let mut at = Node::Table(&self.root);
        for step in path.steps() {
            let Some((next, next_span)) = at.step(step) else { break };
            (at, span) = (next, Some(next_span));
        }
        span.map(|span| line_of(self.text, span.start))
    }

    /// True where a table, or a list of tables, lies at `path`.
    pub(super) fn is_table(&self, path: &KeyPath) -> bool {
        let mut at = Node::Table(&self.root);
        for step in path.steps() {
            let Some((next, _)) = at.step(step) else { return false };
            at = next;
        }
        matches!(at, Node::Table(_) | Node::Value(DeValue::Table(_)))
    }
}

#[derive(Clone, Copy)]
enum Node<'d> {
    Table(&'d DeTable<'d>),
    Value(&'d DeValue<'d>),
}

impl<'d> Node<'d> {
    fn step(self, step: &Step) -> Option<(Self, Range<usize>)> {
        match (self, step) {
            (Self::Table(table) | Self::Value(DeValue::Table(table)), Step::Key(key)) => {
                let (key, value) = table.get_key_value(key.as_str())?;
                Some((Self::Value(value.get_ref()), key.span()))
            }
            (Self::Value(DeValue::Array(list)), Step::Item(index)) => {
                let value: &Spanned<DeValue<'_>> = list.get(*index)?;
                Some((Self::Value(value.get_ref()), value.span()))
            }
            _ => None,
        }
    }
}

/// From 1.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
