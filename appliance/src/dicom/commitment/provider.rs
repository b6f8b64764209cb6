//! The answering side of storage commitment: notes what a scanner asks, and judges it by what the journal names and the
//! spool holds at the moment of the report. It never talks to a scanner.
//!
//! Committed means kept until its result is in the cloud and no longer: this appliance is no archive. An image whose file
//! has gone is told as what it is, no such object instance.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outbox::{Commitment, CommitmentId, Holding};
use tokio::sync::Notify;

use super::{Ask, Reference, Report};
use crate::dicom::{AeTitle, Status, syntax};
use crate::intake::Intake;
use crate::journal::JournalError;

/// Reports that may be owed at a time. A scanner asks once for each study; a thousand are weeks of a scanner that cannot
/// be reached.
const MOST_OWED: u64 = 1000;

/// Failure Reasons, PS3.3 C.14.1.1.
mod reason {
    pub(super) const NO_SUCH_INSTANCE: u16 = 0x0112;
    pub(super) const CLASS_INSTANCE_CONFLICT: u16 = 0x0119;
    pub(super) const CLASS_NOT_SUPPORTED: u16 = 0x0122;
}

/// Every Failure Reason that a report of ours gives, with its name in the standard.
pub const FAILURE_REASONS: [(u16, &str); 3] = [
    (reason::NO_SUCH_INSTANCE, "No such object instance"),
    (reason::CLASS_INSTANCE_CONFLICT, "Class / Instance conflict"),
    (reason::CLASS_NOT_SUPPORTED, "Referenced SOP Class not supported"),
];

/// The answering side of storage commitment.
pub struct Provider {
    intake: Arc<Intake>,
    /// Requests whose association is still open, by scanner and transaction: their reports go out there first.
    claimed: Mutex<HashSet<(String, String)>>,
    /// Told when a report is left to [`super::reporter`].
    left: Notify,
}

/// A request whose report is owed, held by the association that asked. Dropped, it is left to [`super::reporter`].
pub(crate) struct Claim {
    provider: Arc<Provider>,
    key: (String, String),
    pub(crate) id: CommitmentId,
    pub(crate) ask: Ask,
}

impl Provider {
    /// Over the same journal and spool as the intake.
    #[must_use]
    pub fn new(intake: Arc<Intake>) -> Self {
        Self { intake, claimed: Mutex::default(), left: Notify::new() }
    }

    /// Notes a request durably; only then may it be answered with success.
    pub(crate) async fn ask(self: &Arc<Self>, scanner: &AeTitle, called: &AeTitle, ask: Ask) -> Result<Claim, Status> {
        let journal = &self.intake.journal;
        let owed = journal.owed_report_count().await.map_err(|error| refused(&error))?;
        if owed >= MOST_OWED {
            return Err(Status::TOO_MANY_REPORTS);
        }
        let key = (scanner.to_string(), ask.transaction.to_string());
        // Before the row is there, so that no other way sends its report.
        self.claimed().insert(key.clone());
        let pair = |one: &Reference| (one.class.to_string(), one.instance.to_string());
        let commitment = Commitment {
            transaction: ask.transaction.to_string(),
            scanner: scanner.to_string(),
            called: called.to_string(),
            asked: ask.references.iter().map(pair).collect(),
            asked_ms: (self.intake.world.now_ms)(),
        };
        match journal.ask_commitment(commitment).await {
            Ok(id) => Ok(Claim { provider: Arc::clone(self), key, id, ask }),
            Err(error) => {
                self.claimed().remove(&key);
                Err(refused(&error))
            }
        }
    }

    /// What the journal names and the spool holds now.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn judge(&self, ask: &Ask) -> Result<Report, JournalError> {
        let instances = ask.references.iter().map(|one| one.instance.to_string()).collect();
        let named = self.intake.journal.holdings(instances).await?;
        let spool = self.intake.spool.clone();
        // A file system that does not say is no proof that a file is there.
        let there = move |holding: &Holding| spool.path(&holding.file).try_exists().unwrap_or(false);
        let held = tokio::task::spawn_blocking(move || {
            named.into_iter().map(|all| all.into_iter().filter(&there).collect()).collect::<Vec<Vec<_>>>()
        });
        let held = held.await.map_err(|_| JournalError::Ended)?;
        let mut report = Report { transaction: ask.transaction.clone(), committed: Vec::new(), failed: Vec::new() };
        for (reference, held) in ask.references.iter().zip(held) {
            match failure(reference, &held) {
                None => report.committed.push(reference.clone()),
                Some(reason) => report.failed.push((reference.clone(), reason)),
            }
        }
        Ok(report)
    }

    /// Notes that the report has arrived.
    pub(crate) async fn settle(&self, id: CommitmentId) {
        if let Err(error) = self.intake.journal.settle_report(id).await {
            // It is sent once more, which says the same.
            tracing::warn!(
                error = vitals::exit::chain(&error),
                "a delivered report of storage commitment was not noted"
            );
        }
    }

    /// Keeps words for the status page.
    pub(super) fn note(&self, words: String) {
        self.intake.refusals.note((self.intake.world.now_ms)(), words);
    }

    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    /// True while the association that asked is open.
    pub(super) fn is_claimed(&self, scanner: &str, transaction: &str) -> bool {
        self.claimed().contains(&(scanner.to_owned(), transaction.to_owned()))
    }

    /// Until a report is left to be sent.
    pub(super) async fn left(&self) {
        self.left.notified().await;
    }

    fn claimed(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.provider.claimed().remove(&self.key);
        self.provider.left.notify_one();
    }
}

/// Why an object is not committed to; `None` where it is. `held` are its files that are there.
fn failure(asked: &Reference, held: &[Holding]) -> Option<u16> {
    if syntax::storage_name(asked.class.as_str()).is_none() {
        return Some(reason::CLASS_NOT_SUPPORTED);
    }
    let same = |holding: &Holding| holding.sop_class.as_deref().is_none_or(|class| class == asked.class.as_str());
    match held {
        [] => Some(reason::NO_SUCH_INSTANCE),
        held if held.iter().any(same) => None,
        _ => Some(reason::CLASS_INSTANCE_CONFLICT),
    }
}

fn refused(error: &JournalError) -> Status {
    tracing::error!(error = vitals::exit::chain(error), "a request for storage commitment could not be journalled");
    Status::COMMITMENT_FAILED
}

#[cfg(test)]
mod tests {
    use super::*;

    const CR: &str = "1.2.840.10008.5.1.4.1.1.1";
    const SC: &str = "1.2.840.10008.5.1.4.1.1.7";

    #[test]
    fn only_what_is_held_under_that_class_is_committed_to() {
        let asked = |class: &str| Reference { class: class.parse().unwrap(), instance: "1.2.3".parse().unwrap() };
        let held = |class: Option<&str>| Holding { sop_class: class.map(str::to_owned), file: "a.dcm".to_owned() };
        for (class, holdings, expected) in [
            (CR, vec![], Some(0x0112)),
            (CR, vec![held(Some(CR))], None),
            (CR, vec![held(None)], None),
            (CR, vec![held(Some(SC))], Some(0x0119)),
            (CR, vec![held(Some(SC)), held(Some(CR))], None),
            ("1.2.840.10008.5.1.4.1.1.2", vec![], Some(0x0122)),
        ] {
            assert_eq!(failure(&asked(class), &holdings), expected, "{class} {holdings:?}");
        }
    }
}
