//! Figures as people say them: times in the machine's own zone, lengths of time, sizes, outcomes.

use outbox::DeliveryState;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::time_zone::local;

const MOMENT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const CLOCK: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second]");

/// Milliseconds since the Unix epoch in the machine's time zone, with its name.
#[must_use]
pub fn moment(ms: i64) -> String {
    let (time, zone) = local(ms);
    format!("{} {zone}", time.format(MOMENT).unwrap_or_default())
}

/// The time of day where it is today, else the whole moment.
pub(super) fn time_of_day(ms: i64, now_ms: i64) -> String {
    let ((time, _), (now, _)) = (local(ms), local(now_ms));
    if time.date() == now.date() { time.format(CLOCK).unwrap_or_default() } else { moment(ms) }
}

/// The last midnight in the machine's time zone, milliseconds since the Unix epoch.
pub(super) fn midnight_ms(now_ms: i64) -> i64 {
    let (now, _) = local(now_ms);
    now.replace_time(time::Time::MIDNIGHT).unix_timestamp() * 1000
}

/// A length of time.
pub(super) fn age(ms: i64) -> String {
    match ms / 1000 {
        ..=119 => format!("{} s", (ms / 1000).max(0)),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// So many of something.
#[must_use]
pub fn counted(count: u64, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

/// Bytes, in the units of disks' labels.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=999_999 => format!("{} kB", bytes / 1000),
        1_000_000..=999_999_999 => format!("{} MB", bytes / 1_000_000),
        1_000_000_000..=999_999_999_999 => format!("{:.1} GB", bytes as f64 / 1e9),
        _ => format!("{:.1} TB", bytes as f64 / 1e12),
    }
}

/// Where a delivery to one of the hospital's own systems stands.
#[must_use]
pub fn delivery(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Sent => "stored, commitment awaited",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Committed => "stored and committed",
        DeliveryState::Refused => "refused",
        DeliveryState::Unconfirmed => "stored, never confirmed",
    }
}

/// What became of an image, from the ledger's status and detail.
#[must_use]
pub fn outcome(status: &str, detail: &str) -> String {
    match (status, detail) {
        ("read", "positive") => "signs of pneumonia".to_owned(),
        ("read", _) => "no signs of pneumonia detected, which does not exclude it".to_owned(),
        ("abstained", code) => format!("not read: {}", crate::privacy::words(code)),
        (_, code) => format!("unreadable: {}", crate::privacy::words(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_round() {
        for (ms, words) in
            [(-5, "0 s"), (119_999, "119 s"), (120_000, "2 min"), (7_200_000, "2 h"), (172_800_000, "2 days")]
        {
            assert_eq!(age(ms), words);
        }
    }

    #[test]
    fn one_is_one_and_all_others_are_more() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "image", "images")), ["0 images", "1 image", "2 images"]);
    }

    #[test]
    fn sizes_are_round() {
        for (bytes, words) in [
            (0, "0 kB"),
            (999_999, "999 kB"),
            (12_000_000, "12 MB"),
            (1_500_000_000, "1.5 GB"),
            (2_000_000_000_000, "2.0 TB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn midnight_is_not_in_the_future_and_not_long_ago() {
        for now_ms in [0, 1_700_000_000_000, 1_711_846_800_000] {
            let since = now_ms - midnight_ms(now_ms);
            // A day has 25 hours once a year.
            assert!((0..25 * 3_600_000).contains(&since), "{since}");
        }
    }

    #[test]
    fn outcomes_are_sentences_and_unknown_codes_are_not_repeated() {
        assert_eq!(outcome("read", "negative"), "no signs of pneumonia detected, which does not exclude it");
        assert!(!outcome("abstained", "<b>").contains("<b>"));
    }
}
