//! One connection to the broker, from CONNECT to its end. It never outlives a lost connection: acknowledgements belong
//! to the connection that delivered the message, so a new connection starts with nothing of the old.

use std::sync::Arc;
use std::time::Duration;

use fail_points::Point;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::{Packet, Publish, SubAck, SubscribeFilter, SubscribeReasonCode};
use rumqttc::{
    AckMode, AsyncClient, Event, EventLoop, MqttOptions, Outgoing, PublishOptions, TlsConfiguration, Transport,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vitals::broker::{self, Side};
use vitals::health::Part;
use wire::topics::Topic;

use super::desk::{Desk, DeskError};
use super::judge::Arrived;
use crate::broker_log;
use crate::config::MqttConfig;
use crate::domain::when;

/// Messages that the broker may have outstanding with us: one transaction's worth. Also what bounds every queue here.
const WINDOW: u16 = 32;

/// Largest MQTT packet: a payload's 4 MiB (which only an incompressible one would fill) and a megabyte for its labels,
/// its seal and CBOR.
const MAX_PACKET: u32 = 5 * 1024 * 1024;

/// How long the first message of a batch waits for others: under what a person notices, over what a burst needs.
const GATHER: Duration = Duration::from_millis(5);

/// PINGREQ after this silence, so a dead broker is noticed within a minute.
const KEEP_ALIVE_S: u16 = 30;

/// Where mosquitto says what it logs, one topic for each kind of line. Others have no such topic.
const BROKER_LOG: &str = "$SYS/broker/log/";

/// Takes messages over one connection; `Ok` once stopped and drained.
///
/// # Errors
/// [`Ended`] with what ended it, in words for the operator.
pub async fn run(
    config: &MqttConfig,
    client_id: &str,
    tls: Arc<rustls::ClientConfig>,
    desk: Arc<Desk>,
    log: &mpsc::Sender<String>,
    part: &Part,
    stop: CancellationToken,
) -> Result<(), Ended> {
    let refused = |error| Ended { was_connected: false, error };
    let (client, events) = AsyncClient::builder(options(config, client_id, tls))
        .capacity(2 * usize::from(WINDOW))
        .try_build()
        .map_err(|error| refused(SessionError::Options(error.to_string())))?;
    let messages = SubscribeFilter::new(Topic::shared_up_filter(&config.group), QoS::AtLeastOnce);
    // Not shared: who was refused is found out from lines that follow each other.
    let lines = SubscribeFilter::new(format!("{BROKER_LOG}#"), QoS::AtMostOnce);
    client
        .subscribe_many([messages, lines])
        .await
        .map_err(|error| refused(SessionError::Options(error.to_string())))?;
    let (arrivals, arriving) = mpsc::channel(2 * usize::from(WINDOW));
    let worker = tokio::spawn(work(arriving, client, desk, stop));
    let polled = poll(config, events, (&arrivals, log), part).await;
    drop(arrivals);
    let worked = worker.await.unwrap_or(Err(DeskError::Interrupted));
    match (worked, polled) {
        (Err(error), polled) => Err(Ended { was_connected: polled.was_connected, error: SessionError::Desk(error) }),
        (Ok(()), Polled { error: None, .. }) => Ok(()),
        (Ok(()), Polled { error: Some(error), was_connected }) => Err(Ended { was_connected, error }),
    }
}

fn options(config: &MqttConfig, client_id: &str, tls: Arc<rustls::ClientConfig>) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, (config.host.as_str(), config.port));
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)))
        .set_keep_alive(KEEP_ALIVE_S)
        // The database is our session: what was not acknowledged comes again, from the broker or from the device.
        .set_clean_start(true)
        .set_ack_mode(AckMode::Manual)
        .set_receive_maximum(Some(WINDOW))
        .set_max_packet_size(Some(MAX_PACKET));
    options
}

struct Polled {
    was_connected: bool,
    /// `None` after a farewell of our own.
    error: Option<SessionError>,
}

/// Moves packets until the connection ends.
async fn poll(
    config: &MqttConfig,
    mut events: EventLoop,
    (arrivals, log): (&mpsc::Sender<Publish>, &mpsc::Sender<String>),
    part: &Part,
) -> Polled {
    let mut was_connected = false;
    loop {
        let error = match events.poll().await {
            Ok(Event::Incoming(Packet::Publish(line))) if line.topic.starts_with(BROKER_LOG.as_bytes()) => {
                broker_log::hand_over(log, &line.payload);
                continue;
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => match forward(arrivals, publish) {
                Ok(()) => continue,
                Err(overrun) => Some(overrun),
            },
            Ok(Event::Incoming(Packet::SubAck(answer))) => match granted(&answer) {
                Ok(()) => {
                    was_connected = true;
                    part.up();
                    tracing::info!(group = config.group, "taking messages from the broker");
                    continue;
                }
                Err(refused) => Some(refused),
            },
            Ok(Event::Incoming(Packet::Disconnect(farewell))) => {
                Some(SessionError::Farewell { reason: format!("{:?}", farewell.reason_code) })
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => None,
            Ok(_) => continue,
            Err(rumqttc::ConnectionError::RequestsDone) => None,
            Err(error) => Some(SessionError::Connection {
                host: config.host.clone(),
                port: config.port,
                remedy: broker::remedy(&error, Side::Cloud),
                source: Box::new(error),
            }),
        };
        return Polled { was_connected, error };
    }
}

/// The answer to both subscriptions, in their order. Without the broker's log everything else goes on.
fn granted(answer: &SubAck) -> Result<(), SessionError> {
    let refused = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
    if let Some(code) = answer.return_codes.first().filter(refused) {
        return Err(SessionError::Subscribe { reason: format!("{code:?}") });
    }
    if let Some(code) = answer.return_codes.get(1).filter(refused) {
        let reason = format!("{code:?}");
        tracing::warn!(reason, "the broker does not show its log: whom it refuses will not be in the audit trail");
    }
    Ok(())
}

/// Hands a message to the worker. Room for a whole window is kept free for messages that await an acknowledgement; what a
/// device sends without asking for one is not worth waiting for.
///
/// # Errors
/// [`SessionError::Overrun`] where an acknowledged kind found no room: the broker would not send it again over this
/// connection, so the connection has to end.
fn forward(arrivals: &mpsc::Sender<Publish>, publish: Publish) -> Result<(), SessionError> {
    let droppable = publish.qos == QoS::AtMostOnce;
    if droppable && arrivals.capacity() <= usize::from(WINDOW) {
        metrics::counter!("ingest_dropped_total").increment(1);
        return Ok(());
    }
    arrivals.try_send(publish).map_err(|_| SessionError::Overrun)
}

/// Commits what arrives, then acknowledges, then gives receipts, until `stop` or the end of the connection.
async fn work(
    mut arriving: mpsc::Receiver<Publish>,
    client: AsyncClient,
    desk: Arc<Desk>,
    stop: CancellationToken,
) -> Result<(), DeskError> {
    while let Some(batch) = gather(&mut arriving, &stop).await {
        let (taken, failed) = take_in(&desk, batch).await;
        // From here on a lost connection costs a repetition and nothing else, so its errors are not ours to handle.
        for publish in &taken.messages {
            let _ = client.ack(publish).await;
        }
        fail_points::reach(Point::IngestAcknowledged);
        for (topic, payload) in taken.receipts {
            let told = client.publish(topic, payload, PublishOptions::at_least_once()).await.is_ok();
            metrics::counter!("receipts_total", "sent" => if told { "yes" } else { "no" }).increment(1);
        }
        fail_points::reach(Point::IngestReceipted);
        if let Some(error) = failed {
            // Closing the connection without an acknowledgement hands the rest back to the broker.
            let _ = client.disconnect().await;
            return Err(error);
        }
    }
    let _ = client.disconnect().await;
    Ok(())
}

/// What is committed: to be acknowledged, and to be told.
#[derive(Default)]
struct Taken {
    messages: Vec<Publish>,
    receipts: Vec<(String, Vec<u8>)>,
}

/// Commits a batch; where that fails for what may be one message's fault, each by itself, so that one which the database will not
/// have holds up nobody else's. The error is that of a message which failed by itself, too, and not for what it says.
async fn take_in(desk: &Arc<Desk>, batch: Vec<Publish>) -> (Taken, Option<DeskError>) {
    let error = match desk.take_in(batch.iter().map(arrived).collect(), when::now()).await {
        Ok(done) => return (Taken { messages: batch, receipts: done.receipts }, None),
        Err(error) if !error.may_be_one_messages() => return (Taken::default(), Some(error)),
        Err(error) => vitals::exit::chain(&error),
    };
    tracing::warn!(messages = batch.len(), error, "a batch could not be committed; trying each message by itself");
    let (mut taken, mut failed) = (Taken::default(), None);
    for message in batch {
        match take_in_one(desk, &message).await {
            Ok(receipts) => {
                taken.messages.push(message);
                taken.receipts.extend(receipts);
            }
            Err(error) => failed = Some(error),
        }
    }
    (taken, failed)
}

/// Commits a message, or puts aside one that the database will not have: the broker may forget it, its device does not.
async fn take_in_one(desk: &Arc<Desk>, message: &Publish) -> Result<Vec<(String, Vec<u8>)>, DeskError> {
    match desk.take_in(vec![arrived(message)], when::now()).await {
        Ok(done) => Ok(done.receipts),
        Err(error) if error.is_about_content() => {
            tracing::warn!(
                error = vitals::exit::chain(&error),
                "a message is put aside, since the database will not have it"
            );
            desk.put_aside(arrived(message), when::now()).await.map(|()| Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// The next handful of messages; `None` once there will be no more.
async fn gather(arriving: &mut mpsc::Receiver<Publish>, stop: &CancellationToken) -> Option<Vec<Publish>> {
    let first = tokio::select! {
        biased;
        first = arriving.recv() => first?,
        () = stop.cancelled() => {
            arriving.close();
            arriving.recv().await?
        }
    };
    let mut batch = vec![first];
    let until = tokio::time::Instant::now() + GATHER;
    while batch.len() < usize::from(WINDOW) {
        match tokio::time::timeout_at(until, arriving.recv()).await {
            Ok(Some(next)) => batch.push(next),
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

fn arrived(publish: &Publish) -> Arrived {
    Arrived {
        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
        properties: publish.properties.as_ref().map(|all| all.user_properties.clone()).unwrap_or_default(),
        payload: publish.payload.to_vec(),
    }
}

/// The end of a connection.
#[derive(Debug)]
pub struct Ended {
    /// Whether it ever took messages.
    pub was_connected: bool,
    /// What ended it.
    pub error: SessionError,
}

impl Ended {
    /// Whether trying again at once makes sense: it worked, until something else than our own database ended it.
    #[must_use]
    pub fn was_useful(&self) -> bool {
        self.was_connected && !matches!(self.error, SessionError::Desk(_))
    }
}

/// What ends a connection.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Settings that the MQTT client refuses.
    #[error("the connection to the broker cannot be set up: {0}")]
    Options(String),
    /// No connection, or none any more.
    #[error("the broker {host}:{port} is not connected; {remedy}")]
    Connection {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// What to do.
        remedy: &'static str,
        /// The library's words.
        source: Box<rumqttc::ConnectionError>,
    },
    /// The broker hung up.
    #[error("the broker closed the connection ({reason}); look at its log")]
    Farewell {
        /// Its reason code.
        reason: String,
    },
    /// The broker lets us in but not read.
    #[error("the broker does not let the gateway subscribe ({reason}); allow it to read hilum/v1/+/up/+ in its ACL")]
    Subscribe {
        /// Its reason code.
        reason: String,
    },
    /// The worker has ended, or the broker sent more than it may.
    #[error("a message found no room here; connecting again, so that the broker sends it again")]
    Overrun,
    /// Our own side could not store.
    #[error(transparent)]
    Desk(DeskError),
}
