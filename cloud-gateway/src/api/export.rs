//! Verdicts as a file: a table for statistics, or FHIR. It names no patient, no study and no reviewer, only their stand-ins, and
//! holds no note: nobody knows whom a note names.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wire::v1::result::OutcomeV1;

use super::Api;
use super::extract::Query;
use super::fhir::MEDIA_TYPE;
use super::guard::Person;
use super::problem::Problem;
use super::view::{fhir, instant};
use crate::domain::audit::{Action, Statement};
use crate::domain::{result, when};
use crate::store::StoreError;
use crate::store::export::ExportRow;

/// Verdicts in one file: some 20 MB as FHIR, and months of a busy department.
const MOST: i64 = 10_000;

/// Says where the next file begins, if there is more.
const MORE: &str = "x-hilum-next";

/// The table's head.
const COLUMNS: &str = "verdict_id,result_id,study,patient,site,device,received_at,model,ai_finding,probability,threshold,\
                       reviewer,reading,verdict,finding,reason,region,has_note,given_at,withdrawn_at";

/// Which verdicts, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `csv` (RFC 4180, the first line names the columns) or `fhir` (an R4 Bundle of Observations).
    format: Format,
    /// `X-Hilum-Next` of the file before.
    after: Option<Uuid>,
}

/// What kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A table.
    Csv,
    /// A Bundle.
    Fhir,
}

/// Export verdicts, the oldest first, at most 10,000. What awaits a blind second reading is left out.
#[utoipa::path(
    get, path = "/api/v1/verdict-export", tag = "verdicts", params(Wanted),
    responses(
        (status = 200, description = "The file; X-Hilum-Next says where the next one begins, if there is more",
         content((String = "text/csv"), (serde_json::Value = "application/fhir+json"))),
        (status = 400, description = "No such format", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn verdicts(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let after = wanted.after.map(|id| id.to_string()).unwrap_or_default();
    let mut rows = api.store.verdicts_for_export(&person.sites, &after, MOST + 1).await?;
    let whole = usize::try_from(MOST).unwrap_or(usize::MAX);
    let more = rows.len() > whole;
    rows.truncate(whole);
    let statement = Statement {
        at: when::now(),
        actor: person.username.clone(),
        action: Action::VerdictsExported,
        subject: person.username,
        detail: format!("{} verdicts", rows.len()),
    };
    api.store.audit(&statement).await?;
    let next = rows.last().filter(|_| more).map(|row| row.verdict.id.clone());
    let (kind, name, text) = match wanted.format {
        Format::Csv => ("text/csv; charset=utf-8", "verdicts.csv", table(&rows)?),
        Format::Fhir => (MEDIA_TYPE, "verdicts.json", bundle(&rows)?),
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    headers.insert(header::CONTENT_DISPOSITION, disposition.map_err(|_| Problem::internal())?);
    if let Some(next) = next {
        headers.insert(MORE, HeaderValue::from_str(&next).map_err(|_| Problem::internal())?);
    }
    Ok((headers, text).into_response())
}

fn bundle(rows: &[ExportRow]) -> Result<String, StoreError> {
    let observation = |row: &ExportRow| fhir::verdict_observation(&row.decoded()?.patient.0, &row.verdict);
    Ok(fhir::collection(rows.iter().map(observation).collect::<Result<_, _>>()?).to_string())
}

fn table(rows: &[ExportRow]) -> Result<String, StoreError> {
    let mut text = format!("{COLUMNS}\r\n");
    for row in rows {
        text.push_str(&line(row)?.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(","));
        text.push_str("\r\n");
    }
    Ok(text)
}

fn line(row: &ExportRow) -> Result<[String; 20], StoreError> {
    let (decoded, verdict) = (row.decoded()?, &row.verdict);
    let (probability, threshold) = match &decoded.outcome {
        OutcomeV1::Read(read) => (read.probability.to_string(), read.model.operating_point.threshold.to_string()),
        OutcomeV1::Abstained { .. } | OutcomeV1::Unreadable { .. } => (String::new(), String::new()),
    };
    let told = |text: &Option<String>| text.clone().unwrap_or_default();
    Ok([
        verdict.id.clone(),
        verdict.result.clone(),
        decoded.study.0.clone(),
        decoded.patient.0.clone(),
        row.site.clone(),
        row.device.clone(),
        instant(row.received_at)?,
        row.model.clone(),
        result::finding(&decoded).unwrap_or("none").to_owned(),
        probability,
        threshold,
        stand_in(&verdict.reviewer),
        verdict.reading.clone(),
        verdict.verdict.clone(),
        told(&verdict.finding),
        told(&verdict.reason),
        told(&verdict.region),
        verdict.note.is_some().to_string(),
        instant(verdict.given_at)?,
        verdict.withdrawn_at.map(instant).transpose()?.unwrap_or_default(),
    ])
}

/// The same for the same account in every file, so that readers can be told apart; who knows the accounts can find out whose it is.
fn stand_in(reviewer: &str) -> String {
    let digest = Sha256::digest(format!("reviewer\n{reviewer}"));
    hex::encode(&digest[..8])
}

/// RFC 4180, section 2. What a spreadsheet would take for a formula is made a text.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t']);
    let text = if formula { format!("'{field}") } else { field.to_owned() };
    if formula || text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_fields_and_no_formula_is_computed() {
        for (field, written) in [
            ("agree", "agree"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("@st-mary", "\"'@st-mary\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(quoted(field), written);
        }
    }

    #[test]
    fn a_reviewer_has_one_stand_in() {
        assert_eq!(stand_in("ada"), stand_in("ada"));
        assert_ne!(stand_in("ada"), stand_in("bob"));
        assert!(!stand_in("ada").contains("ada"));
    }
}
