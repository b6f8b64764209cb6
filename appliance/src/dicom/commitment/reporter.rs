//! Brings the reports of storage commitment that their own association did not take: on an association of ours to the
//! scanner, in the provider's role and under the title that it called (PS3.4 J.3.3). It starts from the journal, so a
//! restart forgets none; a report said twice says the same.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use outbox::OwedReport;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::provider::Provider;
use super::{Ask, Reference};
use crate::dicom::scu::{Link, LinkError, Proposal, Target};
use crate::dicom::tls::Connector;
use crate::dicom::{AeTitle, AllowedScanner, Rules};
use crate::journal::JournalError;

/// Pause between two looks at what is due, where nothing was left in between.
const PAUSE: Duration = Duration::from_secs(10);
/// Reports in one round.
const ROUND: u32 = 50;
/// Before the second attempt, doubled for each further one: a scanner that was switched off for a moment is there again.
const FIRST_PAUSE_MS: i64 = 15_000;
/// Longest pause: a scanner that was off over night has its reports within half an hour of the morning.
const LONGEST_PAUSE_MS: i64 = 30 * 60_000;
/// A scanner that was not reached for so long has asked again, or never will.
const GIVE_UP_MS: i64 = 3 * 24 * 3_600_000;

/// Brings reports to scanners.
pub struct Reporter {
    /// What is owed.
    pub provider: Arc<Provider>,
    /// Where scanners listen.
    pub rules: watch::Sender<Rules>,
    /// For scanners that are bound to a certificate.
    pub tls: Option<Connector>,
}

/// Why a report did not arrive.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    /// Nothing says where the scanner listens.
    #[error(
        "its [[dicom.allow]] names no address and port; add both, as they are set for storage commitment at the scanner"
    )]
    Nowhere,
    /// What the journal has of it cannot be read.
    #[error("what was noted of the request is damaged")]
    Damaged,
    /// It was not reached.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It answered with this status.
    #[error("it refused the report with status 0x{0:04X}")]
    Refused(u16),
    /// The journal did not answer.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Reporter {
    /// Until `stop`; what is under way then is sent again at the next start.
    pub async fn run(self, stop: CancellationToken) {
        let work = async {
            loop {
                if let Err(error) = self.round().await {
                    tracing::warn!(error = vitals::exit::chain(&error), "reports of storage commitment wait");
                }
                let _ = tokio::time::timeout(PAUSE, self.provider.left()).await;
            }
        };
        stop.run_until_cancelled(work).await;
    }

    async fn round(&self) -> Result<(), JournalError> {
        let intake = self.provider.intake();
        let due = intake.journal.owed_reports((intake.world.now_ms)(), ROUND).await?;
        for owed in due {
            if self.provider.is_claimed(&owed.commitment.scanner, &owed.commitment.transaction) {
                continue;
            }
            match self.bring(&owed).await {
                Ok(()) => {
                    counter!("dicom_commitment_reports_total", "way" => "own_association").increment(1);
                    intake.journal.settle_report(owed.id).await?;
                }
                Err(why) => self.postpone(&owed, &why).await?,
            }
        }
        Ok(())
    }

    async fn bring(&self, owed: &OwedReport) -> Result<(), Undelivered> {
        let scanners = self.rules.borrow().allow.clone();
        let mut known = scanners.iter().filter(|one| one.ae_title.as_str() == owed.commitment.scanner);
        let found = known.find_map(|scanner| Some((scanner, listening(scanner)?)));
        let (scanner, target) = found.ok_or(Undelivered::Nowhere)?;
        let (ask, called) = asked(owed).ok_or(Undelivered::Damaged)?;
        let report = self.provider.judge(&ask).await?;
        let bound = scanner.certificate.as_deref();
        let tls = bound.and_then(|name| self.tls.as_ref().map(|tls| tls.expecting(name)));
        let mut link = Link::open(&target, &called, &[Proposal::commitment(true)], tls.as_ref()).await?;
        let answered = link.report(&report).await;
        link.release().await;
        match answered?.status {
            0 => Ok(()),
            status => Err(Undelivered::Refused(status)),
        }
    }

    async fn postpone(&self, owed: &OwedReport, why: &Undelivered) -> Result<(), JournalError> {
        let intake = self.provider.intake();
        let (now_ms, scanner) = ((intake.world.now_ms)(), &owed.commitment.scanner);
        let why = vitals::exit::chain(why);
        tracing::warn!(
            source = scanner,
            attempts = owed.attempts + 1,
            why,
            "a report of storage commitment did not arrive"
        );
        self.provider.note(format!("{scanner} asked for storage commitment and did not get the report: {why}."));
        if now_ms.saturating_sub(owed.commitment.asked_ms) > GIVE_UP_MS {
            counter!("dicom_commitment_reports_total", "way" => "given_up").increment(1);
            return intake.journal.settle_report(owed.id).await;
        }
        intake.journal.postpone_report(owed.id, now_ms.saturating_add(pause_ms(owed.attempts))).await
    }
}

/// Where a scanner takes reports.
fn listening(scanner: &AllowedScanner) -> Option<Target> {
    let (address, port) = (scanner.address?, scanner.port?);
    let host = std::net::SocketAddr::new(address, port).to_string();
    Some(Target { title: scanner.ae_title.clone(), host })
}

fn asked(owed: &OwedReport) -> Option<(Ask, AeTitle)> {
    let reference = |(class, instance): &(String, String)| {
        Some(Reference { class: class.parse().ok()?, instance: instance.parse().ok()? })
    };
    let references = owed.commitment.asked.iter().map(reference).collect::<Option<_>>()?;
    let ask = Ask { transaction: owed.commitment.transaction.parse().ok()?, references };
    Some((ask, owed.commitment.called.parse().ok()?))
}

fn pause_ms(attempts: u32) -> i64 {
    // 2^7 times the first pause is over the longest.
    (FIRST_PAUSE_MS << attempts.min(7)).min(LONGEST_PAUSE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_an_hour() {
        assert_eq!([0, 1, 2, 6, 7, u32::MAX].map(pause_ms), [15_000, 30_000, 60_000, 960_000, 1_800_000, 1_800_000]);
    }
}
