//! The images concluded last, by pseudonym: when, from whom, what came of each, how long it took. Older ones are a link away.

use outbox::Entry;

use super::super::Status;
use super::super::html::{Html, link, list, text};
use super::super::words::{outcome, time_of_day};
use super::Shown;

/// Images on one page: what fits two screens.
pub(in crate::health) const PAGE: usize = 25;

/// Characters of a pseudonym that are shown: 40 bits, enough for `lookup` to know which is meant.
const SHORT: usize = 8;

pub(super) fn list_of(status: &Status, shown: &Shown) -> Html {
    let mut all = Html::default();
    let today = &shown.today;
    let words = format!(
        "Today: {} read, {} of them with signs of pneumonia; {} not for this model; {} unreadable.",
        today.read, today.positive, today.abstained, today.unreadable
    );
    all.add(&text(&words).within("p"));
    if shown.entries.is_empty() {
        all.add(&text("No image yet. Send one from the scanner; it appears here within seconds.").within("p"));
        return all;
    }
    let now_ms = (status.world.now_ms)();
    let page = &shown.entries[..shown.entries.len().min(PAGE)];
    let columns = ["Time", "Scanner", "Study", "Outcome", "Seconds"];
    all.add(&list(&columns, page.iter().map(|entry| row(entry, now_ms))));
    if let (true, Some(last)) = (shown.entries.len() > PAGE, page.last()) {
        all.add(&link(&format!("/?before={}", last.id.0), "Older images").within("nav aria-label=\"Images\""));
    }
    let hint = "To find a study, run \"hilum-appliance lookup\" with its pseudonym on this machine.";
    all.add(&text(hint).within("p class=\"faint\""));
    all
}

fn row(entry: &Entry, now_ms: i64) -> Vec<Html> {
    let study = entry.pseudonyms.study.get(..SHORT).unwrap_or(&entry.pseudonyms.study);
    vec![
        text(&time_of_day(entry.concluded_ms, now_ms)),
        // A title may hold hyphens, and is one word all the same.
        text(&entry.source).within("span class=\"name\""),
        text(study).within("code"),
        text(&outcome(&entry.status, &entry.detail)),
        text(&format!("{:.1}", entry.total_ms / 1000.0)),
    ]
}
