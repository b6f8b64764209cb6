//! C-STORE, the thin face of [`crate::intake`]: a command to what it announces, a refusal to the standard's status. A store
//! that fails costs its scanner one status, never the association.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use metrics::{counter, histogram};

use super::acceptance::Context;
use super::dimse::Request;
use super::{AeTitle, Status, syntax};
use crate::intake::{Announced, Incoming, Intake, Origin, Refusal};
use crate::reading_order::Asked;

/// Who is storing.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Its AE title.
    pub(super) title: AeTitle,
    /// The title that it called: ours.
    pub(super) called: AeTitle,
    /// Its address.
    pub(super) address: IpAddr,
    /// The association's trace.
    pub(super) traceparent: String,
}

/// One C-STORE from its command to its status.
pub(super) struct Storing {
    began: Instant,
    incoming: Result<Incoming, Status>,
}

impl Storing {
    /// Begins with the command, before any byte of the dataset.
    pub(super) async fn begin(intake: &Arc<Intake>, caller: &Caller, request: &Request, context: &Context) -> Self {
        let began = Instant::now();
        let incoming = match announced(request, context) {
            Ok(announced) => Ok(intake.begin(caller.origin(), announced).await),
            Err(status) => Err(status),
        };
        Self { began, incoming }
    }

    /// Takes a fragment of the dataset.
    pub(super) async fn take(&mut self, fragment: &[u8]) {
        if let Ok(incoming) = &mut self.incoming {
            incoming.take(fragment).await;
        }
    }

    /// Ends with the last fragment: what the scanner is told.
    pub(super) async fn finish(self, intake: &Intake, caller: &Caller) -> Status {
        let status = match self.incoming {
            Ok(incoming) => incoming.finish().await.map_or_else(Status::from, |_| Status::SUCCESS),
            Err(status) => status,
        };
        histogram!("dicom_store_duration_seconds").record(self.began.elapsed().as_secs_f64());
        report(intake, caller, status);
        status
    }
}

impl Caller {
    fn origin(&self) -> Origin {
        Origin { source: self.title.clone(), traceparent: self.traceparent.clone() }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge => Self::TOO_LARGE,
            Refusal::DiskFull => Self::DISK_FULL,
            Refusal::Mismatch => Self::DATASET_MISMATCH,
            Refusal::Failed => Self::FAILED,
        }
    }
}

fn announced(request: &Request, context: &Context) -> Result<Announced, Status> {
    let class = request.sop_class.clone().ok_or(Status::CLASS_NOT_SUPPORTED)?;
    if class.as_str() != context.abstract_syntax || syntax::storage_name(class.as_str()).is_none() {
        return Err(Status::CLASS_NOT_SUPPORTED);
    }
    let instance = request.sop_instance.clone().ok_or(Status::INVALID_INSTANCE)?;
    let asked = Asked::of(request.priority);
    Ok(Announced { class, instance, asked, transfer_syntax: context.transfer_syntax })
}

/// Counts a store and, where it was refused, keeps the words.
pub(super) fn report(intake: &Intake, caller: &Caller, status: Status) {
    counter!("dicom_stores_total", "status" => status.label).increment(1);
    if !status.is_success() {
        tracing::warn!(source = %caller.title, status = format!("0x{:04X}", status.code), reason = status.label, "store refused");
        let words = format!("An object from {} at {} was refused: {}.", caller.title, caller.address, status.comment);
        intake.refusals.note((intake.world.now_ms)(), words);
    }
}
