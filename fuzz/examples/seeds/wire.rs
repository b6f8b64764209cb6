//! What a device and its gateway send each other.

use ciborium::into_writer;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use serde_bytes::ByteBuf;
use wire::carry::{Carried, CarriedReceipts, Manifest, Part, PartEntry};
use wire::envelope::Envelope;
use wire::ids::{DeviceId, MessageId};
use wire::topics::{Topic, Up};
use wire::v1::receipt::Receipt;
use wire::v1::{ReceiptStatus, ReceiptV1, TelemetryV1};
use wire::{carry, codec, seal};

use super::{Seeds, samples, viewed};

fn cbor(content: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(content, &mut bytes).unwrap();
    bytes
}

fn id() -> MessageId {
    "01935d2a-0000-7000-8000-000000000001".parse().unwrap()
}

pub(crate) fn wire() -> Seeds {
    let device: DeviceId = "demo-1".parse().unwrap();
    let envelope = Envelope {
        id: id(),
        device: device.clone(),
        kind: Up::Result,
        time: time::OffsetDateTime::UNIX_EPOCH,
        traceparent: Some(format!("00-{}-{}-01", "ab".repeat(16), "cd".repeat(8))),
    };
    let properties = envelope.to_properties().unwrap();
    let labels: String = properties.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (private, public) = seal::generate(&mut rng);
    let sealed = seal::seal(b"payload", &envelope.binding(), &public, (&private, &public), &mut rng).unwrap();
    let (result, image, shadow) = (samples::read(0.87, 0), samples::image(id()), samples::shadow(5000));
    let mut packed = image.clone();
    packed.preview = packed.preview.pack();
    let telemetry =
        TelemetryV1 { at_ms: 1, queue_depth: 2, oldest_ms: 3, rejected: 4, sync_agent_version: "0.1.0".into() };
    let rejected = ReceiptStatus::Rejected { reason: "it says what cannot be".into() };
    let receipts = ReceiptV1 {
        receipts: vec![Receipt { id: id(), status: ReceiptStatus::Stored }, Receipt { id: id(), status: rejected }],
        gateway_key: None,
    };
    let payload = ByteBuf::from(sealed.to_bytes().unwrap());
    let carried = Carried { kind: "result".into(), properties, payload: payload.clone() };
    let part = carry::to_bytes(&Part { messages: vec![carried] }).unwrap();
    let manifest = Manifest { made_ms: samples::RECEIVED, messages: 1, parts: vec![PartEntry::of(1, &part)] };
    let cover = manifest.seal(&device, &public, (&private, &public), &mut rng).unwrap();
    let back = CarriedReceipts { schema: carry::SCHEMA, device: device.clone(), batches: vec![payload] };
    vec![
        ("topic", viewed(0, Topic::Up(device, Up::Shadow).to_string())),
        ("labels", viewed(1, labels)),
        ("sealed", viewed(2, sealed.to_bytes().unwrap())),
        ("result", viewed(3, cbor(&result))),
        ("result_deflated", viewed(3, codec::encode(&result).unwrap())),
        ("abstained", viewed(3, cbor(&samples::abstained(1)))),
        ("image", viewed(4, cbor(&image))),
        ("image_packed", viewed(4, cbor(&packed))),
        ("telemetry", viewed(5, cbor(&telemetry))),
        ("shadow", viewed(6, cbor(&shadow))),
        ("receipts", viewed(7, cbor(&receipts))),
        ("cover", viewed(8, carry::to_bytes(&cover).unwrap())),
        ("manifest", viewed(9, carry::to_bytes(&manifest).unwrap())),
        ("part", viewed(10, part)),
        ("carried_receipts", viewed(11, carry::to_bytes(&back).unwrap())),
        ("message_result", viewed(12, cbor(&result))),
        ("message_image", viewed(13, cbor(&packed))),
        ("message_telemetry", viewed(14, cbor(&telemetry))),
        ("message_shadow", viewed(15, cbor(&shadow))),
    ]
}
