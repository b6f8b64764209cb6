//! A result as FHIR R4 resources (hl7.org/fhir/R4): a `DiagnosticReport` of what the model and the reviewers said, an
//! `Observation` for each of them, an `ImagingStudy` for the study. Patients and studies go by their stand-ins. Pure.

use serde_json::{Value, json};
use wire::v1::result::OutcomeV1;

use crate::domain::review::codes::{self, FINDINGS, REASONS};
use crate::store::StoreError;
use crate::store::results::ResultRow;
use crate::store::verdicts::VerdictRow;

use super::instant;

/// What stands under every report.
const DISCLAIMER: &str = "Not a medical device. Not for diagnosis.";

/// The report. Its id is the result's.
///
/// # Errors
/// [`StoreError::Content`].
pub fn report(row: &ResultRow, verdicts: &[&VerdictRow]) -> Result<Value, StoreError> {
    let decoded = row.decoded()?;
    let mut results = vec![json!({ "reference": format!("Observation/{}", row.id) })];
    results.extend(verdicts.iter().map(|one| json!({ "reference": format!("Observation/{}", one.id) })));
    Ok(json!({
        "resourceType": "DiagnosticReport",
        "id": row.id,
        // Nobody who is responsible for the patient has signed it.
        "status": "preliminary",
        "category": [concept("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")],
        "code": { "text": "Chest radiograph, reading by a model" },
        "subject": subject(&decoded.patient.0),
        "effectiveDateTime": instant(row.received_at)?,
        "issued": instant(row.stored_at)?,
        "result": results,
        "imagingStudy": [{ "reference": format!("ImagingStudy/{}", row.id) }],
        "conclusion": format!("{} {DISCLAIMER}", finding(&decoded.outcome).1),
    }))
}

/// What the model said. Its id is the result's.
///
/// # Errors
/// [`StoreError::Content`].
pub fn model_observation(row: &ResultRow) -> Result<Value, StoreError> {
    let decoded = row.decoded()?;
    let (interpretation, words) = finding(&decoded.outcome);
    let mut observation = json!({
        "resourceType": "Observation",
        "id": row.id,
        "status": "preliminary",
        "category": [imaging()],
        "code": pneumonia(),
        "subject": subject(&decoded.patient.0),
        "effectiveDateTime": instant(row.received_at)?,
        "issued": instant(row.stored_at)?,
        "device": { "display": format!("{} ({})", row.device, row.model) },
        "valueString": words,
        "interpretation": [interpretation],
        "note": [{ "text": DISCLAIMER }],
    });
    if let OutcomeV1::Read(read) = &decoded.outcome {
        let share = json!({ "value": read.probability, "unit": "probability", "system": "http://unitsofmeasure.org", "code": "1" });
        observation["component"] = json!([{ "code": { "text": "Calibrated probability" }, "valueQuantity": share }]);
    }
    Ok(observation)
}

/// What a reviewer said. Its id is the verdict's; her note stays here, since nobody knows whom it names.
///
/// # Errors
/// [`StoreError::Content`].
pub fn verdict_observation(patient: &str, verdict: &VerdictRow) -> Result<Value, StoreError> {
    let said =
        |list: &[codes::Code], code: &Option<String>| code.as_deref().map(|code| codes::words(list, code).to_owned());
    let component =
        |name: &str, text: Option<String>| text.map(|text| json!({ "code": { "text": name }, "valueString": text }));
    let components: Vec<Value> = [
        component("Reading", Some(verdict.reading.clone())),
        component("Finding", said(&FINDINGS, &verdict.finding)),
        component("Reason", said(&REASONS, &verdict.reason)),
        component("Region, JSON, image pixels", verdict.region.clone()),
    ]
    .into_iter()
    .flatten()
    .collect();
    Ok(json!({
        "resourceType": "Observation",
        "id": verdict.id,
        "status": if verdict.withdrawn_at.is_some() { "cancelled" } else { "final" },
        "category": [imaging()],
        "code": { "text": "Reviewer's verdict on the model's reading" },
        "subject": subject(patient),
        "focus": [{ "reference": format!("Observation/{}", verdict.result) }],
        "effectiveDateTime": instant(verdict.given_at)?,
        "issued": instant(verdict.given_at)?,
        "valueString": verdict.verdict,
        "component": components,
    }))
}

/// The study. Its id is the result's.
///
/// # Errors
/// [`StoreError::Content`].
pub fn study(row: &ResultRow) -> Result<Value, StoreError> {
    let decoded = row.decoded()?;
    let mut study = json!({
        "resourceType": "ImagingStudy",
        "id": row.id,
        "identifier": [{ "system": "urn:hilum:study", "value": decoded.study.0 }],
        "status": if row.has_image == 0 { "registered" } else { "available" },
        "subject": subject(&decoded.patient.0),
        "description": "Chest radiograph; the study goes by a stand-in for its UID.",
    });
    if let Some(modality) = &decoded.facts.modality {
        study["modality"] = json!([{ "system": "http://dicom.nema.org/resources/ontology/DCM", "code": modality }]);
    }
    Ok(study)
}

/// Resources as one `Bundle`.
#[must_use]
pub fn collection(resources: Vec<Value>) -> Value {
    let entry = |resource: Value| {
        let name = |key: &str| resource[key].as_str().unwrap_or_default().to_owned();
        let url = format!("urn:hilum:{}:{}", name("resourceType"), name("id"));
        json!({ "fullUrl": url, "resource": resource })
    };
    json!({ "resourceType": "Bundle", "type": "collection", "entry": resources.into_iter().map(entry).collect::<Vec<_>>() })
}

fn finding(outcome: &OutcomeV1) -> (Value, String) {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    match outcome {
        OutcomeV1::Read(read) if read.positive => {
            (concept(system, "POS", "Positive"), "Pneumonia suspected by the model.".to_owned())
        }
        OutcomeV1::Read(_) => (
            concept(system, "NEG", "Negative"),
            "No pneumonia seen by the model, which does not exclude it.".to_owned(),
        ),
        OutcomeV1::Abstained { reason } | OutcomeV1::Unreadable { reason } => {
            (concept(system, "IND", "Indeterminate"), format!("Not read by the model: {}", reason.words))
        }
    }
}

fn pneumonia() -> Value {
    concept("http://snomed.info/sct", "233604007", "Pneumonia")
}

fn imaging() -> Value {
    concept("http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging")
}

fn subject(patient: &str) -> Value {
    json!({ "type": "Patient", "identifier": { "system": "urn:hilum:patient", "value": patient } })
}

fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code, "display": display }] })
}
