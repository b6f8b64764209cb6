//! What crosses the network between a device and its gateway, from the broker's point of view (everything is hostile) and
//! from an enrolled device's that was taken over: labels, topics, seals, payloads, receipts, carried folders.

use std::io::Write;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use gateway::identity::SealingKeys;
use gateway::ingest::judge::{self, Arrived, Body};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::carry::{self, CarriedReceipts, Cover, Manifest, Part};
use wire::codec;
use wire::envelope::Envelope;
use wire::seal::{self, PrivateKey, PublicKey, Sealed};
use wire::topics::{Topic, Up};
use wire::v1::{ImageV1, ReceiptV1, ResultV1, ShadowV1, TelemetryV1};

pub(crate) fn wire(data: &[u8]) {
    match crate::view(data, 16) {
        Some((0, rest)) => topic(rest),
        Some((1, rest)) => labels(rest),
        Some((2, rest)) => sealed(rest),
        Some((3, rest)) => payload::<ResultV1>(rest),
        Some((4, rest)) => image(rest),
        Some((5, rest)) => payload::<TelemetryV1>(rest),
        Some((6, rest)) => payload::<ShadowV1>(rest),
        Some((7, rest)) => payload::<ReceiptV1>(rest),
        Some((8, rest)) => carried::<Cover>(rest),
        Some((9, rest)) => carried::<Manifest>(rest),
        Some((10, rest)) => carried::<Part>(rest),
        Some((11, rest)) => carried::<CarriedReceipts>(rest),
        Some((kind, rest)) => message(Up::ALL[usize::from(kind - 12)], rest),
        None => {}
    }
}

fn topic(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Topic>() {
        Ok(topic) => assert_eq!(topic.to_string(), text, "one text for each topic"),
        Err(unknown) => assert!(unknown.to_string().len() < 1024, "what came is not repeated at length"),
    }
}

/// Labels as lines `key=value`.
fn labels(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let properties: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let Ok(envelope) = Envelope::from_properties(&properties) else { return };
    assert_eq!(envelope.binding().iter().filter(|byte| **byte == b'\n').count(), 2, "a label cannot pose as another");
    if let Ok(written) = envelope.to_properties() {
        assert_eq!(Envelope::from_properties(&written), Ok(envelope));
    }
}

fn sealed(bytes: &[u8]) {
    let Ok(sealed) = Sealed::from_bytes(bytes) else { return };
    assert!(sealed.ciphertext.len() + sealed.encapsulated.len() <= bytes.len(), "no more than came");
    let written = sealed.to_bytes().expect("it has a CBOR form");
    assert_eq!(Sealed::from_bytes(&written).as_ref(), Ok(&sealed));
    let (ours, theirs) = keys();
    assert!(seal::open(&sealed, b"", &ours.0, &theirs.1).is_err(), "nobody sealed this");
}

/// The payload's CBOR, or, where that is none, the payload itself, whose DEFLATE may hold anything.
fn payload<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let _ = codec::decode::<T>(bytes);
    if let Ok(found) = codec::decode::<T>(&deflated(bytes)) {
        same_again(&found, |found| codec::encode(found).ok(), |bytes| codec::decode(bytes).ok());
    }
}

fn image(bytes: &[u8]) {
    payload::<ImageV1>(bytes);
    let Ok(mut image) = codec::decode::<ImageV1>(&deflated(bytes)) else { return };
    let packed = !image.preview.packed.is_empty();
    if image.preview.unpack().is_ok() && packed {
        let preview = image.preview.clone();
        assert_eq!(preview.samples.len(), 2 * usize::from(preview.rows) * usize::from(preview.columns));
        let mut again = preview.clone().pack();
        assert_eq!(again.unpack(), Ok(()));
        assert_eq!(again.samples, preview.samples);
    }
}

fn carried<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(found) = carry::from_bytes::<T>(bytes) {
        same_again(&found, |found| carry::to_bytes(found).ok(), |bytes| carry::from_bytes(bytes).ok());
    }
}

/// A message of an enrolled device, sealed as it should be, whose payload is anything: what the gateway makes of it.
fn message(kind: Up, cbor: &[u8]) {
    let (ours, theirs) = keys();
    let envelope = Envelope {
        id: "01935d2a-0000-7000-8000-000000000001".parse().expect("an id"),
        device: "demo-1".parse().expect("a name"),
        kind,
        time: time::OffsetDateTime::UNIX_EPOCH,
        traceparent: None,
    };
    let sealed = seal::seal(&deflated(cbor), &envelope.binding(), &ours.1, (&theirs.0, &theirs.1), &mut random(3));
    let arrived = Arrived {
        topic: Topic::Up(envelope.device.clone(), kind).to_string(),
        properties: envelope.to_properties().expect("a time of our own"),
        payload: sealed.and_then(|sealed| sealed.to_bytes()).expect("keys of our own"),
    };
    let addressed = judge::address(arrived).expect("labels of our own");
    let ours = SealingKeys::parse(&ours.0.to_hex()).expect("a key of our own");
    match judge::open(&addressed, &ours, Some(&theirs.1)).map(|opened| opened.body) {
        Ok(Body::Image(image)) => {
            let (rows, columns) = (usize::from(image.preview.rows), usize::from(image.preview.columns));
            assert!(rows <= 1024 && columns <= 1024 && image.preview.samples.len() == 2 * rows * columns);
        }
        Ok(_) => {}
        Err(refused) => assert_eq!(refused.fingerprint.len(), 64),
    }
}

/// What is written from `found`, read and written once more, is the same bytes. (Not the same value: a number that is none
/// equals nothing.)
fn same_again<T>(found: &T, write: impl Fn(&T) -> Option<Vec<u8>>, read: impl Fn(&[u8]) -> Option<T>) {
    // Written in full it may be longer than a payload may be.
    let Some(written) = write(found) else { return };
    let again = read(&written).expect("what we write can be read");
    assert!(write(&again).is_some_and(|twice| twice == written), "it changes from writing to writing");
}

/// DEFLATE's stored blocks, so that the fuzzer sees its own bytes on the other side.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut stream = DeflateEncoder::new(Vec::new(), Compression::none());
    let written = stream.write_all(bytes).and_then(|()| stream.finish());
    written.expect("memory takes all")
}

type Pair = (PrivateKey, PublicKey);

/// The gateway's keys and a device's.
fn keys() -> &'static (Pair, Pair) {
    static KEYS: OnceLock<(Pair, Pair)> = OnceLock::new();
    KEYS.get_or_init(|| (seal::generate(&mut random(1)), seal::generate(&mut random(2))))
}

fn random(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}
