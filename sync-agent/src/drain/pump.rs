//! The pump: over one connection it keeps the window full and settles what receipts say. It never deletes a row without
//! a receipt that opens under the gateway's key.

use std::time::{Duration, Instant};

use fail_points::Point;
use outbox::Leased;
use rumqttc::mqttbytes::v5::PublishProperties;
use rumqttc::{AsyncClient, PublishNotice, PublishNoticeError, PublishOptions};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use vitals::health::Part;
use wire::codec;
use wire::envelope::{CONTENT_TYPE, Envelope};
use wire::ids::MessageId;
use wire::seal::SealError;
use wire::topics::{Topic, Up};
use wire::v1::ReceiptStatus;

use super::inflight::Inflight;
use super::queue::{Queue, QueueError};
use super::telemetry;
use crate::identity::{Identity, IdentityFolder};
use crate::mqtt::session::{Session, SessionError, Signal};
use crate::sealing::{self, ReceiptError};

/// How long the outbox keeps a message out of other hands: the connection's end gives all of them back long before, so
/// this is only for a clock that jumps and a process that forgets.
const LEASE_MS: i64 = 24 * 60 * 60 * 1_000;

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
    /// Where that is kept.
    pub folder: &'a IdentityFolder,
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
        let mut line = Line::new(client, self.window);
        let (mut look, mut report) = (tokio::time::interval(LOOK), tokio::time::interval(telemetry::EVERY));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let greeting = tokio::time::sleep(GREETING);
        tokio::pin!(greeting);
        loop {
            tokio::select! {
                signal = signals.recv() => match signal {
                    Some(Signal::Listening) => {
                        *was_listening = true;
                        self.part.up();
                        tracing::info!("connected; draining the outbox");
                    }
                    Some(Signal::Receipts(payload)) => self.settle(&payload, &mut line).await?,
                    Some(Signal::Ended(error)) => return error.map_or(Ok(()), |error| Err(error.into())),
                    None => return Ok(()),
                },
                Some(taken) = line.notices.join_next() => line.note(taken),
                _ = look.tick(), if *was_listening => self.refill(&mut line).await?,
                _ = report.tick(), if *was_listening => self.report(&line).await?,
                () = &mut greeting, if !*was_listening => return Err(SessionError::Silent(GREETING).into()),
                () = stop.cancelled() => {
                    let _ = line.client.disconnect().await;
                    return Ok(());
                }
            }
        }
    }

    /// Leases as many messages as the window has room for, if there may be any that were not seen before.
    async fn refill(&self, line: &mut Line) -> Result<(), PumpError> {
        let overdue = line.inflight.overdue(line.now_ms());
        if !overdue.is_empty() {
            tracing::info!(messages = overdue.len(), "no receipt came; sending again");
            self.queue.requeue(overdue).await?;
            line.seen = None;
        }
        let (room, counter) = (line.inflight.room(), self.queue.change_counter().await?);
        if room == 0 || line.seen == Some(counter) {
            return Ok(());
        }
        let leased = self.queue.lease(room, (self.clock)(), LEASE_MS).await?;
        // A full answer means that there may be more: look again at the next tick.
        line.seen = (leased.len() < room as usize).then_some(counter);
        let mut turned_away = Vec::new();
        for message in leased {
            match self.send(line, &message)? {
                Some(notice) => line.hand_over(message.id, notice),
                None => turned_away.push(message.id),
            }
        }
        if !turned_away.is_empty() {
            self.queue.end_lease(turned_away).await?;
            line.seen = None;
        }
        Ok(())
    }

    fn send(&self, line: &Line, message: &Leased) -> Result<Option<PublishNotice>, PumpError> {
        let envelope = sealing::envelope(&self.identity.enrolment.device, message);
        let notice = self.publish(line, &envelope, &message.payload, PublishOptions::at_least_once())?;
        fail_points::reach(Point::PublishHanded);
        Ok(notice)
    }

    async fn report(&self, line: &Line) -> Result<(), PumpError> {
        let now_ms = (self.clock)();
        let snapshot = telemetry::snapshot(&self.queue.depth().await?, now_ms);
        let envelope = Envelope {
            id: MessageId(uuid::Uuid::now_v7()),
            device: self.identity.enrolment.device.clone(),
            kind: Up::Telemetry,
            time: sealing::instant(now_ms),
            traceparent: None,
        };
        let payload = codec::encode(&snapshot).map_err(PumpError::Encode)?;
        // On a line that is full of results, the state of the queue can wait.
        self.publish(line, &envelope, &payload, PublishOptions::at_most_once()).map(drop)
    }

    /// Seals and hands over to the connection without waiting; `None` where the connection has no room just now.
    fn publish(
        &self,
        line: &Line,
        envelope: &Envelope,
        payload: &[u8],
        options: PublishOptions,
    ) -> Result<Option<PublishNotice>, PumpError> {
        let sealed = sealing::seal(self.identity, envelope, payload, &mut rand::rng()).map_err(PumpError::Seal)?;
        let properties = PublishProperties {
            user_properties: envelope.to_properties().map_err(|_| PumpError::Clock)?,
            content_type: Some(CONTENT_TYPE.to_owned()),
            ..PublishProperties::default()
        };
        let topic = Topic::Up(envelope.device.clone(), envelope.kind).to_string();
        fail_points::reach(Point::PublishBefore);
        let notice = line.client.try_publish_tracked(topic, sealed, options.properties(properties)).ok();
        let sent = if notice.is_some() { "sync_messages_sent_total" } else { "sync_messages_deferred_total" };
        metrics::counter!(sent, "kind" => envelope.kind.as_str()).increment(1);
        Ok(notice)
    }

    /// Opens a batch of receipts and does what they say; a batch that does not open is passed over, loudly.
    async fn settle(&self, payload: &[u8], line: &mut Line) -> Result<(), PumpError> {
        let batch = match sealing::open_receipts(self.identity, payload) {
            Ok(batch) => batch,
            Err(ReceiptError::Before) => {
                tracing::info!("receipts came under the gateway's key of before; their messages are sent again");
                return Ok(());
            }
            Err(error) => {
                metrics::counter!("sync_receipts_refused_total").increment(1);
                tracing::error!(error = vitals::exit::chain(&error), "a receipt was not the gateway's; ignored");
                return Ok(());
            }
        };
        fail_points::reach(Point::ReceiptOpened);
        if let Some(key) = &batch.gateway_key {
            self.take_up(key.clone()).await;
        }
        let settled = self.queue.settle(batch.receipts).await?;
        fail_points::reach(Point::ReceiptApplied);
        for (receipt, settlement) in settled {
            line.inflight.settled(receipt.id);
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
        line.seen = None;
        Ok(())
    }
}

impl Pump<'_> {
    /// Keeps the gateway's newest key, as the key before it says. Whoever looks into the identity folder next connects again with
    /// it, and seals to it whatever has no receipt by then.
    async fn take_up(&self, key: String) {
        let (folder, now) = (self.folder.clone(), self.identity.gateway.clone());
        match tokio::task::spawn_blocking(move || folder.take_up(&now, &key)).await {
            Ok(Ok(true)) => tracing::info!("the gateway has a new key; messages are sealed to it from here on"),
            Ok(Ok(false)) | Err(_) => {}
            // The receipts beside it count all the same, and the gateway tells again.
            Ok(Err(error)) => {
                tracing::error!(error = vitals::exit::chain(&error), "the gateway's new key could not be kept");
            }
        }
    }
}

/// What belongs to one connection and ends with it.
struct Line {
    client: AsyncClient,
    inflight: Inflight,
    /// One for each message that the broker has not taken yet: at most the window.
    notices: JoinSet<(MessageId, Result<(), PublishNoticeError>)>,
    /// The outbox's change counter when there was nothing left to lease.
    seen: Option<i64>,
    /// A clock that never goes back, unlike the one on the wall.
    began: Instant,
}

impl Line {
    fn new(client: AsyncClient, window: u32) -> Self {
        Self { client, inflight: Inflight::new(window), notices: JoinSet::new(), seen: None, began: Instant::now() }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn hand_over(&mut self, id: MessageId, notice: PublishNotice) {
        self.inflight.handed(id);
        self.notices.spawn(async move { (id, notice.wait_completion_async().await) });
    }

    /// The broker took a message, or refused it: either way its receipt is awaited, and then it is sent again.
    fn note(&mut self, taken: Result<(MessageId, Result<(), PublishNoticeError>), JoinError>) {
        let Ok((id, answer)) = taken else { return };
        if let Err(refusal) = answer {
            metrics::counter!("sync_messages_refused_total").increment(1);
            tracing::warn!(message = %id, %refusal, "the broker did not take a message; trying again");
        }
        self.inflight.taken(id, self.now_ms());
        fail_points::reach(Point::PublishTaken);
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
    Seal(SealError),
}
