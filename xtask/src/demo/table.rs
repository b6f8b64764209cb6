//! One line for each image: its name, what came of it, how sure, why, and where the time went.

use std::path::Path;

use lab::api::ResultSummary;
use lab::place;

use super::ledger::{Account, Place};

/// Columns of an image's name; its end is what tells one from another.
const NAME: usize = 34;

/// The words above the columns.
#[must_use]
pub(crate) fn head() -> String {
    format!(
        "{:>4}  {:<NAME$}  {:<19}  {:>11}  {:>7} {:>7} {:>7} {:>7} {:>8}  ms",
        "", "image", "finding", "probability", "receive", "decode", "queue", "infer", "total"
    )
}

/// One image's line.
#[must_use]
pub(crate) fn row(number: usize, account: &Account) -> String {
    let name = ending(&account.film.name, NAME);
    let Some(result) = &account.result else {
        return format!("{number:>4}  {name:<NAME$}  {:<19}  {}", "—", account.whereabouts());
    };
    let stages = result.stages_ms;
    let probability = result.probability.map_or_else(|| "—".to_owned(), |p| format!("{:.1} %", 100.0 * p));
    let mut line = format!(
        "{number:>4}  {name:<NAME$}  {:<19}  {probability:>11}  {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>8.1}",
        finding(result),
        stages.receive,
        stages.decode,
        stages.queue,
        stages.infer,
        stages.total
    );
    if let Some(reason) = &result.reason {
        line = format!("{line}\n      ↳ {}", first_sentence(&reason.words));
    }
    line
}

/// What came of it, in the words of the dashboard.
#[must_use]
pub(crate) fn finding(result: &ResultSummary) -> &'static str {
    match (result.outcome.as_str(), result.finding.as_deref()) {
        ("read", Some("positive")) => "pneumonia suspected",
        ("read", Some("negative")) => "no pneumonia seen",
        ("abstained", _) => "not assessed",
        ("unreadable", _) => "unreadable",
        _ => "?",
    }
}

/// Writes the whole table for other programs.
///
/// # Errors
/// Where the file can't be written.
pub(crate) fn write_csv(file: &Path, accounts: &[Account]) -> anyhow::Result<()> {
    let mut text =
        "image,truth,outcome,finding,probability,reason,receive_ms,decode_ms,queue_ms,infer_ms,total_ms\n".to_owned();
    for account in accounts {
        let truth = account.film.truth.map_or("", |positive| if positive { "pneumonia" } else { "normal" });
        let mut cells = vec![account.film.name.clone(), truth.to_owned()];
        match &account.result {
            None => cells.extend(["missing".to_owned(), String::new(), String::new(), account.whereabouts()]),
            Some(result) => {
                let reason = result.reason.as_ref().map(|reason| reason.code.clone());
                let probability = result.probability.map(|p| p.to_string());
                cells.extend([result.outcome.clone(), result.finding.clone().unwrap_or_default()]);
                cells.extend([probability.unwrap_or_default(), reason.unwrap_or_default()]);
                let stages = result.stages_ms;
                let times = [stages.receive, stages.decode, stages.queue, stages.infer, stages.total];
                cells.extend(times.map(|ms| format!("{ms:.3}")));
            }
        }
        let quoted: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&quoted.join(","));
        text.push('\n');
    }
    place::write(file, text)
}

/// RFC 4180, section 2: quotes where a comma, a quote or a line break makes them necessary.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

/// The last `width` characters, with a sign where something was cut.
fn ending(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        text.to_owned()
    } else {
        format!("…{}", text.chars().skip(length + 1 - width).collect::<String>())
    }
}

/// What happened; what to do about it follows in the summary, once for all images of that reason.
fn first_sentence(words: &str) -> &str {
    words.find(". ").map_or(words, |end| &words[..=end])
}

/// How many images are how far.
#[must_use]
pub(crate) fn progress(accounts: &[Account]) -> String {
    let count = |place| accounts.iter().filter(|account| account.place() == place).count();
    format!(
        "{} to send · {} being read · {} in the outbox · {} in the cloud",
        count(Place::Scanner),
        count(Place::Journal),
        count(Place::Outbox),
        count(Place::Gateway) + count(Place::Arrived),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(ending("short", 8), "short");
        assert_eq!(ending("a/long/name.dcm", 9), "…name.dcm");
    }

    #[test]
    fn a_reason_is_cut_after_its_first_sentence() {
        assert_eq!(first_sentence("It is a hand. Send a chest."), "It is a hand.");
        assert_eq!(first_sentence("It is a hand."), "It is a hand.");
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
