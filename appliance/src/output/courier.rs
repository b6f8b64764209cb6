//! One destination's deliveries, from the journal to the destination: what is due is sent, urgent first; what may recover is
//! tried again for as long as it takes; what was taken is asked about until the destination has committed itself to keep it.
//! It holds nothing that a restart would lose: every step is in the journal before the next.

use std::time::Duration;

use metrics::counter;
use outbox::{Delivery, DeliveryEvent, DeliveryId, DeliveryState};
use tokio_util::sync::CancellationToken;

use super::dispatch::Dispatch;
use super::peer::{Peer, Silence};
use super::record::Record;
use super::routing::Object;
use super::verdict::{PAUSES, Verdict};
use crate::journal::{Journal, JournalError};
use crate::world::World;

/// Deliveries in one round: one association's worth, and no more in memory than some twenty megabytes.
const ROUND: u32 = 8;
/// Pause between two looks where nothing was to be done and nobody told of anything new.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long an archive may take to answer a request for commitment before it is asked again: they check their disks first,
/// some of them once in a quarter of an hour.
const COMMITMENT: Duration = Duration::from_secs(20 * 60);
/// Times that it is asked before the delivery is called unconfirmed: with the wait above an hour.
const MOST_ASKS: u32 = 3;

/// Whoever brings deliveries to one destination.
pub struct Courier {
    /// The destination's name.
    pub destination: String,
    /// How it is spoken to.
    pub peer: Peer,
    /// Where deliveries are.
    pub journal: Journal,
    /// Opens their records.
    pub dispatch: Dispatch,
    /// Clock and dice.
    pub world: World,
}

/// A delivery with what it is made from.
pub struct Parcel {
    /// Its row.
    pub id: DeliveryId,
    /// What kind of object.
    pub object: Object,
    /// What it is made from.
    pub record: Record,
    attempts: u32,
}

impl Courier {
    /// Until `stop`; what is under way then is sent again at the next start, as the same object.
    pub async fn run(self, stop: CancellationToken) {
        let work = async {
            let mut failures = 0;
            loop {
                let pause = match self.round().await {
                    Ok(Round::Idle) => LOOK_AGAIN,
                    Ok(Round::Worked) => {
                        failures = 0;
                        continue;
                    }
                    // The whole destination is away, so nothing else is tried either.
                    Ok(Round::Silent) => self.pause(&mut failures),
                    Err(error) => {
                        tracing::warn!(
                            destination = self.destination,
                            error = vitals::exit::chain(&error),
                            "deliveries wait"
                        );
                        self.pause(&mut failures)
                    }
                };
                if pause == LOOK_AGAIN {
                    let _ = tokio::time::timeout(pause, self.dispatch.arrived.notified()).await;
                } else {
                    tokio::time::sleep(pause).await;
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }

    fn pause(&self, failures: &mut u32) -> Duration {
        let pause = PAUSES.delay(*failures, self.dice());
        *failures = failures.saturating_add(1);
        pause
    }

    fn dice(&self) -> u32 {
        let [a, b, c, d, ..] = (self.world.random)();
        u32::from_le_bytes([a, b, c, d])
    }

    async fn round(&self) -> Result<Round, JournalError> {
        let sent = self.send().await?;
        if sent == Round::Silent {
            return Ok(sent);
        }
        let asked = self.ask().await?;
        Ok(if sent == Round::Worked && asked == Round::Idle { Round::Worked } else { asked })
    }

    /// Sends what is due.
    async fn send(&self) -> Result<Round, JournalError> {
        let now_ms = (self.world.now_ms)();
        let due = self.due(DeliveryState::Waiting, now_ms).await?;
        if due.is_empty() {
            return Ok(Round::Idle);
        }
        let (mut parcels, mut events) = (Vec::new(), Vec::new());
        for delivery in due {
            match self.parcel(&delivery).await? {
                Ok(parcel) => parcels.push(parcel),
                Err(reason) => events.push((delivery.id, DeliveryEvent::Refused { reason })),
            }
        }
        let (verdicts, silence) = self.peer.deliver(&parcels).await;
        for (parcel, verdict) in parcels.iter().zip(verdicts) {
            events.push((parcel.id, self.event(verdict, parcel.attempts, now_ms)));
        }
        self.note(events, now_ms).await?;
        Ok(if silence == Silence::Whole { Round::Silent } else { Round::Worked })
    }

    /// Asks for commitment to what was taken.
    async fn ask(&self) -> Result<Round, JournalError> {
        if !self.peer.commits() {
            return Ok(Round::Idle);
        }
        let now_ms = (self.world.now_ms)();
        let due = self.due(DeliveryState::Sent, now_ms).await?;
        let (tired, due): (Vec<Delivery>, Vec<Delivery>) = due.into_iter().partition(|one| one.asks >= MOST_ASKS);
        if !tired.is_empty() {
            let reason = format!("stored, but the archive did not answer {MOST_ASKS} requests for storage commitment");
            let event = |one: &Delivery| (one.id, DeliveryEvent::Unanswered { reason: reason.clone() });
            self.note(tired.iter().map(event).collect(), now_ms).await?;
        }
        if due.is_empty() {
            return Ok(Round::Idle);
        }
        // Noted before it is asked: the answer may be back first.
        let transaction = format!("2.25.{}", self.world.uuid().as_u128());
        let due_ms = now_ms.saturating_add(COMMITMENT.as_millis() as i64);
        let event = |one: &Delivery| (one.id, DeliveryEvent::Asked { transaction: transaction.clone(), due_ms });
        self.note(due.iter().map(event).collect(), now_ms).await?;
        match self.peer.ask(&transaction, &due).await {
            Ok(None) => Ok(Round::Worked),
            Ok(Some(report)) => {
                super::commitment::record(&self.journal, &report, &self.world).await.map(|_| Round::Worked)
            }
            Err(refusal) => self.unasked(&due, refusal, now_ms).await,
        }
    }

    /// The request itself did not arrive, or was turned down.
    async fn unasked(&self, due: &[Delivery], refusal: Verdict, now_ms: i64) -> Result<Round, JournalError> {
        let event = match refusal {
            Verdict::Never(reason) => DeliveryEvent::Unanswered {
                reason: format!("stored, but the archive takes no request for storage commitment: {reason}"),
            },
            // The whole courier pauses, so it is due at once.
            Verdict::Later(_) | Verdict::Taken => DeliveryEvent::Unasked { due_ms: now_ms },
        };
        let is_away = matches!(event, DeliveryEvent::Unasked { .. });
        self.note(due.iter().map(|one| (one.id, event.clone())).collect(), now_ms).await?;
        Ok(if is_away { Round::Silent } else { Round::Worked })
    }

    async fn due(&self, state: DeliveryState, now_ms: i64) -> Result<Vec<Delivery>, JournalError> {
        self.journal.deliveries_due(self.destination.clone(), state, now_ms, ROUND).await
    }

    /// The delivery with its record, or why there is none.
    async fn parcel(&self, delivery: &Delivery) -> Result<Result<Parcel, String>, JournalError> {
        let Some(object) = Object::of(&delivery.object) else {
            return Ok(Err("another release made this delivery; install that release or a newer one".to_owned()));
        };
        let payload = self.journal.report_payload(delivery.report).await?;
        let opened = payload.as_deref().map(|payload| self.dispatch.open(payload));
        Ok(match opened {
            Some(Ok(record)) => Ok(Parcel { id: delivery.id, object, record, attempts: delivery.attempts }),
            Some(Err(error)) => Err(vitals::exit::chain(&error)),
            None => Err("what it is made from is gone".to_owned()),
        })
    }

    fn event(&self, verdict: Verdict, attempts: u32, now_ms: i64) -> DeliveryEvent {
        match verdict {
            Verdict::Taken if self.peer.commits() => DeliveryEvent::Sent,
            Verdict::Taken => DeliveryEvent::Delivered,
            Verdict::Never(reason) => DeliveryEvent::Refused { reason },
            Verdict::Later(reason) => {
                let pause = PAUSES.delay(attempts, self.dice());
                DeliveryEvent::Postponed { due_ms: now_ms.saturating_add(pause.as_millis() as i64), reason }
            }
        }
    }

    async fn note(&self, events: Vec<(DeliveryId, DeliveryEvent)>, now_ms: i64) -> Result<(), JournalError> {
        for (_, event) in &events {
            let outcome = word(event);
            counter!("deliveries_total", "destination" => self.destination.clone(), "outcome" => outcome).increment(1);
            if let DeliveryEvent::Postponed { reason, .. }
            | DeliveryEvent::Refused { reason }
            | DeliveryEvent::Unanswered { reason } = event
            {
                tracing::warn!(destination = self.destination, outcome, reason, "a delivery did not succeed");
            }
        }
        self.journal.advance_deliveries(events, now_ms).await.map(drop)
    }
}

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// There was nothing to do.
    Idle,
    /// Something was done; there may be more.
    Worked,
    /// The destination cannot be reached at all.
    Silent,
}

/// For metrics.
fn word(event: &DeliveryEvent) -> &'static str {
    match event {
        DeliveryEvent::Postponed { .. } => "postponed",
        DeliveryEvent::Refused { .. } => "refused",
        DeliveryEvent::Delivered => "delivered",
        DeliveryEvent::Sent => "sent",
        DeliveryEvent::Asked { .. } => "asked",
        DeliveryEvent::Unasked { .. } => "unasked",
        DeliveryEvent::Committed => "committed",
        DeliveryEvent::Unanswered { .. } => "unconfirmed",
        DeliveryEvent::Retried => "retried",
    }
}
