//! The sentences of mistakes: what serde and the standard library say to programmers, said to whoever wrote the file. It
//! decides nothing.

use serde::de::Unexpected;

/// Keys and names this alike (Jaro-Winkler, 0 to 1) are taken for a slip of the finger: it lets through two swapped or
/// missing letters in a word of six, and keeps `host` from `port`.
const ALIKE: f64 = 0.84;

/// What was written, by its kind alone.
pub(super) fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Str(_) => "a text in quotation marks",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "something else, such as a date",
    }
}

/// What serde expects.
pub(super) fn wanted(expected: &str) -> String {
    let known = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "string" => "a text in quotation marks",
        "path string" => "a path in quotation marks",
        "socket address" => "ADDRESS:PORT in quotation marks, such as \"127.0.0.1:9464\"",
        "IP address" => "an IP address in quotation marks, such as \"10.1.2.3\"",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    known.to_owned()
}

/// A parser's own sentence.
pub(super) fn plain(words: &str) -> String {
    match words {
        "invalid socket address syntax" => "not ADDRESS:PORT, such as \"127.0.0.1:9464\" or \"[::1]:9464\"".to_owned(),
        "invalid IP address syntax" => "not an IP address, such as \"10.1.2.3\" or \"fd00::12\"".to_owned(),
        other => other.to_owned(),
    }
}

/// The one that was probably meant.
pub(super) fn alike<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let found = found.to_lowercase();
    let likeness = |key: &str| strsim::jaro_winkler(&found, key);
    let best = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.filter(|key| likeness(key) >= ALIKE)
}

/// `, did you mean NAME?`, or nothing where none is alike.
pub(super) fn did_you_mean(found: &str, known: &[&str]) -> String {
    alike(found, known.iter().copied()).map(|name| format!(", did you mean {name}?")).unwrap_or_default()
}

/// `a, b and c`.
pub(super) fn list<S: AsRef<str>>(words: &[S]) -> String {
    joined(words, "and", ToOwned::to_owned)
}

/// `"a", "b" or "c"`.
pub(super) fn one_of(words: &[&str]) -> String {
    joined(words, "or", |word| format!("\"{word}\""))
}

fn joined<S: AsRef<str>>(words: &[S], last: &str, shown: impl Fn(&str) -> String) -> String {
    let mut words: Vec<String> = words.iter().map(|word| shown(word.as_ref())).collect();
    match words.pop() {
        Some(end) if words.is_empty() => end,
        Some(end) => format!("{} {last} {end}", words.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised_and_other_words_are_not() {
        let known = ["listen", "ae_title", "max_associations", "allow"];
        for (slip, key) in
            [("ae_titel", "ae_title"), ("Listen", "listen"), ("lsiten", "listen"), ("max_assoc", "max_associations")]
        {
            assert_eq!(alike(slip, known), Some(key));
        }
        for other in ["port", "x", "provider", ""] {
            assert_eq!(alike(other, known), None, "{other}");
        }
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(one_of(&["auto", "cuda", "cpu"]), "\"auto\", \"cuda\" or \"cpu\"");
        assert_eq!((list(&["a"]), list::<&str>(&[])), ("a".to_owned(), "nothing".to_owned()));
    }
}
