//! The network contract between a Hilum device and its cloud.
//!
//! Everything two programs must agree on to understand each other over a network is here and nowhere else: names
//! ([`ids`]), addresses ([`topics`]), the labels around a payload ([`envelope`]), the seal on it ([`seal`]), the frozen
//! payloads themselves ([`v1`]), the folder that stands in for a network ([`carry`]) and the papers exchanged when a device joins
//! ([`enrolment`]).
//!
//! This crate never does I/O, never reads a clock and never draws randomness: both come in as arguments.
//!
//! # Compatibility
//! A device may be years older than its gateway. The types in [`v1`] are frozen: fields are only ever added, each with
//! a default; a new meaning is a new module `v2`. Golden byte files in `wire/tests/golden/` fail when a frozen type's
//! encoding moves.

pub mod backoff;
pub mod carry;
pub mod codec;
pub mod enrolment;
pub mod envelope;
pub mod est;
pub mod ids;
pub mod seal;
pub mod topics;
pub mod v1;
