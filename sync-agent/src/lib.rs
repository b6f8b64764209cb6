//! The sync-agent: takes messages from the device's outbox, seals them, sends them over MQTT 5 with mutual TLS 1.3, and
//! settles each on the gateway's receipt. It never reads a radiograph and never writes a message of its own but
//! telemetry.
//!
//! Nothing here counts on the broker's memory: the outbox is the state, a connection starts with nothing of the one
//! before, and what was sent without a receipt is sent again.

pub mod app;
pub mod carry;
pub mod clock;
pub mod config;
pub mod drain;
pub mod enrolment;
pub mod est;
pub mod identity;
pub mod mqtt;
pub mod paper;
pub mod renewal;
pub mod sealing;
pub mod status;
