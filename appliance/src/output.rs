//! What goes back to the hospital: each concluded image as objects and messages that its own systems understand, and their
//! way there. Nothing of it leaves the hospital's network by itself; what goes to the cloud goes through [`crate::privacy`].
//!
//! ```text
//! reading ─▶ dispatch: record (sealed) and routing ─▶ journal, with the result ─▶ courier, one for each destination
//!                                                                                  ├─▶ peer: sr, capture │ hl7 │ fhir
//!                                                                                  └─▶ commitment
//! ```

pub mod capture;
pub mod commitment;
pub mod config;
pub mod courier;
pub mod dispatch;
pub mod fhir;
pub mod hl7;
pub mod modules;
pub mod peer;
pub mod record;
pub mod routing;
pub mod service;
pub mod sr;
pub mod uids;
pub mod verdict;
pub mod words;

pub use config::OutputConfig;
pub use dispatch::Dispatch;
pub use record::Record;
pub use service::Service;
