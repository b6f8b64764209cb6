//! Frozen payloads, byte for byte: an encoding that moves breaks every device already in the field.
//!
//! To freeze a new payload, run this test once with the variable HILUM_FREEZE set and commit the file that appears.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::ids::{MessageId, Pseudonym};
use wire::v1::image::{ImageV1, PreviewV1, SaliencyV1, VoiV1};
use wire::v1::receipt::{Receipt, ReceiptStatus, ReceiptV1};
use wire::v1::result::{FactsV1, ModelV1, OperatingPointV1, OutcomeV1, ReadV1, ReasonV1, ResultV1, StagesV1};
use wire::v1::shadow::{DIFFERENCE_BINS, ShadowModelV1, ShadowV1};
use wire::v1::telemetry::TelemetryV1;

fn message(last: u8) -> MessageId {
    format!("01890a5d-ac96-774b-bcce-b302099a80{last:02x}").parse().unwrap()
}

fn reason() -> ReasonV1 {
    ReasonV1 { code: "not_a_chest".into(), words: "The header says HIP.".into() }
}

fn result(outcome: OutcomeV1) -> ResultV1 {
    ResultV1 {
        site: "st-mary".into(),
        study: Pseudonym("s".repeat(26)),
        instance: Pseudonym("i".repeat(26)),
        patient: Pseudonym("p".repeat(26)),
        received_at_ms: 1_767_322_845_678,
        facts: FactsV1 {
            modality: Some("CR".into()),
            age_years: Some(4),
            rows: Some(2048),
            columns: Some(1760),
            bits_stored: Some(12),
            ..FactsV1::default()
        },
        outcome,
        caveats: vec![ReasonV1 { code: "age_unknown".into(), words: "The header gives no age.".into() }],
        stages: StagesV1 { receive_ms: 12.5, decode_ms: 40.0, queue_ms: 1.25, infer_ms: 8.0, total_ms: 61.75 },
        appliance_version: "0.1.0".into(),
        supersedes: None,
    }
}

fn read() -> OutcomeV1 {
    OutcomeV1::Read(ReadV1 {
        model: ModelV1 {
            id: "pneumonia-cxr".into(),
            version: "1.0.0".into(),
            title: "Pneumonia on paediatric chest radiographs".into(),
            digest: "00".repeat(32),
            slope: 1.5,
            intercept: -0.25,
            operating_point: OperatingPointV1 {
                name: "default".into(),
                threshold: 0.5,
                sensitivity: 0.96,
                specificity: 0.91,
                measured_on: "624 test images".into(),
            },
        },
        logit: 2.0,
        probability: 0.75,
        positive: true,
        provider: "CPU".into(),
    })
}

fn image() -> ImageV1 {
    ImageV1 {
        result: message(1),
        preview: PreviewV1 {
            rows: 1,
            columns: 2,
            samples: vec![1, 0, 255, 15],
            packed: vec![],
            offset: -3,
            invert: true,
            voi: VoiV1::Lut { first: 0, bits: 12, data: vec![0, 0, 255, 15] },
        },
        saliency: Some(SaliencyV1 { rows: 1, columns: 1, values: vec![255] }),
    }
}

fn receipts() -> ReceiptV1 {
    ReceiptV1 {
        receipts: vec![
            Receipt { id: message(1), status: ReceiptStatus::Stored },
            Receipt { id: message(2), status: ReceiptStatus::Rejected { reason: "does not open".into() } },
        ],
        gateway_key: None,
    }
}

/// Encodes to the frozen bytes, and the frozen bytes decode to the same value.
fn frozen<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, value: &T) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.cbor"));
    let mut encoded = Vec::new();
    ciborium::into_writer(value, &mut encoded).unwrap();
    if std::env::var_os("HILUM_FREEZE").is_some() && !path.exists() {
        std::fs::write(&path, &encoded).unwrap();
    }
    let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(hex::encode(&encoded), hex::encode(&golden), "{name}: the encoding moved");
    assert_eq!(&ciborium::from_reader::<T, _>(golden.as_slice()).unwrap(), value, "{name}: the decoding moved");
}

#[test]
fn a_read_result_is_frozen() {
    frozen("result-read", &result(read()));
}

#[test]
fn an_abstained_result_is_frozen() {
    frozen("result-abstained", &result(OutcomeV1::Abstained { reason: reason() }));
}

#[test]
fn an_unreadable_result_is_frozen() {
    frozen("result-unreadable", &result(OutcomeV1::Unreadable { reason: reason() }));
}

#[test]
fn a_result_in_the_place_of_another_is_frozen() {
    frozen("result-superseding", &ResultV1 { supersedes: Some(message(1)), ..result(read()) });
}

#[test]
fn an_image_is_frozen() {
    frozen("image", &image());
}

#[test]
fn a_packed_image_is_frozen() {
    let packed = ImageV1 { preview: image().preview.pack(), ..image() };
    frozen("image-packed", &packed);
    let mut preview = packed.preview;
    preview.unpack().unwrap();
    assert_eq!(preview, image().preview);
}

#[test]
fn receipts_are_frozen() {
    frozen("receipts", &receipts());
    let announcing = ReceiptV1 { gateway_key: Some("0a".repeat(32)), ..receipts() };
    frozen("receipts-announcing", &announcing);
    let announcement = ReceiptV1 { receipts: Vec::new(), ..announcing };
    frozen("announcement", &announcement);
}

#[test]
fn telemetry_is_frozen() {
    frozen(
        "telemetry",
        &TelemetryV1 { at_ms: 1, queue_depth: 2, oldest_ms: 3, rejected: 4, sync_agent_version: "0.1.0".into() },
    );
}

#[test]
fn a_shadow_window_is_frozen() {
    let model =
        |version: &str| ShadowModelV1 { id: "pneumonia-cxr".into(), version: version.into(), digest: "00".repeat(32) };
    let mut differences = vec![0; DIFFERENCE_BINS];
    (differences[9], differences[10]) = (3, 1);
    frozen(
        "shadow",
        &ShadowV1 {
            from_ms: 1_767_322_845_678,
            to_ms: 1_767_322_905_678,
            active: model("1.0.0"),
            candidate: model("1.1.0"),
            pairs: 4,
            missed: 2,
            both_positive: 1,
            both_negative: 2,
            active_only: 1,
            candidate_only: 0,
            mean_difference: -0.0625,
            sd_difference: 0.125,
            correlation: Some(0.75),
            differences,
        },
    );
}
