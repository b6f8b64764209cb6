//! What archives say of the objects that they were given: reports of storage commitment to events of deliveries. A report is
//! believed by its transaction, which is a random number that only the archive was told.

use metrics::counter;
use outbox::DeliveryEvent;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::verdict::{self, PAUSES, Verdict};
use crate::dicom::commitment::{Notice, Report};
use crate::journal::{Journal, JournalError};
use crate::world::World;

/// Records reports as they come in, until `stop`.
pub async fn run(mut notices: mpsc::Receiver<Notice>, journal: Journal, world: World, stop: CancellationToken) {
    while let Some(Some(notice)) = stop.run_until_cancelled(notices.recv()).await {
        match record(&journal, &notice.report, &world).await {
            // Unknown ones, too: telling it again would change nothing.
            Ok(_) => drop(notice.recorded.send(())),
            Err(error) => {
                tracing::warn!(error = vitals::exit::chain(&error), "a report of storage commitment was not recorded");
            }
        }
    }
}

/// Moves the deliveries on that a report is about; gives how many.
///
/// # Errors
/// [`JournalError`]; the archive must then be told that its report was not taken.
pub async fn record(journal: &Journal, report: &Report, world: &World) -> Result<usize, JournalError> {
    let asked = journal.deliveries_asked(report.transaction.as_str().to_owned()).await?;
    let now_ms = (world.now_ms)();
    let mut events = Vec::new();
    for delivery in asked {
        let is_it = |instance: &str| delivery.sop_instance.as_deref() == Some(instance);
        let failed = report.failed.iter().find(|(reference, _)| is_it(reference.instance.as_str()));
        let event = match failed {
            Some((_, reason)) => refused(*reason, delivery.attempts, now_ms, world),
            None if report.committed.iter().any(|reference| is_it(reference.instance.as_str())) => {
                DeliveryEvent::Committed
            }
            // Not said: it is asked about again.
            None => continue,
        };
        let outcome = if event == DeliveryEvent::Committed { "committed" } else { "not_committed" };
        counter!("delivery_commitments_total", "outcome" => outcome).increment(1);
        events.push((delivery.id, event));
    }
    journal.advance_deliveries(events, now_ms).await
}

fn refused(reason: u16, attempts: u32, now_ms: i64, world: &World) -> DeliveryEvent {
    match verdict::of_commitment(reason) {
        Verdict::Never(reason) => DeliveryEvent::Refused { reason },
        Verdict::Later(reason) => {
            let [a, b, c, d, ..] = (world.random)();
            let pause = PAUSES.delay(attempts, u32::from_le_bytes([a, b, c, d]));
            DeliveryEvent::Postponed { due_ms: now_ms.saturating_add(pause.as_millis() as i64), reason }
        }
        // No reason for a failure is one; see the table's test.
        Verdict::Taken => DeliveryEvent::Committed,
    }
}
