//! The device's line to the broker.

pub mod credentials;
pub mod session;
