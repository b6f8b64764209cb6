//! The status page: one page of HTML for whoever stands before the appliance, without a script. Whatever came from outside
//! is escaped.

use std::fmt::Write;

use outbox::DeliveryState;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Status;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #d8dee4}th{font-weight:600;width:16rem}\
.ok{color:#116329}.bad{color:#a40e26;font-weight:600}footer{margin-top:2rem;color:#57606a;font-size:.9rem}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th,td{border-color:#30363d}.ok{color:#3fb950}.bad{color:#ff7b72}footer{color:#8b949e}}";

/// The whole page.
pub(super) fn render(status: &Status) -> String {
    let ready = status.health.is_ready();
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">",
    );
    page.push_str("<meta http-equiv=\"refresh\" content=\"10\"><title>Hilum appliance</title><style>");
    page.push_str(STYLE);
    page.push_str("</style>");
    heading(&mut page, "h1", &format!("Hilum appliance {}", status.name));
    let (class, words) = if ready { ("ok", "Everything works.") } else { ("bad", "Something needs attention.") };
    line(&mut page, &format!("<p class=\"{class}\">{words}</p>"));
    parts(&mut page, status);
    queues(&mut page, status);
    deliveries(&mut page, status);
    refusals(&mut page, status);
    about(&mut page, status);
    page.push_str(
        "<footer>This page holds nothing about patients. Hilum is not a cleared medical device; its results are for \
         review by a clinician. Figures: <a href=\"/metrics\">/metrics</a>, state: <a href=\"/health/ready\">/health/ready</a>.\
         </footer></html>",
    );
    page
}

fn parts(page: &mut String, status: &Status) {
    heading(page, "h2", "Parts");
    let report = status.health.report();
    table(
        page,
        report.parts.iter().map(|(name, state)| {
            let class = if state == "ok" { "ok" } else { "bad" };
            ((*name).to_owned(), format!("<span class=\"{class}\">{}</span>", escaped(state)))
        }),
    );
}

fn queues(page: &mut String, status: &Status) {
    let levels = *status.levels.borrow();
    let now_ms = (status.world.now_ms)();
    let oldest = levels.depth.oldest_ms.map_or_else(|| "none".to_owned(), |ms| age(now_ms.saturating_sub(ms)));
    heading(page, "h2", "Images");
    table(
        page,
        [
            ("Received, waiting to be read".to_owned(), levels.counts.accepted.to_string()),
            ("Read, result not yet confirmed by the cloud".to_owned(), levels.counts.concluded.to_string()),
            ("Confirmed by the cloud".to_owned(), levels.counts.receipted.to_string()),
            ("Messages waiting for the cloud".to_owned(), levels.depth.waiting.to_string()),
            ("Oldest of them".to_owned(), oldest),
            ("Messages that the cloud rejected".to_owned(), levels.depth.rejected.to_string()),
        ],
    );
}

/// What the hospital's own systems were given, and what stops the rest. Nothing where none is configured.
fn deliveries(page: &mut String, status: &Status) {
    let levels = status.deliveries.borrow();
    if levels.counts.is_empty() {
        return;
    }
    heading(page, "h2", "Reports to the hospital's systems");
    table(
        page,
        levels.counts.iter().map(|one| (format!("{}: {}", one.destination, meaning(one.state)), one.count.to_string())),
    );
    if levels.troubles.is_empty() {
        return;
    }
    heading(page, "h2", "What stops reports");
    table(
        page,
        levels.troubles.iter().map(|one| {
            let times = if one.count > 1 { format!(" ({} reports)", one.count) } else { String::new() };
            let words = format!("{}, {}: {}{times}", one.destination, meaning(one.state), one.reason);
            (moment(one.last_ms), escaped(&words))
        }),
    );
}

/// A delivery's state as people say it.
fn meaning(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Sent => "stored, commitment awaited",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Committed => "stored and committed",
        DeliveryState::Refused => "refused",
        DeliveryState::Unconfirmed => "stored, never confirmed",
    }
}

fn refusals(page: &mut String, status: &Status) {
    heading(page, "h2", "Last refusals");
    let list = status.refusals.list();
    if list.is_empty() {
        line(page, "<p>None since the start.</p>");
        return;
    }
    table(
        page,
        list.iter().map(|refusal| {
            let times = if refusal.times > 1 { format!(" ({} times)", refusal.times) } else { String::new() };
            (moment(refusal.last_ms), escaped(&refusal.words) + &times)
        }),
    );
}

fn about(page: &mut String, status: &Status) {
    heading(page, "h2", "About");
    let mut rows = vec![
        (
            "AE title and port".to_owned(),
            format!("{} on port {}", escaped(status.ae_title.as_str()), status.dicom_port),
        ),
        ("Appliance".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("Running for".to_owned(), age(i64::try_from(status.began.elapsed().as_millis()).unwrap_or(i64::MAX))),
    ];
    if let Some(model) = &*status.model.borrow() {
        let (manifest, point) = (&model.manifest, model.operating_point());
        rows.push(("Model".to_owned(), escaped(&format!("{} {} ({})", manifest.id, manifest.version, manifest.title))));
        rows.push(("Model's SHA-256".to_owned(), escaped(model.digest())));
        rows.push((
            "Operating point".to_owned(),
            escaped(&format!("{}: positive from {:.3}", point.name, point.threshold)),
        ));
        rows.push(("Computed by".to_owned(), escaped(&format!("{} ({})", model.provider, model.runtime))));
    } else {
        rows.push(("Model".to_owned(), "being loaded".to_owned()));
    }
    table(page, rows);
}

/// Rows of a plain heading and a cell that is HTML already.
fn table(page: &mut String, rows: impl IntoIterator<Item = (String, String)>) {
    page.push_str("<table>");
    for (name, cell) in rows {
        line(page, &format!("<tr><th>{}</th><td>{cell}</td></tr>", escaped(&name)));
    }
    page.push_str("</table>");
}

fn heading(page: &mut String, level: &str, text: &str) {
    line(page, &format!("<{level}>{}</{level}>", escaped(text)));
}

fn line(page: &mut String, html: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{html}");
}

fn escaped(text: &str) -> String {
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
    safe
}

/// A length of time as people say it.
fn age(ms: i64) -> String {
    match ms / 1000 {
        ..=119 => format!("{} s", (ms / 1000).max(0)),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

fn moment(ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(ms / 1000).ok().and_then(|time| time.format(&Rfc3339).ok());
    time.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::sync::watch;
    use vitals::health::Health;

    use super::*;
    use crate::journal::{DeliveryLevels, Levels};
    use crate::refusals::Refusals;
    use crate::world::World;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let refusals = Refusals::default();
        refusals.note(1_700_000_000_000, "\"<script>alert(1)</script>\" is not on the list".to_owned());
        let health = Health::default();
        let part = health.part("journal", "a <b> reason");
        let status = Status {
            health,
            ae_title: "HI<LUM".parse().unwrap(),
            dicom_port: 11112,
            name: "demo-1, St Mary & St John".into(),
            refusals,
            levels: watch::channel(Levels::default()).1,
            deliveries: watch::channel(DeliveryLevels::default()).1,
            model: watch::channel(None).1,
            world: World::real(),
            began: Instant::now(),
        };
        let page = render(&status);
        assert!(!page.contains("<script>") && !page.contains("HI<LUM") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("2023-11-14T22:13:20Z") && page.contains("attention"));
        part.up();
        assert!(render(&status).contains("Everything works."));
    }

    #[test]
    fn lengths_of_time_are_round() {
        for (ms, words) in
            [(-5, "0 s"), (119_999, "119 s"), (120_000, "2 min"), (7_200_000, "2 h"), (172_800_000, "2 days")]
        {
            assert_eq!(age(ms), words);
        }
    }
}
