//! How the outbox is emptied: a bounded window of leased messages, refilled as receipts come.

pub mod inflight;
pub mod pump;
pub mod queue;
pub mod telemetry;
