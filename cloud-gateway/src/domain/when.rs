//! Instants as the gateway stores and shows them. It never reads the clock except in [`now`], called at the edges only.

use time::OffsetDateTime;
use time::macros::format_description;

/// Milliseconds since the Unix epoch, UTC.
pub type UnixMs = i64;

/// The one place where the gateway looks at the clock.
#[must_use]
pub fn now() -> UnixMs {
    let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
    i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)
}

/// The same instant for certificates; `None` outside the years -9999 to 9999.
#[must_use]
pub fn instant(at: UnixMs) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000).ok()
}

/// RFC 3339 with milliseconds, UTC: `2026-01-02T03:04:05.678Z`. `None` outside the years 0 to 9999.
#[must_use]
pub fn rfc3339(at: UnixMs) -> Option<String> {
    let instant = instant(at)?;
    if !(0..=9999).contains(&instant.year()) {
        return None;
    }
    let layout = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    instant.format(&layout).ok()
}

/// Reads RFC 3339, whatever its offset; what is finer than a millisecond is cut off. `None` for another text.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<UnixMs> {
    let instant = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_exactly_three_decimals() {
        for (at, words) in [
            (0, Some("1970-01-01T00:00:00.000Z")),
            (1_767_322_845_678, Some("2026-01-02T03:00:45.678Z")),
            (1_767_322_845_600, Some("2026-01-02T03:00:45.600Z")),
            (-1, Some("1969-12-31T23:59:59.999Z")),
            (i64::MAX, None),
            (i64::MIN, None),
        ] {
            assert_eq!(rfc3339(at).as_deref(), words, "{at}");
        }
    }

    #[test]
    fn an_instant_is_read_back_and_an_offset_understood() {
        for at in [0, 1_767_322_845_678, -1] {
            assert_eq!(from_rfc3339(&rfc3339(at).unwrap()), Some(at));
        }
        assert_eq!(from_rfc3339("2026-01-02T04:00:45.6789+01:00"), Some(1_767_322_845_678));
        assert_eq!(from_rfc3339("2026-01-02"), None);
    }
}
