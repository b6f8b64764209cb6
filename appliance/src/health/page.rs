//! The status page: one page of HTML for whoever stands before the appliance, without a script and without anything from
//! elsewhere. It shows pseudonyms, counts and words, never anything about a patient.

mod about;
mod deliveries;
mod queues;
mod sensors;
mod studies;

use outbox::{Entry, Tally};

use super::Status;
use super::certificates::Lasting;
use super::html::{Html, facts, link, list, section, sentence, text};
use super::words::{age, counted, moment, size, time_of_day};

pub(super) use studies::PAGE;

/// What a page shows beside the status: asked of the journal for each request.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Concluded images, newest first; one more than [`PAGE`] where there are older ones.
    pub(super) entries: Vec<Entry>,
    /// How today's images ended.
    pub(super) today: Tally,
    /// Not the newest page.
    pub(super) is_older: bool,
    /// The reader asked for a page that loads itself again.
    pub(super) is_live: bool,
}

/// The whole page.
pub(super) fn render(status: &Status, shown: &Shown) -> String {
    let mut body = Html::default();
    body.add(&text(&format!("Hilum appliance {}", status.name)).within("h1"));
    body.add(&verdict(status, shown));
    status.put_aside.iter().for_each(|told| body.add(&text(told).within("p class=\"verdict bad\"")));
    body.add(&soon(status));
    body.add(&navigation(shown));
    if !shown.is_older {
        body.add(&section("Parts", &parts(status)));
    }
    body.add(&section("Images", &studies::list_of(status, shown)));
    if !shown.is_older {
        if let Some(given) = deliveries::facts_of(status) {
            body.add(&section("Reports to the hospital's systems", &given));
        }
        body.add(&section("Refusals", &refusals(status)));
        body.add(&section("Queues", &queues::facts_of(status)));
        body.add(&section("This appliance", &about::facts_of(status)));
    }
    body.add(&Html::constant(FOOTER));
    let refresh = if shown.is_live { "<meta http-equiv=\"refresh\" content=\"10\">" } else { "" };
    let head = "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
    let (name, style) = (text(&status.name).into_string(), include_str!("page.css"));
    let body = body.within("main").into_string();
    format!(
        "<!doctype html><html lang=\"en\"><head>{head}{refresh}<title>Hilum appliance {name}</title><style>{style}</style>\
         </head><body>{body}</body></html>"
    )
}

const FOOTER: &str = "<footer><p>This page holds nothing that names a patient. Hilum is not a cleared medical device; its \
     results are for review by a clinician. Figures for monitoring: <a href=\"/metrics\">/metrics</a>, state: \
     <a href=\"/health/ready\">/health/ready</a>.</p></footer>";

/// How it is, in one sentence.
fn verdict(status: &Status, shown: &Shown) -> Html {
    let report = status.health.report();
    let unwell: Vec<&str> = report.parts.iter().filter(|(_, state)| *state != "ok").map(|(name, _)| *name).collect();
    if !unwell.is_empty() {
        let words = format!("Something needs attention: {}. See below for what to do.", unwell.join(", "));
        return text(&words).within("p class=\"verdict bad\" role=\"status\"");
    }
    let today = &shown.today;
    let images = today.read + today.abstained + today.unreadable;
    let waiting = status.levels.borrow().counts.accepted;
    let images = counted(images, "image", "images");
    let words = format!("Everything works: {images} concluded today, {waiting} waiting to be read.");
    text(&words).within("p class=\"verdict ok\" role=\"status\"")
}

/// What works and will not for long.
fn soon(status: &Status) -> Html {
    let (mut all, now_ms) = (Html::default(), (status.world.now_ms)());
    for certificate in status.certificates.borrow().iter() {
        if let (Lasting::Soon, words) = certificate.lasting(now_ms) {
            let words = format!("The certificate for {} ends soon: {words}.", certificate.name);
            all.add(&text(&words).within("p class=\"soon\""));
        }
    }
    all
}

fn navigation(shown: &Shown) -> Html {
    let mut links = Html::default();
    links.add(&link("/", if shown.is_older { "Newest" } else { "Refresh" }));
    // Whoever reads slowly must not have the page taken away (WCAG 2.2, 2.2.1): it reloads itself only where asked to.
    if shown.is_live {
        links.add(&link("/", "Stop refreshing"));
    } else if !shown.is_older {
        links.add(&link("/?live=1", "Refresh every 10 seconds"));
    }
    links.within("nav aria-label=\"Page\"")
}

fn parts(status: &Status) -> Html {
    let mut parts = Html::default();
    let report = status.health.report();
    let condition = |state: &String| match state.as_str() {
        "ok" => text("ok").within("span class=\"ok\""),
        other => sentence(other).within("span class=\"bad\""),
    };
    parts.add(&facts(report.parts.iter().map(|(name, state)| ((*name).to_owned(), condition(state)))));
    parts.add(&reloaded(status));
    parts
}

/// How the configuration was read again last.
fn reloaded(status: &Status) -> Html {
    let (mut told, reloaded) = (Html::default(), status.reloaded.borrow());
    if let Some((at_ms, taken)) = &reloaded.last {
        let at = time_of_day(*at_ms, (status.world.now_ms)());
        let words = match taken {
            Ok(()) => {
                let but = if reloaded.waiting.is_empty() { "" } else { ", but for what needs a restart" };
                text(&format!("The configuration was read again at {at} and is in force{but}.")).within("p")
            }
            Err(why) => {
                let words =
                    format!("The configuration was read again at {at} and not taken; the one before stays: {why}");
                text(&words).within("p class=\"bad\"")
            }
        };
        told.add(&words);
    }
    for notice in &reloaded.waiting {
        told.add(&text(&format!("Changed in the configuration and not yet in force: {notice}.")).within("p"));
    }
    told
}

fn refusals(status: &Status) -> Html {
    let refused = status.refusals.list();
    if refused.is_empty() {
        return text("None since the start.").within("p");
    }
    let now_ms = (status.world.now_ms)();
    list(
        &["Last", "Times", "What happened, and what to do"],
        refused.iter().map(|one| {
            vec![text(&time_of_day(one.last_ms, now_ms)), text(&one.times.to_string()), sentence(&one.words)]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::certificates::Certificate;
    use crate::health::tests::status;
    use crate::journal::Levels;
    use crate::refusals::Refusals;
    use crate::world::World;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let refusals = Refusals::default();
        refusals.note(1_700_000_000_000, "\"<script>alert(1)</script>\" is not on the list".to_owned());
        let status = status(refusals);
        let part = status.health.part("journal", "a <b> reason");
        let page = render(&status, &Shown::default());
        assert!(!page.contains("<script>") && !page.contains("HI<LUM") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("2023-11-1") && page.contains("attention: journal"));
        part.up();
        assert!(render(&status, &Shown::default()).contains("Everything works"));
    }

    #[test]
    fn a_certificate_that_ends_soon_is_told_at_the_top() {
        let now_s = (World::real().now_ms)() / 1000;
        let lasts = |days: i64| Certificate {
            name: "DICOM <TLS>".to_owned(),
            ends_s: Ok(now_s + days * 86_400 + 60),
            is_renewed: false,
            soon_days: 30,
        };
        let page = |days| {
            let mut status = status(Refusals::default());
            status.certificates = tokio::sync::watch::channel(vec![lasts(days)]).1;
            render(&status, &Shown::default())
        };
        assert!(page(12).contains("<p class=\"soon\">The certificate for DICOM &lt;TLS&gt; ends soon: 12 days left"));
        assert!(page(31).contains("31 days left") && !page(31).contains("class=\"soon\""));
        assert!(page(-1).contains("<span class=\"bad\">ended "));
        assert!(page(31).contains("whether it is synchronised is not known"));
    }

    #[test]
    fn what_the_cloud_rejected_is_shown_with_its_reason_and_the_way_back() {
        let mut status = status(Refusals::default());
        assert!(!render(&status, &Shown::default()).contains("retry-rejected"));
        let rejected = outbox::Rejected {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            kind: "result".to_owned(),
            reason: "it says <what> cannot be".to_owned(),
        };
        let levels = Levels { rejected: vec![rejected], ..Levels::default() };
        status.levels = tokio::sync::watch::channel(levels).1;
        let page = render(&status, &Shown::default());
        assert!(page.contains("it says &lt;what&gt; cannot be") && page.contains("retry-rejected"), "{page}");
    }

    #[test]
    fn the_page_is_whole_in_itself_and_reloads_only_where_asked_to() {
        let status = status(Refusals::default());
        let page = render(&status, &Shown::default());
        assert!(!page.contains("http-equiv") && !page.contains("src=") && !page.contains("://"), "{page}");
        assert!(render(&status, &Shown { is_live: true, ..Shown::default() }).contains("http-equiv=\"refresh\""));
    }
}
