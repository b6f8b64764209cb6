//! A real mosquitto with mutual TLS 1.3 and an access list by certificate, and a device that speaks to it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gateway::ingest::tls;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::{Packet, PublishProperties};
use rumqttc::{AsyncClient, Event, MqttOptions, PublishOptions, TlsConfiguration, Transport};
use serde::Serialize;
use tokio::sync::mpsc;
use wire::codec;
use wire::envelope::{CONTENT_TYPE, Envelope};
use wire::ids::MessageId;
use wire::seal::{self, PrivateKey, PublicKey, Sealed};
use wire::topics::{Down, Topic, Up};
use wire::v1::receipt::{Receipt, ReceiptV1};

use super::papers::Papers;
use super::world::free_port;

/// Debian's place for it.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";

/// How long anything may take here; far over what it takes, since a busy machine is no failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running broker, killed when dropped.
pub struct Broker {
    process: Child,
    pub port: u16,
}

impl Broker {
    pub fn start(folder: &Path) -> Self {
        assert!(
            Path::new(MOSQUITTO).exists(),
            "{MOSQUITTO} is missing: run `cargo xtask test`, or install the package mosquitto"
        );
        let port = free_port();
        let at = |name: &str| folder.join(name).display().to_string();
        let acl = "user gateway\ntopic read hilum/v1/+/up/+\ntopic write hilum/v1/+/down/+\n\
                   pattern write hilum/v1/%u/up/+\npattern read hilum/v1/%u/down/+\n";
        std::fs::write(at("acl"), acl).unwrap();
        let config = format!(
            "user root\nlistener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
             use_identity_as_username true\ntls_version tlsv1.3\nacl_file {}\nallow_anonymous false\n\
             persistence false\nlog_dest stderr\n",
            at("ca.pem"),
            at("broker.pem"),
            at("broker.key"),
            at("acl"),
        );
        std::fs::write(at("mosquitto.conf"), config).unwrap();
        let log = std::fs::File::create(at("mosquitto.log")).unwrap();
        let process = Command::new(MOSQUITTO)
            .args(["-c", &at("mosquitto.conf")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let broker = Self { process, port };
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = std::fs::read_to_string(at("mosquitto.log")).unwrap_or_default();
            assert!(Instant::now() < until, "mosquitto did not start:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        broker
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A device's side of the wire.
pub struct Device {
    name: String,
    client: AsyncClient,
    keys: (PrivateKey, PublicKey),
    gateway: PublicKey,
    receipts: mpsc::Receiver<Receipt>,
}

/// A message that can be damaged before it is sent.
#[derive(Clone)]
pub struct Outgoing {
    pub topic: String,
    pub properties: Vec<(String, String)>,
    pub payload: Vec<u8>,
}

impl Device {
    /// Connects; needs papers called `name`.
    pub async fn connect(
        papers: &Papers,
        name: &str,
        port: u16,
        keys: (PrivateKey, PublicKey),
        gateway: PublicKey,
    ) -> Self {
        let mut options = MqttOptions::new(name, ("localhost", port));
        let tls = tls::client(&papers.mqtt(name, port)).unwrap();
        options
            .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)))
            .set_max_packet_size(Some(8 * 1024 * 1024))
            .set_clean_start(true);
        let (client, mut events) = AsyncClient::builder(options).capacity(64).build();
        let topic = Topic::Down(name.parse().unwrap(), Down::Receipt).to_string();
        client.subscribe(topic, QoS::AtLeastOnce).await.unwrap();
        let (arrived, receipts) = mpsc::channel(1_000);
        let (subscribed, ready) = tokio::sync::oneshot::channel();
        let (binding, own, sender) = (seal::receipt_binding(&name.parse().unwrap()), keys.0.clone(), gateway.clone());
        tokio::spawn(async move {
            let mut subscribed = Some(subscribed);
            // The end of the client is the end of the test.
            while let Ok(event) = events.poll().await {
                match event {
                    Event::Incoming(Packet::SubAck(_)) => drop(subscribed.take().map(|ready| ready.send(()))),
                    Event::Incoming(Packet::Publish(publish)) => {
                        let sealed = Sealed::from_bytes(&publish.payload).unwrap();
                        let plain = seal::open(&sealed, &binding, &own, &sender).expect("sealed to this device");
                        for receipt in codec::decode::<ReceiptV1>(&plain).unwrap().receipts {
                            let _ = arrived.send(receipt).await;
                        }
                    }
                    _ => {}
                }
            }
        });
        tokio::time::timeout(PATIENCE, ready).await.expect("the device subscribes").expect("the device is let in");
        Self { name: name.to_owned(), client, keys, gateway, receipts }
    }

    /// Labels and seals a message.
    pub fn prepare<T: Serialize>(&self, kind: Up, id: MessageId, body: &T) -> Outgoing {
        let device = self.name.parse().unwrap();
        let envelope = Envelope { id, device, kind, time: time::OffsetDateTime::now_utc(), traceparent: None };
        let plain = codec::encode(body).unwrap();
        let pair = (&self.keys.0, &self.keys.1);
        let sealed = seal::seal(&plain, &envelope.binding(), &self.gateway, pair, &mut rand::rng()).unwrap();
        let topic = Topic::Up(envelope.device.clone(), kind).to_string();
        Outgoing { topic, properties: envelope.to_properties().unwrap(), payload: sealed.to_bytes().unwrap() }
    }

    pub async fn publish(&self, message: &Outgoing) {
        let properties = PublishProperties {
            user_properties: message.properties.clone(),
            content_type: Some(CONTENT_TYPE.to_owned()),
            ..PublishProperties::default()
        };
        let options = PublishOptions::at_least_once().properties(properties);
        self.client.publish(message.topic.clone(), message.payload.clone(), options).await.unwrap();
    }

    pub async fn send<T: Serialize>(&self, kind: Up, id: MessageId, body: &T) {
        self.publish(&self.prepare(kind, id, body)).await;
    }

    /// The next receipt.
    pub async fn receipt(&mut self) -> Receipt {
        tokio::time::timeout(PATIENCE, self.receipts.recv()).await.expect("a receipt comes").expect("connected")
    }

    /// The next receipt within a time, if there is one.
    pub async fn receipt_within(&mut self, time: Duration) -> Option<Receipt> {
        tokio::time::timeout(time, self.receipts.recv()).await.ok().flatten()
    }
}
