//! Media types with their parameters (RFC 9110 8.3.1), as far as a store request needs them. A slash in a parameter without
//! quotation marks, which the RFC forbids, is let through: senders write `type=application/dicom`.

/// A media type; its name and the names of its parameters in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// Such as `application/dicom`.
    pub name: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// `None` where the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let name = name.trim().to_ascii_lowercase();
        let (kind, sub) = name.split_once('/')?;
        if kind.is_empty() || sub.is_empty() {
            return None;
        }
        let mut parameters = Vec::new();
        while !rest.trim().is_empty() {
            let (key, after) = rest.split_once('=')?;
            let (value, next) = value(after)?;
            parameters.push((key.trim().to_ascii_lowercase(), value));
            rest = next;
        }
        Some(Self { name, parameters })
    }

    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A parameter's value and what follows its semicolon.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.trim_start().strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return Some((value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            '"' => {
                let rest = quoted[at + 1..].trim_start();
                return (rest.is_empty() || rest.starts_with(';')).then(|| (value, rest.trim_start_matches(';')));
            }
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_quoted_and_bare() {
        for text in [
            "multipart/related; type=\"application/dicom\"; boundary=abc",
            "Multipart/Related;boundary=\"abc\" ; TYPE=application/dicom",
            "multipart/related; boundary=\"a\\bc\"; type=\"application/dicom\";",
        ] {
            let parsed = MediaType::parse(text).unwrap();
            assert_eq!(parsed.name, "multipart/related", "{text}");
            assert_eq!(parsed.parameter("type"), Some("application/dicom"), "{text}");
            assert_eq!(parsed.parameter("boundary"), Some("abc"), "{text}");
        }
        let quoted = MediaType::parse("multipart/related; boundary=\"a;b=c\"").unwrap();
        assert_eq!((quoted.parameter("boundary"), quoted.parameter("type")), (Some("a;b=c"), None));
    }

    #[test]
    fn what_is_no_media_type_is_none() {
        for bad in ["", "dicom", "/", "a/b; c", "a/b; c=\"d", "a/b; c=\"d\"e", "a/b; c=\"d\\"] {
            assert_eq!(MediaType::parse(bad), None, "{bad:?}");
        }
    }
}
