//! Takes sealed results from devices, stores each once, and serves the review dashboard.
//!
//! Data flows one way: broker → [`ingest`] → [`store`] and [`objects`] → [`api`] → dashboard. Only receipts flow back,
//! and only after the commit they speak of; [`live`] tells open pages what was committed. Beside it [`broker_log`] brings what the broker refused into the audit trail.

pub mod accounts;
pub mod api;
pub mod api_keys;
pub mod app;
pub mod auth;
pub mod authority;
pub mod broker_log;
pub mod carry;
pub mod cli;
pub mod config;
pub mod domain;
pub mod enrolment;
pub mod est;
pub mod identity;
pub mod ingest;
pub mod live;
pub mod objects;
pub mod quality;
pub mod replicas;
pub mod revocation;
pub mod store;
pub mod survey;
