//! The reading as FHIR R4 resources: a transaction Bundle of one Observation and one DiagnosticReport (hl7.org/fhir/R4). Each
//! is put under an id of its own that follows from the record, so that sending it again changes nothing. Pure: a record in,
//! JSON out.

use serde_json::{Map, Value, json};
use wire::v1::result::OutcomeV1;

use super::modules::{MANUFACTURER, MODEL_NAME};
use super::record::{Finding, Moment, Record};
use super::sr::Code;
use super::uids::Kind;
use super::words::{self, DISCLAIMER, NOT_EXCLUDED};

/// The Bundle about a record that [`Record::can_be_filed`], for the server at `base`.
#[must_use]
pub fn bundle(record: &Record, base: &str) -> Value {
    // A UID has only characters that an id may have, and at most as many (64).
    let (observation_id, report_id) = (record.uid(Kind::Tracking), record.uid(Kind::Report));
    let put = |resource: Value, kind: &str, id: &str| {
        let url = format!("{kind}/{id}");
        json!({ "fullUrl": format!("{base}/{url}"), "resource": resource, "request": { "method": "PUT", "url": url } })
    };
    json!({
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            put(observation(record, &observation_id), "Observation", &observation_id),
            put(report(record, &report_id, &observation_id), "DiagnosticReport", &report_id),
        ],
    })
}

fn observation(record: &Record, id: &str) -> Value {
    let (presence, interpretation) = match &record.outcome {
        OutcomeV1::Read(read) if read.positive => (Code::PRESENT, ("POS", "Positive")),
        OutcomeV1::Read(_) => (Code::NOT_DETECTED, ("NEG", "Negative")),
        OutcomeV1::Abstained { .. } | OutcomeV1::Unreadable { .. } => (Code::UNDETERMINED, ("IND", "Indeterminate")),
    };
    let mut resource = common(record, "Observation", id);
    resource.extend(object(json!({
        "contained": [device(record)],
        "category": [concept(("http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging"))],
        "code": coded(Code::PNEUMONIA),
        "device": { "reference": "#device" },
        "valueCodeableConcept": coded(presence),
        "interpretation": [concept((
            "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
            interpretation.0,
            interpretation.1,
        ))],
        "note": notes(record).into_iter().map(|text| json!({ "text": text })).collect::<Vec<_>>(),
    })));
    if let OutcomeV1::Read(read) = &record.outcome {
        // Six places, as in the report: a number of JSON is exact in decimal.
        let probability = (read.probability * 1e6).round() / 1e6;
        let quantity =
            json!({ "value": probability, "unit": "probability", "system": "http://unitsofmeasure.org", "code": "1" });
        resource.insert("component".into(), json!([{ "code": coded(Code::PROBABILITY), "valueQuantity": quantity }]));
    }
    Value::Object(resource)
}

fn report(record: &Record, id: &str, observation: &str) -> Value {
    let identity = &record.identity;
    let mut resource = common(record, "DiagnosticReport", id);
    resource.extend(object(json!({
        "identifier": [{ "system": "urn:ietf:rfc:3986", "value": format!("urn:oid:{id}") }],
        "category": [concept(("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology"))],
        "code": coded(record.procedure()),
        "result": [{ "reference": format!("Observation/{observation}") }],
        "imagingStudy": [{ "type": "ImagingStudy", "identifier": {
            "system": "urn:dicom:uid",
            "value": format!("urn:oid:{}", identity.study_instance_uid.clone().unwrap_or_default()),
        } }],
        "conclusion": conclusion(record),
    })));
    if let Some(accession) = &identity.accession_number {
        let kind = concept(("http://terminology.hl7.org/CodeSystem/v2-0203", "ACSN", "Accession ID"));
        let order = json!([{ "type": "ServiceRequest", "identifier": { "type": kind, "value": accession } }]);
        resource.insert("basedOn".into(), order);
    }
    Value::Object(resource)
}

/// What both resources say: whose, when, and that no person has looked at it.
fn common(record: &Record, kind: &str, id: &str) -> Map<String, Value> {
    let identity = &record.identity;
    let mut resource = object(json!({
        "resourceType": kind,
        "id": id,
        "status": "preliminary",
        "issued": instant(record.moment),
    }));
    if let Some(patient) = &identity.patient_id {
        let mut identifier = object(json!({ "value": patient }));
        if let Some(issuer) = &identity.patient_id_issuer {
            identifier.insert("assigner".into(), json!({ "display": issuer }));
        }
        resource.insert("subject".into(), json!({ "type": "Patient", "identifier": identifier }));
    }
    // The image's clock is the scanner's, whose distance from UTC is not known: the day alone is told.
    if let Some(date) = identity.study_date.as_deref().and_then(day) {
        resource.insert("effectiveDateTime".into(), json!(date));
    }
    resource
}

fn device(record: &Record) -> Value {
    let mut versions = vec![json!({ "type": { "text": "software" }, "value": record.origin.version })];
    if let OutcomeV1::Read(read) = &record.outcome {
        versions
            .push(json!({ "type": { "text": "model" }, "value": format!("{} {}", read.model.id, read.model.version) }));
    }
    json!({
        "resourceType": "Device",
        "id": "device",
        "identifier": [{ "system": "urn:ietf:rfc:3986", "value": format!("urn:oid:{}", record.device_uid()) }],
        "manufacturer": MANUFACTURER,
        "deviceName": [{ "name": MODEL_NAME, "type": "model-name" }],
        "serialNumber": record.origin.device,
        "version": versions,
    })
}

fn conclusion(record: &Record) -> String {
    let mut told = match &record.outcome {
        OutcomeV1::Read(read) => vec![words::finding(read)],
        OutcomeV1::Abstained { reason } | OutcomeV1::Unreadable { reason } => vec![words::not_read(reason)],
    };
    told.extend((record.finding() == Finding::Negative).then(|| NOT_EXCLUDED.to_owned()));
    told.push(DISCLAIMER.to_owned());
    told.join(" ")
}

fn notes(record: &Record) -> Vec<String> {
    let mut notes: Vec<String> = record.caveats.iter().map(|caveat| caveat.words.clone()).collect();
    if let OutcomeV1::Read(read) = &record.outcome {
        let model = &read.model;
        notes.push(format!("Model {} {} (SHA-256 {}).", model.id, model.version, model.digest));
        notes.extend([words::operating_point(read), words::calibration(read)]);
    }
    notes.push(DISCLAIMER.to_owned());
    notes
}

fn coded(Code(value, scheme, meaning): Code) -> Value {
    let system = match scheme {
        "SCT" => "http://snomed.info/sct",
        "LN" => "http://loinc.org",
        _ => "http://dicom.nema.org/resources/ontology/DCM",
    };
    concept((system, value, meaning))
}

fn concept((system, code, display): (&str, &str, &str)) -> Value {
    json!({ "coding": [{ "system": system, "code": code, "display": display }] })
}

/// YYYYMMDD as YYYY-MM-DD.
fn day(date: &str) -> Option<String> {
    Some(format!("{}-{}-{}", date.get(0..4)?, date.get(4..6)?, date.get(6..8)?))
}

/// An instant of FHIR: to the second, with the distance from UTC.
fn instant(moment: Moment) -> String {
    let ((date, time), offset) = (moment.date_and_time(), moment.offset());
    let part = |text: &str, range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
    let clock = format!("{}:{}:{}", part(&time, 0..2), part(&time, 2..4), part(&time, 4..6));
    format!("{}T{clock}{}:{}", day(&date).unwrap_or_default(), part(&offset, 0..3), part(&offset, 3..5))
}

/// The fields of a literal object.
fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use wire::v1::result::ReasonV1;

    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn a_reading_is_an_observation_and_a_report_put_under_ids_of_their_own() {
        let bundle = bundle(&record(), "https://fhir.example.org/r4");
        let [observation, report] = [0, 1].map(|entry| bundle["entry"][entry].clone());
        let id = record().uid(Kind::Report);
        assert_eq!(report["request"], json!({ "method": "PUT", "url": format!("DiagnosticReport/{id}") }));
        assert_eq!(report["fullUrl"], format!("https://fhir.example.org/r4/DiagnosticReport/{id}"));
        let (observation, report) = (&observation["resource"], &report["resource"]);
        assert_eq!(report["result"][0]["reference"], format!("Observation/{}", observation["id"].as_str().unwrap()));
        assert_eq!(observation["component"][0]["valueQuantity"]["value"], 0.873_615);
        assert_eq!(observation["valueCodeableConcept"]["coding"][0]["code"], "52101004");
        assert_eq!((&observation["status"], &report["status"]), (&json!("preliminary"), &json!("preliminary")));
        assert_eq!(
            (&report["issued"], &report["effectiveDateTime"]),
            (&json!("2024-03-01T09:30:45+01:00"), &json!("2024-03-01"))
        );
        assert_eq!(report["imagingStudy"][0]["identifier"]["value"], "urn:oid:2.25.100");
        assert_eq!(report["basedOn"][0]["identifier"]["value"], "A-17");
        assert!(
            report["conclusion"]
                .as_str()
                .unwrap()
                .starts_with("Pneumonia suspected by an algorithm, probability 87.4 %.")
        );
    }

    #[test]
    fn what_was_not_read_is_undetermined_and_has_no_number() {
        let reason = ReasonV1 { code: "not_a_chest".into(), words: "Not a chest.".into() };
        let bundle = bundle(&Record { outcome: OutcomeV1::Abstained { reason }, ..record() }, "https://f");
        let [observation, report] = [0, 1].map(|entry| bundle["entry"][entry]["resource"].clone());
        assert_eq!(observation["valueCodeableConcept"]["coding"][0]["code"], "373068000");
        assert!(observation.get("component").is_none());
        assert!(report["conclusion"].as_str().unwrap().starts_with("The image was not read. Not a chest."));
    }
}
