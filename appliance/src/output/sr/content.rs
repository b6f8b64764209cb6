//! TID 1500 "Measurement Report" of PS3.16, filled from a record: who observed, which procedure, which image, and one
//! measurement group (TID 1501) with the finding, its presence, its probability and the algorithm (TID 4019).

use wire::v1::result::{OutcomeV1, ReadV1, ReasonV1};

use super::super::modules::{MANUFACTURER, MODEL_NAME, source_image};
use super::super::record::Record;
use super::super::uids::Kind;
use super::super::words::{self, DISCLAIMER, NOT_EXCLUDED};
use super::codes::Code;
use super::tree::{Item, Relation, Value};

/// The whole tree.
pub(super) fn root(record: &Record) -> Item {
    use Relation::{Contains, HasConceptModifier};
    Item::root(Code::TITLE, "1500")
        .with([Item::new(HasConceptModifier, Code::LANGUAGE, Value::Code(Code::ENGLISH))])
        .with(observer(record))
        .with([
            Item::new(HasConceptModifier, Code::PROCEDURE, Value::Code(record.procedure())),
            library(record),
            Item::new(Contains, Code::MEASUREMENTS, Value::Container(None)).with([group(record)]),
        ])
}

/// TID 1001, 1002 and 1004: a device observed.
fn observer(record: &Record) -> Vec<Item> {
    let context = |name, value| Item::new(Relation::HasObservationContext, name, value);
    let words = |name, words: &str| context(name, Value::Text(words.to_owned()));
    vec![
        context(Code::OBSERVER_TYPE, Value::Code(Code::DEVICE)),
        context(Code::DEVICE_UID, Value::Uid(record.device_uid())),
        words(Code::DEVICE_NAME, &record.origin.device),
        words(Code::DEVICE_MANUFACTURER, MANUFACTURER),
        words(Code::DEVICE_MODEL, &format!("{MODEL_NAME} {}", record.origin.version)),
        words(Code::DEVICE_SERIAL, &record.origin.device),
    ]
}

/// TID 1600 to 1602: the one image, with what its header says of its size.
fn library(record: &Record) -> Item {
    use Relation::{Contains, HasAcquisitionContext};
    let facts = &record.facts;
    let modality = Value::Code(Code::modality(facts.modality.as_deref()));
    let mut about = vec![
        Item::new(HasAcquisitionContext, Code::MODALITY, modality),
        Item::new(HasAcquisitionContext, Code::TARGET_REGION, Value::Code(Code::THORAX)),
    ];
    for (name, pixels) in [(Code::PIXEL_ROWS, facts.rows), (Code::PIXEL_COLUMNS, facts.columns)] {
        let number = pixels.map(|pixels| Value::Number(pixels.to_string(), Code::PIXELS));
        about.extend(number.map(|number| Item::new(HasAcquisitionContext, name, number)));
    }
    // What the image is taken for is said only where the gate took it for that.
    if !matches!(record.outcome, OutcomeV1::Read(_)) {
        about.remove(1);
    }
    let entry = Item::unnamed(Contains, image(record)).with(about);
    let group = Item::new(Contains, Code::IMAGE_LIBRARY_GROUP, Value::Container(None)).with([entry]);
    Item::new(Contains, Code::IMAGE_LIBRARY, Value::Container(Some("1600"))).with([group])
}

fn image(record: &Record) -> Value {
    Value::Image(Box::new(source_image(record)))
}

/// TID 1501: what was found, or why nothing was looked for.
fn group(record: &Record) -> Item {
    use Relation::{Contains, HasConceptModifier, HasObservationContext};
    let text = |words: String| Item::new(Contains, Code::COMMENT, Value::Text(words));
    let tracking = Value::Uid(record.uid(Kind::Tracking));
    let group = Item::new(Contains, Code::GROUP, Value::Container(Some("1501"))).with([
        Item::new(HasObservationContext, Code::TRACKING_ID, Value::Text("Pneumonia".to_owned())),
        Item::new(HasObservationContext, Code::TRACKING_UID, tracking),
    ]);
    let finding = Item::new(Contains, Code::FINDING, Value::Code(Code::PNEUMONIA));
    let site = Item::new(HasConceptModifier, Code::SITE, Value::Code(Code::LUNG));
    let source = Item::new(Contains, Code::SOURCE, image(record));
    let presence = |code| Item::new(Contains, Code::PRESENCE, Value::Code(code));
    let group = match &record.outcome {
        OutcomeV1::Read(read) => {
            let probability = Value::Number(decimal(read.probability), Code::ZERO_TO_ONE);
            group
                .with(algorithm(record, read))
                .with([finding, site, source, Item::new(Contains, Code::PROBABILITY, probability)])
                .with([presence(if read.positive { Code::PRESENT } else { Code::NOT_DETECTED })])
                .with([text(words::finding(read))])
                .with((!read.positive).then(|| text(NOT_EXCLUDED.to_owned())))
                .with([text(words::operating_point(read)), text(words::calibration(read))])
        }
        OutcomeV1::Abstained { reason } | OutcomeV1::Unreadable { reason } => {
            group.with([finding, source, presence(Code::UNDETERMINED)]).with([text(words::not_read(reason))])
        }
    };
    group
        .with(record.caveats.iter().map(|ReasonV1 { words, .. }| text(words.clone())))
        .with([text(DISCLAIMER.to_owned())])
}

/// TID 4019: which model, and by which rule its output became a finding.
fn algorithm(record: &Record, read: &ReadV1) -> Vec<Item> {
    let (model, point) = (&read.model, &read.model.operating_point);
    let item = |name, words: String| Item::new(Relation::HasConceptModifier, name, Value::Text(words));
    let parameter = |words| item(Code::ALGORITHM_PARAMETERS, words);
    vec![
        item(Code::ALGORITHM_NAME, model.id.clone()),
        item(Code::ALGORITHM_VERSION, model.version.clone()),
        parameter(format!("model: {}", model.title)),
        parameter(format!("operating point: {}", point.name)),
        parameter(format!("threshold: {}", point.threshold)),
        parameter(format!("calibration: sigmoid({} x logit + {})", model.slope, model.intercept)),
        parameter(format!("logit: {}", read.logit)),
        parameter(format!("model SHA-256: {}", model.digest)),
        parameter(format!("provider: {}", read.provider)),
        // What the archive holds may have been changed on its way there or since.
        parameter(format!("SHA-256 of the image as received: {}", record.digest)),
    ]
}

/// A share as a Decimal String of at most 16 characters (PS3.5 6.2): six places are finer than any measurement of it.
fn decimal(share: f64) -> String {
    format!("{share:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fit_a_decimal_string() {
        for (share, text) in [(0.0, "0.000000"), (1.0, "1.000000"), (0.873_615_294, "0.873615"), (1e-12, "0.000000")] {
            assert_eq!(decimal(share), text);
        }
    }
}
