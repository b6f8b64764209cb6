//! One connection to the broker: from CONNECT to its end it turns the library's events into three of ours. It never
//! decides what is sent, and nothing of it outlives the connection.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::{Packet, SubscribeReasonCode};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, TlsConfiguration, Transport};
use tokio::sync::mpsc;
use vitals::broker::{self, Side};
use wire::ids::DeviceId;
use wire::topics::{Down, Topic};

use crate::clock::Disagreement;
use crate::config::BrokerConfig;

/// Largest MQTT packet: the 4 MiB of a payload (which only an incompressible one would fill) and a megabyte for its
/// labels, its seal and CBOR. The gateway allows the same.
const MAX_PACKET: u32 = 5 * 1024 * 1024;

/// Events waiting for the pump: it answers each in milliseconds, so more would only hide that it hangs.
const EVENTS: usize = 64;

/// What the pump needs to know.
#[derive(Debug)]
pub enum Signal {
    /// The broker lets us hear receipts: sending may begin.
    Listening,
    /// A batch of receipts, still sealed.
    Receipts(Vec<u8>),
    /// The connection is over; `None` after our own farewell.
    Ended(Option<SessionError>),
}

/// An open connection.
pub struct Session {
    /// Sends.
    pub client: AsyncClient,
    /// Hears.
    pub signals: mpsc::Receiver<Signal>,
}

/// Opens a connection as `device`, with room for `window` unacknowledged messages.
///
/// # Errors
/// [`SessionError::Options`] for settings that the client library refuses.
pub async fn open(
    broker: &BrokerConfig,
    device: &DeviceId,
    tls: Arc<rustls::ClientConfig>,
    window: u32,
) -> Result<Session, SessionError> {
    let refused = |error: String| SessionError::Options(error);
    let mut options = MqttOptions::new(device.as_str(), (broker.host.as_str(), broker.port));
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)))
        .set_keep_alive(broker.keep_alive_s)
        // The outbox is our session: what has no receipt is sent again whatever the broker remembers.
        .set_clean_start(true)
        .set_max_packet_size(Some(MAX_PACKET));
    // The window, and a little for telemetry, the subscription and a farewell.
    let capacity = window as usize + 3;
    let built = AsyncClient::builder(options).capacity(capacity).try_build();
    let (client, events) = built.map_err(|error| refused(error.to_string()))?;
    let receipts = Topic::Down(device.clone(), Down::Receipt).to_string();
    client.subscribe(receipts, QoS::AtLeastOnce).await.map_err(|error| refused(error.to_string()))?;
    let (sender, signals) = mpsc::channel(EVENTS);
    tokio::spawn(listen(events, broker.clone(), sender));
    Ok(Session { client, signals })
}

/// Moves packets until the connection ends or nobody listens any more.
async fn listen(mut events: EventLoop, broker: BrokerConfig, signals: mpsc::Sender<Signal>) {
    loop {
        let signal = match events.poll().await {
            Ok(event) => read(event),
            Err(rumqttc::ConnectionError::RequestsDone) => Some(Signal::Ended(None)),
            Err(error) => Some(Signal::Ended(Some(SessionError::of_line(&broker, error)))),
        };
        let Some(signal) = signal else { continue };
        let over = matches!(signal, Signal::Ended(_));
        if signals.send(signal).await.is_err() || over {
            return;
        }
    }
}

fn read(event: Event) -> Option<Signal> {
    match event {
        Event::Incoming(Packet::Publish(publish)) => Some(Signal::Receipts(publish.payload.to_vec())),
        Event::Incoming(Packet::SubAck(answer)) => {
            let refused = answer.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
            Some(refused.map_or(Signal::Listening, |code| {
                Signal::Ended(Some(SessionError::Subscribe { reason: format!("{code:?}") }))
            }))
        }
        Event::Incoming(Packet::Disconnect(farewell)) => {
            Some(Signal::Ended(Some(SessionError::Farewell { reason: format!("{:?}", farewell.reason_code) })))
        }
        Event::Outgoing(rumqttc::Outgoing::Disconnect) => Some(Signal::Ended(None)),
        _ => None,
    }
}

impl SessionError {
    fn of_line(broker: &BrokerConfig, error: rumqttc::ConnectionError) -> Self {
        let (host, port) = (broker.host.clone(), broker.port);
        match Disagreement::below(&error) {
            Some(disagreement) => Self::Clock { host, port, disagreement },
            None => {
                let remedy = broker::remedy(&error, Side::Device);
                Self::Connection { host, port, remedy, source: Box::new(error) }
            }
        }
    }
}

/// What ends a connection.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Settings that the client library refuses.
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
    /// Its certificate is not valid by this device's clock.
    #[error("the broker {host}:{port} is not connected; {disagreement}")]
    Clock {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// What to do.
        disagreement: Disagreement,
    },
    /// The broker hung up.
    #[error("the broker closed the connection ({reason}); ask the operator for its log")]
    Farewell {
        /// Its reason code.
        reason: String,
    },
    /// The broker lets us in but not hear receipts.
    #[error("the broker does not let this device hear its receipts ({reason}); its access list must allow that")]
    Subscribe {
        /// Its reason code.
        reason: String,
    },
    /// The connection hangs: no answer to CONNECT and SUBSCRIBE.
    #[error("the broker took the connection and then said nothing for {} seconds; ask the operator for its log", .0.as_secs())]
    Silent(Duration),
}
