//! The device's own state as a message: small, unqueued, sent while connected. It never tells anything about a patient.

use outbox::Depth;
use wire::v1::TelemetryV1;

/// How often the cloud hears of the device.
///
/// Fast enough that a dashboard shows a silent device within half a minute, slow enough that 100,000 devices are
/// 10,000 small messages a second.
pub const EVERY: std::time::Duration = std::time::Duration::from_secs(10);

/// One snapshot.
#[must_use]
pub fn snapshot(depth: &Depth, now_ms: i64) -> TelemetryV1 {
    let age = |since: i64| u64::try_from(now_ms.saturating_sub(since)).unwrap_or(0);
    TelemetryV1 {
        at_ms: now_ms,
        queue_depth: depth.waiting,
        oldest_ms: depth.oldest_ms.map_or(0, age),
        rejected: depth.rejected,
        sync_agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_outbox_has_no_age_and_a_clock_set_back_no_negative_one() {
        let empty = snapshot(&Depth::default(), 5);
        assert_eq!((empty.queue_depth, empty.oldest_ms), (0, 0));
        let depth = Depth { waiting: 2, oldest_ms: Some(100), rejected: 1 };
        assert_eq!(snapshot(&depth, 150).oldest_ms, 50);
        assert_eq!(snapshot(&depth, 50).oldest_ms, 0);
    }
}
