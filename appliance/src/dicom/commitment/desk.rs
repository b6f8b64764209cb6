//! What an association says of storage commitment, in both directions: a scanner asks us (N-ACTION), a PACS reports to us
//! (N-EVENT-REPORT). Commands to decisions; it never touches a socket.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::sync::{mpsc, oneshot};

use super::provider::{Claim, Provider};
use super::{Ask, Notice, PUSH_MODEL, PUSH_MODEL_INSTANCE, Report};
use crate::dicom::acceptance::Context;
use crate::dicom::dimse::{self, Kind, Request};
use crate::dicom::store::Caller;
use crate::dicom::{AeTitle, Status, Uid};

/// Time for a report to be recorded, which is one commit: twice what the journal waits for another process.
const RECORDED_WITHIN: Duration = Duration::from_secs(20);

/// Where an association asks and reports. Clones share it.
#[derive(Clone)]
pub struct Desk {
    /// Answers what scanners ask.
    pub provider: Arc<Provider>,
    /// Takes what PACSs report.
    pub notices: mpsc::Sender<Notice>,
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    /// A request of ours to keep: N-ACTION.
    Asked,
    /// A report of what is kept: N-EVENT-REPORT.
    Reported,
}

impl Matter {
    /// Judges the command before its dataset.
    pub(crate) fn of(request: &Request, context: &Context) -> Result<Self, Status> {
        if context.abstract_syntax != PUSH_MODEL {
            return Err(Status::UNRECOGNIZED_OPERATION);
        }
        if request.sop_class.as_ref().is_none_or(|class| class.as_str() != PUSH_MODEL) {
            return Err(Status::CLASS_NOT_SUPPORTED);
        }
        if request.sop_instance.as_ref().is_none_or(|instance| instance.as_str() != PUSH_MODEL_INSTANCE) {
            return Err(Status::NO_SUCH_INSTANCE);
        }
        match (request.kind, request.type_id) {
            (Kind::Action, Some(1)) => Ok(Self::Asked),
            (Kind::Action, _) => Err(Status::NO_SUCH_ACTION),
            (Kind::EventReport, Some(1 | 2)) => Ok(Self::Reported),
            (Kind::EventReport, _) => Err(Status::NO_SUCH_EVENT),
            _ => Err(Status::UNRECOGNIZED_OPERATION),
        }
    }
}

impl Desk {
    /// A whole request: noted durably, or refused.
    pub(in crate::dicom) async fn asked(&self, caller: &Caller, dataset: &[u8], syntax: &str) -> Result<Claim, Status> {
        let asked = match Ask::parse(dataset, syntax) {
            Ok(ask) => self.provider.ask(&caller.title, &caller.called, ask).await,
            Err(_) => Err(Status::INVALID_ARGUMENT),
        };
        let outcome = asked.as_ref().map_or_else(|status| status.label, |_| "taken");
        counter!("dicom_commitment_requests_total", "outcome" => outcome).increment(1);
        if let Err(status) = &asked {
            let words = format!("Storage commitment for {} was refused: {}.", caller.title, status.comment);
            self.provider.note(words);
        }
        asked
    }

    /// A whole report: success only after whoever asked has recorded it.
    pub(crate) async fn reported(&self, from: &AeTitle, dataset: &[u8], syntax: &str) -> Status {
        let Ok(report) = Report::parse(dataset, syntax) else { return Status::INVALID_ARGUMENT };
        let (recorded, answer) = oneshot::channel();
        let notice = Notice { from: from.clone(), report, recorded };
        if self.notices.try_send(notice).is_err() {
            return Status::COMMITMENT_FAILED;
        }
        match tokio::time::timeout(RECORDED_WITHIN, answer).await {
            Ok(Ok(())) => Status::SUCCESS,
            _ => Status::COMMITMENT_FAILED,
        }
    }

    /// What is said of a request now; `None` where the journal does not answer.
    pub(crate) async fn judge(&self, claim: &Claim) -> Option<Report> {
        let judged = self.provider.judge(&claim.ask).await;
        judged
            .inspect_err(|error| {
                tracing::error!(error = vitals::exit::chain(error), "a report of storage commitment waits");
            })
            .ok()
    }

    /// The scanner answered its report.
    pub(crate) async fn delivered(&self, claim: Claim, status: u16) {
        if status == 0 {
            self.provider.settle(claim.id).await;
            counter!("dicom_commitment_reports_total", "way" => "same_association").increment(1);
        } else {
            tracing::warn!(
                status = format!("0x{status:04X}"),
                "a report of storage commitment was refused; it is sent again"
            );
        }
    }
}

/// The command of a report.
#[must_use]
pub(crate) fn event_command(message: u16, report: &Report) -> Vec<u8> {
    // PS3.4 table J.3-4: 1 where all is well, 2 where failures exist.
    let event_type = if report.failed.is_empty() { 1 } else { 2 };
    dimse::event_report_request(
        message,
        &Uid::well_known(PUSH_MODEL),
        &Uid::well_known(PUSH_MODEL_INSTANCE),
        event_type,
    )
}
