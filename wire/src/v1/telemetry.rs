//! The device's own state, sent while connected and never queued: yesterday's queue depth helps nobody.

use serde::{Deserialize, Serialize};

/// One snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryV1 {
    /// When it was taken, milliseconds since the Unix epoch, UTC.
    pub at_ms: i64,
    /// Outbox rows not yet receipted.
    pub queue_depth: u64,
    /// Age of the oldest of them, milliseconds; 0 when there is none.
    pub oldest_ms: u64,
    /// Rows that the gateway rejected.
    pub rejected: u64,
    /// Version of the sync-agent.
    pub sync_agent_version: String,
}
