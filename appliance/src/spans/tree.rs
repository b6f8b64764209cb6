//! An image's times as a tree of spans. It decides only; ids are dice that come in. No identifier of the image is looked at.
//!
//! ```text
//! association (or request, or file)         the trace context that the journal and the envelope carry names this one
//! └─ image                                  from its first byte to its committed result
//!    ├─ receive                             until its file is durable
//!    ├─ wait                                for its turn, the model, memory and a decoder
//!    ├─ decode ─ queue ─ transfer ─ infer   as far as it came
//!    └─ conclude                            result, picture and deliveries made and committed
//! ```
//! The reader tells how long its steps took, not when: they are laid end to end before the reading's end, both ways to the
//! inference process as one. A clock that was set meanwhile shortens spans and never turns one round.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use outbox::Instance;
use reader::{Outcome, Reading, Reason};

use crate::privacy;

/// W3C Trace Context, 3.2.2.5: sampled.
const SAMPLED: u32 = 1;

/// An image and what came of it.
pub struct Concluded<'a> {
    /// The journal's row.
    pub image: &'a Instance,
    /// What the reader made of it.
    pub reading: &'a Reading,
    /// When the reading ended, milliseconds since the Unix epoch.
    pub read_ms: i64,
    /// When its result was committed, milliseconds since the Unix epoch.
    pub concluded_ms: i64,
}

/// What brings images in.
#[derive(Clone, Copy, Debug)]
pub enum Bringer {
    /// A DICOM association.
    Association,
    /// A store request over HTTP.
    Request,
    /// A file of a watched folder.
    File,
}

/// What a `traceparent` says.
struct Context {
    trace: Vec<u8>,
    parent: Vec<u8>,
}

/// The image's span, then its steps in the order of time.
pub(super) fn of_image(concluded: &Concluded<'_>, random: fn() -> [u8; 16]) -> Vec<Span> {
    let image = concluded.image;
    // What recovery found without a trace starts its own.
    let context = image.traceparent.as_deref().and_then(context);
    let Context { trace, parent } = context.unwrap_or_else(|| Context { trace: id(random), parent: Vec::new() });
    let (begin, end) = (ns(image.received_ms), ns(concluded.concluded_ms.max(image.received_ms)));
    let whole = Span {
        parent_span_id: parent,
        attributes: attributes(concluded),
        status: matches!(concluded.reading.outcome, Outcome::Unreadable(_)).then(failed),
        ..span("image", &trace, span_id(random), (begin, end))
    };
    let steps = steps(concluded, begin, end).into_iter().map(|(name, from, to)| Span {
        parent_span_id: whole.span_id.clone(),
        ..span(name, &trace, span_id(random), (from, to))
    });
    let steps: Vec<Span> = steps.collect();
    [vec![whole], steps].concat()
}

/// The span that a `traceparent` of our own names; nothing for any other text.
pub(super) fn of_bringer(by: Bringer, traceparent: &str, began_ms: i64, ended_ms: i64) -> Vec<Span> {
    let (name, kind) = match by {
        Bringer::Association => ("association", SpanKind::Server),
        Bringer::Request => ("request", SpanKind::Server),
        Bringer::File => ("file", SpanKind::Internal),
    };
    let times = (ns(began_ms), ns(ended_ms.max(began_ms)));
    let named = |context: Context| Span { kind: kind.into(), ..span(name, &context.trace, context.parent, times) };
    context(traceparent).map(named).into_iter().collect()
}

/// Each step with its begin and end, nanoseconds since the Unix epoch; none overlaps another.
fn steps(concluded: &Concluded<'_>, begin: u64, end: u64) -> Vec<(&'static str, u64, u64)> {
    let times = &concluded.reading.times;
    let measured = [
        ("decode", times.decode_ms),
        ("queue", times.queue_ms),
        ("transfer", times.transfer_ms),
        ("infer", times.infer_ms),
    ];
    let read_end = ns(concluded.read_ms);
    let reading = measured.iter().map(|(_, ms)| lasting(*ms)).fold(0, u64::saturating_add);
    let mut ends = vec![
        ("receive", begin.saturating_add(lasting(concluded.image.receive_ms))),
        ("wait", read_end.saturating_sub(reading)),
    ];
    let mut left = reading;
    for (name, ms) in measured.into_iter().filter(|(_, ms)| lasting(*ms) > 0) {
        left = left.saturating_sub(lasting(ms));
        ends.push((name, read_end.saturating_sub(left)));
    }
    ends.push(("conclude", end));
    let mut from = begin;
    let step = |(name, to): (&'static str, u64)| {
        let step = (name, from, to.clamp(from, end));
        from = step.2;
        step
    };
    ends.into_iter().map(step).collect()
}

/// What is said of an image. Its source is a name of the configuration; codes are of the privacy room's list.
fn attributes(concluded: &Concluded<'_>) -> Vec<KeyValue> {
    let source = text("hilum.source", &concluded.image.source);
    let unread = |outcome: &str, reason: &Reason| {
        vec![text("hilum.outcome", outcome), text("hilum.reason", &privacy::reason(reason).code)]
    };
    let mut attributes = match &concluded.reading.outcome {
        Outcome::Read { finding, model, .. } => vec![
            text("hilum.outcome", "read"),
            text("hilum.finding", if finding.positive { "positive" } else { "negative" }),
            text("hilum.model.version", &model.manifest.version),
            text("hilum.provider", &model.provider.to_string()),
        ],
        Outcome::Abstained(reason) => unread("abstained", reason),
        Outcome::Unreadable(reason) => unread("unreadable", reason),
    };
    attributes.push(source);
    attributes
}

fn span(name: &str, trace: &[u8], id: Vec<u8>, (from, to): (u64, u64)) -> Span {
    Span {
        trace_id: trace.to_vec(),
        span_id: id,
        name: name.to_owned(),
        kind: SpanKind::Internal.into(),
        flags: SAMPLED,
        start_time_unix_nano: from,
        end_time_unix_nano: to,
        ..Span::default()
    }
}

fn failed() -> Status {
    Status { code: StatusCode::Error.into(), message: String::new() }
}

/// An attribute.
pub(super) fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// W3C Trace Context, 3.2.2: version, trace and parent, neither of them all zeros.
fn context(traceparent: &str) -> Option<Context> {
    let mut parts = traceparent.split('-').skip(1);
    let mut part = |bytes: usize| {
        let part = hex::decode(parts.next()?).ok()?;
        (part.len() == bytes && part.iter().any(|byte| *byte != 0)).then_some(part)
    };
    Some(Context { trace: part(16)?, parent: part(8)? })
}

/// Ids of all zeros are invalid, hence the last bit.
fn id(random: fn() -> [u8; 16]) -> Vec<u8> {
    let mut id = random();
    id[15] |= 1;
    id.to_vec()
}

fn span_id(random: fn() -> [u8; 16]) -> Vec<u8> {
    id(random).split_off(8)
}

/// Milliseconds since the Unix epoch as nanoseconds; a clock before 1970 is taken for 1970.
fn ns(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)
}

/// A measured time; none where it is not a number.
fn lasting(ms: f64) -> u64 {
    (ms * 1e6).max(0.0) as u64
}

#[cfg(test)]
mod tests;
