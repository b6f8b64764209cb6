//! Storage commitment (PS3.4 annex J) in types: what is asked for, and what a report says of it. It never touches a socket.

mod dataset;
mod desk;
mod owed;
pub mod provider;
pub mod reporter;

use tokio::sync::{mpsc, oneshot};

pub use dataset::InvalidDataset;
pub use desk::Desk;
pub(super) use desk::{Matter, event_command};
pub(super) use owed::Owed;
pub use provider::{FAILURE_REASONS, Provider};
pub use reporter::Reporter;

use super::{AeTitle, Uid};

/// Storage Commitment Push Model, its SOP class and its one well-known instance (PS3.4 J.3.5).
pub const PUSH_MODEL: &str = "1.2.840.10008.1.20.1";
/// See [`PUSH_MODEL`].
pub const PUSH_MODEL_INSTANCE: &str = "1.2.840.10008.1.20.1.1";

/// Longest dataset of a request or a report, bytes: some 8,000 objects, many times a study.
pub(super) const LONGEST: usize = 1 << 20;

/// Reports of PACSs that may wait to be recorded: a PACS sends one for each delivery, and one more is told to come again.
const WAITING: usize = 64;

/// An object by its identifiers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Referenced SOP Class UID (0008,1150).
    pub class: Uid,
    /// Referenced SOP Instance UID (0008,1155).
    pub instance: Uid,
}

/// What an N-ACTION asks (action type 1, Request Storage Commitment).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Transaction UID (0008,1195), of the asker's making.
    pub transaction: Uid,
    /// Referenced SOP Sequence (0008,1199), at least one.
    pub references: Vec<Reference>,
}

/// What an N-EVENT-REPORT says: event type 1 where nothing failed, 2 otherwise (PS3.4 table J.3-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Transaction UID (0008,1195) of the request that it answers.
    pub transaction: Uid,
    /// Referenced SOP Sequence (0008,1199): what is kept safely.
    pub committed: Vec<Reference>,
    /// Failed SOP Sequence (0008,1198), each with its Failure Reason (0008,1197).
    pub failed: Vec<(Reference, u16)>,
}

/// A report about something of ours, as it came in.
#[derive(Debug)]
pub struct Notice {
    /// Who reports, by its AE title.
    pub from: AeTitle,
    /// What it says.
    pub report: Report,
    /// To be told once the report is recorded. Dropped instead, the reporter is answered with a failure and comes again.
    pub recorded: oneshot::Sender<()>,
}

/// The way of reports from the port to whoever asked for them.
#[must_use]
pub fn notices() -> (mpsc::Sender<Notice>, mpsc::Receiver<Notice>) {
    mpsc::channel(WAITING)
}
