//! The sync-agent's own health and metrics over HTTP. It never shows a message.

use std::time::Duration;

use metrics::gauge;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;

use crate::drain::queue::Queue;

/// How often the outbox is measured: a Prometheus server scrapes every 15 to 60 s.
const EVERY: Duration = Duration::from_secs(5);

/// Keeps the outbox's gauges and health current until `stop`.
pub async fn watch(queue: Queue, part: Part, clock: fn() -> i64, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match queue.depth().await {
            Ok(depth) => {
                part.up();
                // Counts and ages are far below 2^52: a gauge holds them exactly.
                gauge!("sync_outbox_depth").set(depth.waiting as f64);
                gauge!("sync_outbox_rejected").set(depth.rejected as f64);
                let age_ms = depth.oldest_ms.map_or(0, |since| clock().saturating_sub(since).max(0));
                gauge!("sync_outbox_oldest_seconds").set(age_ms as f64 / 1e3);
            }
            Err(error) => part.down(&vitals::exit::chain(&error)),
        }
    }
}
