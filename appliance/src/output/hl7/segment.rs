//! A segment's fields by their numbers, and the escapes of HL7 v2.5 2.7. It knows no segment's meaning.

/// A segment being filled.
pub(super) struct Segment {
    name: &'static str,
    /// Field n lies at n - 1.
    fields: Vec<String>,
}

impl Segment {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, fields: Vec::new() }
    }

    /// Fills field `number`, which is escaped already.
    pub(super) fn with(mut self, number: usize, value: impl Into<String>) -> Self {
        let longest = self.fields.len().max(number);
        self.fields.resize(longest, String::new());
        self.fields[number - 1] = value.into();
        self
    }

    /// The segment with its carriage return. MSH-1 is the field separator itself, MSH-2 the other delimiters (2.15.9.1).
    pub(super) fn text(&self) -> String {
        let fields = if self.name == "MSH" { &self.fields[2..] } else { &self.fields[..] };
        let start = if self.name == "MSH" { "MSH|^~\\&" } else { self.name };
        let joined: String = fields.iter().map(|field| format!("|{field}")).collect();
        format!("{start}{}\r", joined.trim_end_matches('|'))
    }
}

/// Text as the value of a component: delimiters by their escapes, control characters as spaces, since a carriage return
/// would begin a segment and the block's own bytes (MLLP) would end the message.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => safe.push_str("\\F\\"),
            '^' => safe.push_str("\\S\\"),
            '&' => safe.push_str("\\T\\"),
            '~' => safe.push_str("\\R\\"),
            '\\' => safe.push_str("\\E\\"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// A name as the components after an empty identifier (XCN, 2.A.86).
pub(super) fn component(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("^{name}") }
}
