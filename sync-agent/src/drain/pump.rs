//! The pump: over one connection it keeps the window full and settles what receipts say. It never deletes a row without
//! a receipt that opens under the gateway's key.

use std::time::Duration;

use outbox::Leased;
use rumqttc::mqttbytes::v5::PublishProperties;
use rumqttc::{AsyncClient, PublishOptions};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;
use wire::envelope::{CONTENT_TYPE, Envelope};
use wire::ids::MessageId;
use wire::seal::{self, Sealed};
use wire::topics::{Topic, Up};
use wire::v1::{ReceiptStatus, ReceiptV1};
use wire::{codec, topics};

use super::inflight::Inflight;
use super::queue::{Queue, QueueError};
use super::telemetry;
use crate::identity::Identity;
use crate::mqtt::session::{Session, SessionError, Signal};

/// How long a message may be without a receipt before it is sent again.
///
/// A gateway commits and answers in well under a second; one that restarts needs some seconds. Sooner would double the
/// traffic of every slow line, later would hold a finding back after a gateway's crash.
const LEASE_MS: i64 = 15_000;

/// How often the outbox is asked whether the appliance wrote something: a read of shared memory.
const LOOK: Duration = Duration::from_millis(50);

/// How long the broker may take from the connection to the answered subscription.
const GREETING: Duration = Duration::from_secs(20);

/// Everything that lasts longer than a connection.
pub struct Pump<'a> {
    /// The outbox.
    pub queue: &'a Queue,
    /// Who we are.
    pub identity: &'a Identity,
    /// Most messages without a receipt.
    pub window: u32,
    /// Milliseconds since the Unix epoch.
    pub clock: fn() -> i64,
    /// Where it says whether it is connected.
    pub part: &'a Part,
}

/// How a connection went.
#[derive(Debug)]
pub struct Ended {
    /// Whether messages could be sent at all: resets the backoff.
    pub was_listening: bool,
    /// Why it ended; `None` after our own farewell.
    pub error: Option<PumpError>,
}

impl Pump<'_> {
    /// Pumps over `session` until it ends or `stop`.
    pub async fn run(&self, session: Session, stop: &CancellationToken) -> Ended {
        let mut was_listening = false;
        let error = self.pump(session, stop, &mut was_listening).await.err();
        Ended { was_listening, error }
    }

    async fn pump(
        &self,
        Session { client, mut signals }: Session,
        stop: &CancellationToken,
        was_listening: &mut bool,
    ) -> Result<(), PumpError> {
        let mut inflight = Inflight::new(self.window);
        let (mut look, mut report) = (tokio::time::interval(LOOK), tokio::time::interval(telemetry::EVERY));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let greeting = tokio::time::sleep(GREETING);
        tokio::pin!(greeting);
        let mut seen = None;
        loop {
            tokio::select! {
                signal = signals.recv() => match signal {
                    Some(Signal::Listening) => {
                        *was_listening = true;
                        self.part.up();
                        tracing::info!("connected; draining the outbox");
                    }
                    Some(Signal::Receipts(payload)) => {
                        self.settle(&payload, &mut inflight).await?;
                        seen = None;
                    }
                    Some(Signal::Ended(error)) => return error.map_or(Ok(()), |error| Err(error.into())),
                    None => return Ok(()),
                },
                _ = look.tick(), if *was_listening => self.refill(&client, &mut inflight, &mut seen).await?,
                _ = report.tick(), if *was_listening => self.report(&client).await?,
                () = &mut greeting, if !*was_listening => return Err(SessionError::Silent(GREETING).into()),
                () = stop.cancelled() => {
                    let _ = client.disconnect().await;
                    return Ok(());
                }
            }
        }
    }

    /// Leases as many messages as the window has room for, if there may be any that were not seen before.
    async fn refill(
        &self,
        client: &AsyncClient,
        inflight: &mut Inflight,
        seen: &mut Option<i64>,
    ) -> Result<(), PumpError> {
        let now_ms = (self.clock)();
        let lease_ended = inflight.next_end_ms().is_some_and(|ends_ms| ends_ms <= now_ms);
        let room = inflight.room(now_ms);
        let counter = self.queue.change_counter().await?;
        if room == 0 || (*seen == Some(counter) && !lease_ended) {
            return Ok(());
        }
        let leased = self.queue.lease(room, now_ms, LEASE_MS).await?;
        // A full answer means that there may be more: look again at the next tick.
        *seen = (leased.len() < room as usize).then_some(counter);
        for message in leased {
            let id = message.id;
            self.send(client, &message)?;
            inflight.sent(id, now_ms.saturating_add(LEASE_MS));
        }
        Ok(())
    }

    fn send(&self, client: &AsyncClient, message: &Leased) -> Result<(), PumpError> {
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(message.created_ms) * 1_000_000)
            .map_err(|_| PumpError::Clock)?;
        let device = self.identity.enrolment.device.clone();
        let traceparent = message.traceparent.clone();
        let envelope = Envelope { id: message.id, device, kind: message.kind, time, traceparent };
        if message.attempts > 0 {
            tracing::info!(message = %message.id, attempts = message.attempts, "sending again what has no receipt");
        }
        self.publish(client, &envelope, &message.payload, PublishOptions::at_least_once())
    }

    async fn report(&self, client: &AsyncClient) -> Result<(), PumpError> {
        let now_ms = (self.clock)();
        let snapshot = telemetry::snapshot(&self.queue.depth().await?, now_ms);
        let time =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(now_ms) * 1_000_000).map_err(|_| PumpError::Clock)?;
        let envelope = Envelope {
            id: MessageId(uuid::Uuid::now_v7()),
            device: self.identity.enrolment.device.clone(),
            kind: Up::Telemetry,
            time,
            traceparent: None,
        };
        let payload = codec::encode(&snapshot).map_err(PumpError::Encode)?;
        self.publish(client, &envelope, &payload, PublishOptions::at_most_once())
    }

    /// Seals and hands over to the connection; never waits, since the connection's queue holds the whole window.
    fn publish(
        &self,
        client: &AsyncClient,
        envelope: &Envelope,
        payload: &[u8],
        options: PublishOptions,
    ) -> Result<(), PumpError> {
        let keys = (&self.identity.sealing, &self.identity.sealing_public);
        let sealed = seal::seal(payload, &envelope.binding(), &self.identity.gateway, keys, &mut rand::rng())
            .and_then(|sealed| sealed.to_bytes())
            .map_err(PumpError::Seal)?;
        let properties = PublishProperties {
            user_properties: envelope.to_properties().map_err(|_| PumpError::Clock)?,
            content_type: Some(CONTENT_TYPE.to_owned()),
            ..PublishProperties::default()
        };
        let topic: topics::Topic = Topic::Up(envelope.device.clone(), envelope.kind);
        client
            .try_publish(topic.to_string(), sealed, options.properties(properties))
            .map_err(|error| PumpError::Publish(error.to_string()))?;
        metrics::counter!("sync_messages_sent_total", "kind" => envelope.kind.as_str()).increment(1);
        Ok(())
    }

    /// Opens a batch of receipts and does what they say; a batch that does not open is passed over, loudly.
    async fn settle(&self, payload: &[u8], inflight: &mut Inflight) -> Result<(), PumpError> {
        let batch = match self.open(payload) {
            Ok(batch) => batch,
            Err(error) => {
                metrics::counter!("sync_receipts_refused_total").increment(1);
                tracing::error!(error = vitals::exit::chain(&error), "a receipt was not the gateway's; ignored");
                return Ok(());
            }
        };
        for (receipt, settlement) in self.queue.settle(batch.receipts).await? {
            inflight.settled(receipt.id);
            let status = match &receipt.status {
                ReceiptStatus::Stored => "stored",
                ReceiptStatus::Rejected { reason } => {
                    tracing::error!(message = %receipt.id, reason, "the gateway rejected a message; it is kept here");
                    "rejected"
                }
            };
            metrics::counter!("sync_receipts_total", "status" => status).increment(1);
            tracing::debug!(message = %receipt.id, ?settlement, "settled");
        }
        Ok(())
    }

    fn open(&self, payload: &[u8]) -> Result<ReceiptV1, PumpError> {
        let binding = seal::receipt_binding(&self.identity.enrolment.device);
        let opened = Sealed::from_bytes(payload)
            .and_then(|sealed| seal::open(&sealed, &binding, &self.identity.sealing, &self.identity.gateway));
        codec::decode(&opened.map_err(PumpError::Seal)?).map_err(PumpError::Encode)
    }
}

/// What ends a connection from our side.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// The connection.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The outbox.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The clock is outside the years that a message can carry.
    #[error("the device's clock is outside the years 1970 to 9999; set it")]
    Clock,
    /// A payload cannot be written or read.
    #[error(transparent)]
    Encode(codec::CodecError),
    /// A payload cannot be sealed or opened.
    #[error(transparent)]
    Seal(seal::SealError),
    /// The connection's queue is full or closed.
    #[error("the connection to the broker takes no more messages; connecting again: {0}")]
    Publish(String),
}
