//! What a device would send.

use gateway::domain::when::UnixMs;
use wire::ids::{MessageId, Pseudonym};
use wire::v1::image::{ImageV1, PreviewV1, SaliencyV1, VoiV1};
use wire::v1::result::{FactsV1, ModelV1, OperatingPointV1, OutcomeV1, ReadV1, ReasonV1, ResultV1, StagesV1};
use wire::v1::shadow::{DIFFERENCE_BINS, ShadowModelV1, ShadowV1};

/// 2026-01-02T03:00:45.678Z.
pub const RECEIVED: UnixMs = 1_767_322_845_678;

/// A reading of this probability, received `later` milliseconds after [`RECEIVED`].
pub fn read(probability: f64, later: i64) -> ResultV1 {
    let model = ModelV1 {
        id: "pneumonia-cxr".into(),
        version: "1.0.0".into(),
        title: "Pneumonia on paediatric chest radiographs".into(),
        digest: "ab".repeat(32),
        slope: 1.5,
        intercept: -0.25,
        operating_point: OperatingPointV1 {
            name: "default".into(),
            threshold: 0.5,
            sensitivity: 0.96,
            specificity: 0.91,
            measured_on: "624 test images".into(),
        },
    };
    let read = ReadV1 { model, logit: 0.5, probability, positive: probability >= 0.5, provider: "CPU".into() };
    result(OutcomeV1::Read(read), later)
}

/// An image that is not for the model.
pub fn abstained(later: i64) -> ResultV1 {
    let reason = ReasonV1 { code: "not_a_chest".into(), words: "The header says HIP.".into() };
    result(OutcomeV1::Abstained { reason }, later)
}

fn result(outcome: OutcomeV1, later: i64) -> ResultV1 {
    ResultV1 {
        site: "st-mary".into(),
        study: Pseudonym("s".repeat(26)),
        instance: Pseudonym("i".repeat(26)),
        patient: Pseudonym("p".repeat(26)),
        received_at_ms: RECEIVED + later,
        facts: FactsV1 {
            modality: Some("DX".into()),
            view: Some("PA".into()),
            sex: Some("F".into()),
            age_years: Some(4),
            photometric: Some("MONOCHROME1".into()),
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

/// The picture of a result.
pub fn image(result: MessageId) -> ImageV1 {
    ImageV1 {
        result,
        preview: PreviewV1 {
            packed: vec![],
            rows: 2,
            columns: 2,
            samples: vec![1, 0, 2, 0, 3, 0, 255, 15],
            offset: -1024,
            invert: true,
            voi: VoiV1::Lut { first: -5, bits: 12, data: vec![0, 0, 255, 15] },
        },
        saliency: Some(SaliencyV1 { rows: 1, columns: 3, values: vec![0, 128, 255] }),
    }
}

/// Three pairs, one of them in disagreement, the last of them `later` milliseconds after [`RECEIVED`].
pub fn shadow(later: i64) -> ShadowV1 {
    let model =
        |version: &str| ShadowModelV1 { id: "pneumonia-cxr".into(), version: version.into(), digest: "ab".repeat(32) };
    let mut differences = vec![0; DIFFERENCE_BINS];
    (differences[9], differences[12]) = (2, 1);
    ShadowV1 {
        from_ms: RECEIVED,
        to_ms: RECEIVED + later,
        active: model("1.0.0"),
        candidate: model("1.1.0"),
        pairs: 3,
        missed: 1,
        both_positive: 1,
        both_negative: 1,
        active_only: 0,
        candidate_only: 1,
        mean_difference: 0.05,
        sd_difference: 0.1,
        correlation: None,
        differences,
    }
}
