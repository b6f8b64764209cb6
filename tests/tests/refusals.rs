//! Everybody who must not get in, one after the other, against a real mosquitto and the real gateway: each is refused, and each
//! leaves a record in the audit trail that says what was refused, from whom and why. It prints the list.

#![cfg(test)]

use std::collections::HashSet;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lab::api::Api;
use lab::authority::Authority;
use lab::courier::{self, Courier, Papers, Parcel};
use lab::house::{House, HousePlan};
use lab::{patience, place, process};
use serde_json::Value;
use sync_agent::identity::{Identity, IdentityFolder};
use wire::envelope::Envelope;
use wire::ids::MessageId;
use wire::seal::{self, Sealed};
use wire::topics::{Topic, Up};
use wire::v1::ResultV1;
use wire::v1::receipt::ReceiptV1;

/// A reading as devices send it.
const READING: &[u8] = include_bytes!("../../wire/tests/golden/result-read.cbor");

/// The list, and where its records come from.
struct List {
    trail: Api,
    table: String,
    /// Records from before, and those that a line of the list has had.
    had: HashSet<i64>,
}

impl List {
    fn of(house: &House) -> Self {
        let table = "| who or what | refused by | actor | record |\n|---|---|---|---|\n".to_owned();
        let mut list = Self { trail: house.cloud.log_in().unwrap(), table, had: HashSet::new() };
        list.had = list.records().iter().map(id).collect();
        list
    }

    /// Newest first.
    fn records(&self) -> Vec<Value> {
        let page: Value = self.trail.get("/api/v1/audit?limit=100").unwrap();
        page["items"].as_array().unwrap().clone()
    }

    /// Waits for the record of what just happened.
    fn expect(&mut self, what: &str, action: &str, actor: &str, says: &str) {
        let found = patience::until(&format!("the record of {what}"), patience::START, || {
            Ok(self.records().into_iter().find(|record| {
                let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
                let is_new = !self.had.contains(&id(record));
                is_new && text("action") == action && text("actor") == actor && text("detail").starts_with(says)
            }))
        });
        let record = found.unwrap_or_else(|error| panic!("{error}: {:#?}", self.records()));
        self.had.insert(id(&record));
        let by = action.split('.').next().unwrap();
        let by = if by == "message" { "gateway" } else { by };
        writeln!(self.table, "| {what} | {by} | {actor} | {} |", record["detail"].as_str().unwrap()).unwrap();
    }
}

fn id(record: &Value) -> i64 {
    record["id"].as_i64().unwrap()
}

/// One device's end of the wire, with its own keys or with others.
struct Sender {
    identity: Identity,
    papers: Papers,
}

/// A message that may be bent before it is sent.
struct Message {
    parcel: Parcel,
}

impl Sender {
    fn new(house: &House, identity: &Path) -> Self {
        let loaded = IdentityFolder(identity.to_owned()).load().unwrap();
        let shown = house.folder.join(format!("{}.pem", loaded.certificate.name));
        Self { papers: Papers::of_device(identity, &shown).unwrap(), identity: loaded }
    }

    fn message(&self, number: u128) -> Message {
        self.message_with(number, |_| ())
    }

    /// A result, sealed with the identity as `bend` leaves it.
    fn message_with(&self, number: u128, bend: impl FnOnce(&mut Keys)) -> Message {
        let mut keys = Keys { sealing: self.identity.sealing.clone(), gateway: self.identity.gateway.clone() };
        bend(&mut keys);
        let envelope = Envelope {
            id: MessageId(uuid::Uuid::from_u128(number)),
            device: self.identity.enrolment.device.clone(),
            kind: Up::Result,
            time: time::OffsetDateTime::UNIX_EPOCH,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        };
        let public = keys.sealing.public();
        let pair = (&keys.sealing, &public);
        let reading: ResultV1 = ciborium::from_reader(READING).unwrap();
        let plain = wire::codec::encode(&reading).unwrap();
        let sealed = seal::seal(&plain, &envelope.binding(), &keys.gateway, pair, &mut rand::rng()).unwrap();
        let parcel = Parcel {
            topic: Topic::Up(envelope.device.clone(), envelope.kind).to_string(),
            properties: envelope.to_properties().unwrap(),
            payload: sealed.to_bytes().unwrap(),
        };
        Message { parcel }
    }

    fn courier(&self, house: &House, id: &str) -> Courier {
        Courier::new(house, id, Some(self.papers.clone()))
    }

    /// What came back, opened with the device's own key.
    fn receipts(&self, heard: &[Vec<u8>]) -> Vec<ReceiptV1> {
        let binding = seal::receipt_binding(&self.identity.enrolment.device);
        let open = |payload: &Vec<u8>| {
            let sealed = Sealed::from_bytes(payload).unwrap();
            let plain = seal::open(&sealed, &binding, &self.identity.sealing, &self.identity.gateway).unwrap();
            wire::codec::decode(&plain).unwrap()
        };
        heard.iter().map(open).collect()
    }
}

/// What a message is sealed with and to.
struct Keys {
    sealing: seal::PrivateKey,
    gateway: seal::PublicKey,
}

impl Message {
    fn label(&mut self, name: &str) -> &mut String {
        let found = self.parcel.properties.iter_mut().find(|(key, _)| key == name);
        &mut found.expect("the envelope has it").1
    }

    fn seal(&mut self, bend: impl FnOnce(&mut Sealed)) {
        let mut sealed = Sealed::from_bytes(&self.parcel.payload).unwrap();
        bend(&mut sealed);
        self.parcel.payload = sealed.to_bytes().unwrap();
    }
}

fn house(kind: &str) -> House {
    let plan = HousePlan {
        folder: place::fresh(kind).unwrap(),
        database: None,
        dashboard_port: None,
        device: "lab-1".to_owned(),
    };
    let mut house = House::prepare(&plan, |_| ()).unwrap();
    house.broker.log_messages().unwrap();
    house.cloud.start().unwrap();
    house
}

/// Another device, as an operator takes it in by hand.
fn join(house: &House, name: &str) -> PathBuf {
    let at = |what: &str| house.folder.join(format!("{name}-{what}"));
    let agent = |arguments: &[&str], last: &Path| {
        let mut all: Vec<&std::ffi::OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        let identity = at("identity");
        all.extend(["--identity-dir".as_ref(), identity.as_os_str(), last.as_os_str()]);
        process::finish(&place::program("hilum-sync-agent").unwrap(), all).unwrap()
    };
    let (request, answer) = (at("request.pem"), at("enrolment.json"));
    let out = format!("--out={}", request.display());
    agent(&["enrol-request", "--device", name], Path::new(&out));
    house.cloud.enrol("lab", &request, &answer).unwrap();
    agent(&["enrol-accept"], &answer);
    at("identity")
}

/// openssl's own client: mosquitto's takes a version for the oldest it may speak, and then speaks a newer one.
fn shake_hands(house: &House, papers: &Papers, version: &str, last: u8, says: &str) -> Output {
    let mut command: Command = process::command(Path::new("openssl"));
    let port = house.broker.port;
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-bind", &format!("127.0.0.{last}"), version]);
    command.arg("-CAfile").arg(house.authority.certificate("ca"));
    command.arg("-cert").arg(&papers.certificate).arg("-key").arg(&papers.key).arg("-quiet");
    let input = house.folder.join("spoken");
    std::fs::write(&input, says).unwrap();
    command.stdin(Stdio::from(File::open(input).unwrap())).output().expect("openssl is missing: run cargo xtask test")
}

/// What is refused before it is anybody: at the broker's door.
fn at_the_door(house: &House, list: &mut List, device: &Sender) {
    let (action, nothing) = ("broker.refused", Parcel::empty("hilum/v1/lab-1/up/result"));
    let refused = |courier: Courier| assert!(!courier.publish(&nothing).unwrap().status.success());
    refused(Courier::new(house, "nobody", None).from(11));
    list.expect("no client certificate", action, "address:127.0.0.11", "no_certificate: ");
    let strange = Authority::found(&house.folder.join("strange")).unwrap();
    refused(Courier::new(house, "stranger", Some(Papers::of(&strange, "gateway"))).from(12));
    list.expect("an unknown authority's certificate", action, "address:127.0.0.12", "certificate_refused: ");
    for _ in 0..5 {
        let said = shake_hands(house, &device.papers, "-tls1_2", 13, "");
        assert!(String::from_utf8_lossy(&said.stderr).contains("alert protocol version"), "{said:?}");
    }
    list.expect("TLS 1.2, five times", action, "address:127.0.0.13", "tls_version: ");
    shake_hands(house, &device.papers, "-tls1_3", 14, "GET / HTTP/1.0\r\n\r\n");
    list.expect("a good certificate, and no MQTT", action, "address:127.0.0.14", "no_mqtt: ");
    let repeated = list.records().iter().filter(|record| record["actor"] == "address:127.0.0.13").count();
    // One, or three where a window of ten minutes ended in between.
    assert!(repeated < 5, "whoever is refused fills the trail");
}

/// A certificate and its TLS key, copied to another machine without the key that seals.
fn stolen(house: &House, list: &mut List, device: &Sender) {
    let own = device.courier(house, "lab-1").hear("hilum/v1/lab-1/down/receipt").unwrap();
    let thief = device.courier(house, "thief").from(21);
    let message = device.message_with(0x21, |keys| keys.sealing = seal::generate(&mut rand::rng()).0);
    assert!(thief.publish(&message.parcel).unwrap().status.success(), "the broker cannot know");
    list.expect("a stolen certificate, used beside its device", "broker.refused", "device:lab-1", "identity_doubled: ");
    list.expect("what it sends without the device's key", "message.rejected", "device:lab-1", "seal: ");
    assert_eq!(courier::heard(&own), Vec::<Vec<u8>>::new(), "a receipt came of it");
}

/// Within its rights at the broker, in another's name.
fn in_anothers_name(house: &House, list: &mut List, device: &Sender, other: &Sender) {
    let rejected = "message.rejected";
    let courier = device.courier(house, "lab-1");
    let mut message = device.message(0x31);
    *message.label("source") = "/devices/lab-2".into();
    courier.publish(&message.parcel).unwrap();
    list.expect("another device's name on its own topic", rejected, "device:lab-1", "other_device: ");
    let _spy = other.courier(house, "spy").hear("hilum/v1/lab-1/down/receipt").unwrap();
    list.expect("another device's receipts", "broker.refused", "device:lab-2", "other_subscription: ");
}

/// The same bytes once more: the same receipt, and no second row. In other clothes: refused.
fn replayed(house: &House, list: &mut List, device: &Sender, other: &Sender) {
    let own = device.courier(house, "lab-1").hear("hilum/v1/lab-1/down/receipt").unwrap();
    let second = device.courier(house, "lab-1-out");
    let message = device.message(0x41);
    for times in 1..=3 {
        second.publish(&message.parcel).unwrap();
        let receipts = patience::until("a receipt for each copy", patience::START, || {
            let receipts = device.receipts(&courier::heard(&own));
            Ok((receipts.len() == times).then_some(receipts))
        })
        .unwrap();
        assert!(receipts.iter().all(|receipt| *receipt == receipts[0]), "{receipts:?}");
    }
    assert_eq!(list.trail.results().unwrap().len(), 1, "a replay is a second result");
    writeln!(list.table, "| the same bytes, three times | nobody | device:lab-1 | one row, one receipt each |")
        .unwrap();

    let mut renamed = device.message(0x42);
    *renamed.label("id") = MessageId(uuid::Uuid::from_u128(0x43)).to_string();
    second.publish(&renamed.parcel).unwrap();
    list.expect("a replay under another id", "message.rejected", "device:lab-1", "seal: ");
    let theirs = other.message(0x44);
    let taken = Parcel { payload: device.message(0x44).parcel.payload, ..theirs.parcel };
    other.courier(house, "lab-2").publish(&taken).unwrap();
    list.expect("a replay as another device's", "message.rejected", "device:lab-2", "seal: ");
    assert_eq!(list.trail.results().unwrap().len(), 1);
}

/// Each part of a message, changed.
fn tampered(house: &House, list: &mut List, device: &Sender) {
    type Bend = fn(&mut Message);
    let table: [(&str, Bend, &str); 12] = [
        ("specversion", |m| *m.label("specversion") = "9.9".into(), "bad_envelope: "),
        ("id: none at all", |m| *m.label("id") = "x".into(), "bad_envelope: "),
        ("source: no device", |m| *m.label("source") = "x".into(), "bad_envelope: "),
        ("type", |m| *m.label("type") = "hilum.image.v1".into(), "other_kind: "),
        ("time: none at all", |m| *m.label("time") = "x".into(), "bad_envelope: "),
        ("no labels", |m| m.parcel.properties.clear(), "bad_envelope: "),
        ("the key's name", |m| m.seal(|sealed| sealed.key_id.0 = "00".into()), "other_key: "),
        ("the encapsulated key", |m| m.seal(|sealed| sealed.encapsulated[0] ^= 1), "seal: "),
        ("the encapsulated key, cut", |m| m.seal(|sealed| sealed.encapsulated.truncate(31)), "seal: "),
        ("the ciphertext's first bit", |m| m.seal(|sealed| sealed.ciphertext[0] ^= 1), "seal: "),
        ("the seal's last bit", |m| m.seal(|sealed| *sealed.ciphertext.last_mut().unwrap() ^= 1), "seal: "),
        ("the payload's frame", |m| m.parcel.payload[0] ^= 0xff, "not_sealed: "),
    ];
    let courier = device.courier(house, "lab-1");
    for (number, (what, bend, says)) in (0x51..).zip(table) {
        let mut message = device.message(number);
        bend(&mut message);
        courier.publish(&message.parcel).unwrap();
        list.expect(&format!("tampered: {what}"), "message.rejected", "device:lab-1", says);
    }
    let stranger = device.message_with(0x71, |keys| keys.gateway = seal::generate(&mut rand::rng()).1);
    courier.publish(&stranger.parcel).unwrap();
    list.expect("sealed to a key that the gateway does not have", "message.rejected", "device:lab-1", "other_key: ");
    assert_eq!(list.trail.results().unwrap().len(), 1);
}

/// At the gateway over a connection that is older than the order, at the broker's door, and at EST.
fn revoked(house: &House, list: &mut List, device: &Sender, identity: &Path) {
    let message = device.message(0x81);
    let courier = device.courier(house, "lab-2").from(31);
    let mut open = courier.open(&message.parcel).unwrap();
    open.publish().unwrap();
    list.expect("a payload that is not sealed", "message.rejected", "device:lab-2", "not_sealed: ");
    house.cloud.order(&["device", "revoke", "--reason", "stolen", "lab-2"]).unwrap();
    list.expect("the order", "device.revoked", "operator", "stolen");
    open.publish().unwrap();
    list.expect("a revoked device, over its open connection", "message.rejected", "device:lab-2", "revoked: ");
    drop(open);
    house.broker.reload().unwrap();
    patience::until("the broker to heed its new list", patience::START, || {
        Ok((!courier.publish(&message.parcel)?.status.success()).then_some(()))
    })
    .unwrap();
    list.expect(
        "a revoked device at the broker's door",
        "broker.refused",
        "address:127.0.0.31",
        "certificate_refused: ",
    );
    assert!(list.table.trim_end().ends_with("let in from there was lab-2; address 127.0.0.31 |"), "{}", list.table);
    let mut renew = Command::new(place::program("hilum-sync-agent").unwrap());
    renew.args(["renew", "--identity-dir"]).arg(identity).stdin(Stdio::null());
    assert!(!renew.output().unwrap().status.success());
    list.expect(
        "a revoked device that asks for a certificate",
        "enrolment.refused",
        "address:127.0.0.1",
        "papers: revoked: ",
    );
}

/// What mosquitto says to its log only: a message on another device's topic, which it takes and drops.
fn from_the_pipe(house: &House, list: &mut List, device: &Sender) {
    let parcel = Parcel { topic: "hilum/v1/lab-2/up/result".into(), ..device.message(0x91).parcel };
    let said = device.courier(house, "lab-1").publish(&parcel).unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("Not authorized"), "{said:?}");
    let read = || {
        let mut command = Command::new(place::program("cloud-gateway").unwrap());
        command.args(["audit", "broker-log", "--config"]).arg(house.cloud.config());
        let done = command.stdin(Stdio::from(File::open(house.broker.log()).unwrap())).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    read();
    list.expect("another device's topic", "broker.refused", "device:lab-1", "other_topic: ");
    // What came over the topic before is not written twice, however often the same log is read.
    let after = list.records().len();
    read();
    assert_eq!(list.records().len(), after, "the same log was written down twice");
    let nobodys = list.records().iter().filter(|record| record["actor"] == "address:127.0.0.11").count();
    assert_eq!(nobodys, 1, "what came over the topic was written down once more");
}

#[test]
fn whoever_must_not_get_in_is_refused_and_written_down() {
    let house = house("refusals");
    let other_identity = join(&house, "lab-2");
    let (device, other) = (Sender::new(&house, &house.hospital.identity()), Sender::new(&house, &other_identity));
    let mut list = List::of(&house);
    at_the_door(&house, &mut list, &device);
    stolen(&house, &mut list, &device);
    in_anothers_name(&house, &mut list, &device, &other);
    replayed(&house, &mut list, &device, &other);
    tampered(&house, &mut list, &device);
    revoked(&house, &mut list, &other, &other_identity);
    from_the_pipe(&house, &mut list, &device);
    println!("{}", list.table);
    let whole = house.cloud.order(&["audit", "verify"]).unwrap();
    assert!(whole.contains("the audit trail holds"), "{whole}");
}
