//! The machine's own time zone, which `time` does not tell a program with threads. It reads the zone's rules and nothing else.

use time::{OffsetDateTime, UtcOffset};
use tz::TimeZone;

/// A moment on the machine's wall clock, with its zone's name. A machine without a zone is in UTC, as everything else on it
/// is then. `ms` is milliseconds since the Unix epoch.
#[must_use]
pub fn local(ms: i64) -> (OffsetDateTime, String) {
    let seconds = ms.div_euclid(1000);
    let utc = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let zone = TimeZone::local().ok();
    let kind = zone.as_ref().and_then(|zone| zone.find_local_time_type(seconds).ok());
    let offset = kind.and_then(|kind| UtcOffset::from_whole_seconds(kind.ut_offset()).ok());
    match (offset, kind) {
        (Some(offset), Some(kind)) => (utc.to_offset(offset), kind.time_zone_designation().to_owned()),
        _ => (utc, "UTC".to_owned()),
    }
}

/// Minutes that the machine's wall clock is ahead of UTC at this moment; -1080 to 1080.
#[must_use]
pub fn offset_minutes(ms: i64) -> i16 {
    local(ms).0.offset().whole_minutes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_shows_the_same_moment() {
        for ms in [0, 1_700_000_000_000, i64::MAX] {
            let (time, zone) = local(ms);
            assert!(!zone.is_empty());
            assert_eq!(time.offset().whole_minutes(), offset_minutes(ms));
        }
        assert_eq!(local(1_700_000_000_999).0.unix_timestamp(), 1_700_000_000);
    }
}
