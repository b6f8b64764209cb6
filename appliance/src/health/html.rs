//! HTML for the status page, piece by piece. Text is escaped here and nowhere else: a caller hands over text, or a piece that
//! was made here.

use std::fmt::Write;

/// Bytes of a word that stays in one piece: an AE title of 16 between quotation marks and brackets. What is longer may be a
/// path, which has to break somewhere on a telephone.
const LONGEST_NAME: usize = 24;

/// A piece of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Html(String);

/// A text with `&`, `<`, `>` and quotation marks made harmless.
pub(super) fn text(text: &str) -> Html {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    Html(safe)
}

/// A sentence in which no word breaks at its hyphens: names of scanners have them. Written around the words, not into them,
/// so that what is copied from the page is what the configuration wants.
pub(super) fn sentence(words: &str) -> Html {
    let whole = |word: &str| {
        let is_name = word.contains('-') && word.len() <= LONGEST_NAME;
        if is_name { text(word).within("span class=\"name\"").0 } else { text(word).0 }
    };
    Html(words.split(' ').map(whole).collect::<Vec<_>>().join(" "))
}

impl Html {
    /// A piece written in this code, never made of anything from outside.
    pub(super) fn constant(html: &'static str) -> Self {
        Self(html.to_owned())
    }

    pub(super) fn add(&mut self, piece: &Self) {
        self.0.push_str(&piece.0);
        self.0.push('\n');
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// The piece in an element, such as `p` or `p class="bad"`.
    pub(super) fn within(&self, element: &'static str) -> Self {
        let name = element.split(' ').next().unwrap_or(element);
        Self(format!("<{element}>{}</{name}>", self.0))
    }
}

/// A section with its heading.
pub(super) fn section(heading: &str, inside: &Html) -> Html {
    let mut section = text(heading).within("h2");
    section.add(inside);
    section.within("section")
}

/// A link within this page's site; `to` is made of our own words and numbers.
pub(super) fn link(to: &str, words: &str) -> Html {
    Html(format!("<a href=\"{}\">{}</a>", text(to).0, text(words).0))
}

/// Facts: a name and what holds of it in each row.
pub(super) fn facts(rows: impl IntoIterator<Item = (String, Html)>) -> Html {
    let mut table = String::from("<table class=\"facts\">");
    for (name, fact) in rows {
        // Writing to a string cannot fail.
        let _ = write!(table, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", text(&name).0, fact.0);
    }
    Html(table + "</table>")
}

/// A list with named columns. Each cell repeats its column's name for screens that are too narrow for columns.
pub(super) fn list(columns: &[&'static str], rows: impl IntoIterator<Item = Vec<Html>>) -> Html {
    let mut table = String::from("<table class=\"list\"><thead><tr>");
    for column in columns {
        let _ = write!(table, "<th scope=\"col\">{column}</th>");
    }
    table.push_str("</tr></thead><tbody>");
    for row in rows {
        table.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            let _ = write!(table, "<td data-name=\"{column}\">{}</td>", cell.0);
        }
        table.push_str("</tr>");
    }
    Html(table + "</tbody></table>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_sentences_stay_in_one_piece() {
        let told = sentence("add \"XR-ROOM-1\", or <b> and /etc/hilum/a-very-long-folder/name").into_string();
        let name = "add <span class=\"name\">&quot;XR-ROOM-1&quot;,</span> or &lt;b&gt; and /etc/hilum/a-very-long-folder/name";
        assert_eq!(told, name);
    }

    #[test]
    fn what_comes_from_outside_is_escaped() {
        assert_eq!(text("<a b='c' d=\"e\">&").into_string(), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;");
        let table = facts([("<b>".to_owned(), text("<i>"))]).into_string();
        assert!(!table.contains("<b>") && !table.contains("<i>"), "{table}");
        assert_eq!(text("x").within("p class=\"bad\"").into_string(), "<p class=\"bad\">x</p>");
    }
}
