//! A reading as the messages that leave the device: the result, and the picture where there is one. It decides what is sent
//! and how urgently, writes nothing, and takes patient-related values from the privacy room only.

use std::sync::Arc;

use outbox::{Instance, Priority};
use reader::model::ModelInfo;
use reader::{Outcome, Reading};
use uuid::Uuid;
use wire::codec::{self, CodecError};
use wire::ids::MessageId;
use wire::topics::Up;
use wire::v1::result::{ModelV1, OperatingPointV1, OutcomeV1, ReadV1, ReasonV1, StagesV1};
use wire::v1::{ImageV1, ResultV1};

use crate::journal::Message;
use crate::privacy::{self, Privacy};

/// Everything a record is made from.
pub struct Source<'a> {
    /// The journal's row.
    pub image: &'a Instance,
    /// What the reader made of it.
    pub reading: &'a Reading,
    /// What may be told.
    pub privacy: &'a Privacy,
    /// The site as configured.
    pub site: &'a str,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Ids of the result and of the picture.
    pub ids: [Uuid; 2],
    /// False where the disk has room for findings alone.
    pub with_picture: bool,
}

/// The messages of one image; the result is the first.
///
/// # Errors
/// [`CodecError`] where the result itself cannot be encoded. A picture that cannot be is left out.
pub fn messages(source: &Source<'_>) -> Result<Arc<[Message]>, CodecError> {
    let [result_id, image_id] = source.ids.map(MessageId);
    let result = result(source);
    let payload = codec::encode(&result)?;
    let mut messages = vec![Message { id: result_id, kind: Up::Result, priority: priority(&result.outcome), payload }];
    if let Some(payload) = picture(source, result_id) {
        messages.push(Message { id: image_id, kind: Up::Image, priority: Priority::Backlog, payload });
    }
    Ok(messages.into())
}

/// What may be told of an image's outcome and its caveats, in words of ours.
#[must_use]
pub fn told(source: &Source<'_>) -> (OutcomeV1, Vec<ReasonV1>) {
    (outcome(source), source.reading.caveats.iter().map(privacy::reason).collect())
}

/// A positive finding overtakes what waits; nothing else does.
fn priority(outcome: &OutcomeV1) -> Priority {
    match outcome {
        OutcomeV1::Read(read) if read.positive => Priority::Urgent,
        _ => Priority::Live,
    }
}

fn result(source: &Source<'_>) -> ResultV1 {
    let reading = source.reading;
    let told = source.privacy.tell(&source.image.sop_instance, reading.about.as_ref());
    ResultV1 {
        site: source.site.to_owned(),
        study: told.study,
        instance: told.instance,
        patient: told.patient,
        received_at_ms: source.image.received_ms,
        facts: told.facts,
        outcome: outcome(source),
        caveats: reading.caveats.iter().map(privacy::reason).collect(),
        stages: StagesV1 {
            receive_ms: source.image.receive_ms,
            decode_ms: reading.times.decode_ms,
            queue_ms: reading.times.queue_ms,
            infer_ms: reading.times.infer_ms,
            total_ms: source.now_ms.saturating_sub(source.image.received_ms).max(0) as f64,
        },
        appliance_version: env!("CARGO_PKG_VERSION").to_owned(),
        supersedes: source.image.supersedes,
    }
}

fn outcome(source: &Source<'_>) -> OutcomeV1 {
    match &source.reading.outcome {
        Outcome::Abstained(reason) => OutcomeV1::Abstained { reason: privacy::reason(reason) },
        Outcome::Unreadable(reason) => OutcomeV1::Unreadable { reason: privacy::reason(reason) },
        Outcome::Read { finding, model, .. } => OutcomeV1::Read(ReadV1 {
            provider: model.provider.to_string(),
            model: model_v1(model),
            logit: finding.logit,
            probability: finding.probability,
            positive: finding.positive,
        }),
    }
}

fn model_v1(info: &ModelInfo) -> ModelV1 {
    let point = info.operating_point();
    ModelV1 {
        id: info.manifest.id.clone(),
        version: info.manifest.version.clone(),
        title: info.manifest.title.clone(),
        digest: info.digest().to_owned(),
        slope: info.rule.slope,
        intercept: info.rule.intercept,
        operating_point: OperatingPointV1 {
            name: point.name.clone(),
            threshold: point.threshold,
            sensitivity: point.sensitivity,
            specificity: point.specificity,
            measured_on: point.measured_on.clone(),
        },
    }
}

fn picture(source: &Source<'_>, result: MessageId) -> Option<Vec<u8>> {
    let preview = source.privacy.picture(source.reading).filter(|_| source.with_picture)?;
    let image = ImageV1 { result, preview: preview.pack(), saliency: source.privacy.saliency(source.reading) };
    let encoded = codec::encode_packed(&image);
    encoded.inspect_err(|error| tracing::error!(error = %error, "a picture is left out of its result")).ok()
}
