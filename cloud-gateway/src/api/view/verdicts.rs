//! Verdicts as the API shows them. Pure; what a reader may do with one is told with it.

use serde::Serialize;

use super::instant;
use crate::domain::review::Opinion;
use crate::domain::review::codes::Code;
use crate::domain::review::region::Region;
use crate::store::StoreError;
use crate::store::verdicts::VerdictRow;

/// Who it is shown to.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// The account.
    pub username: &'a str,
    /// Hash of the session.
    pub session: String,
}

/// A verdict.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Verdict {
    /// Its name.
    pub id: String,
    /// The result.
    pub result: String,
    /// Who gave it.
    pub reviewer: String,
    /// What she makes of the model's answer.
    pub verdict: Opinion,
    /// What she sees on the film; a code of `/api/v1/verdict-codes`.
    pub finding: Option<String>,
    /// Why; a code of `/api/v1/verdict-codes`.
    pub reason: Option<String>,
    /// Her words.
    pub note: Option<String>,
    /// What she drew on the film.
    pub region: Option<Region>,
    /// When; RFC 3339, milliseconds, UTC.
    pub given_at: String,
    /// When she took it back.
    pub withdrawn_at: Option<String>,
    /// Whether whoever asks can take it back: it is hers, of this session, and stands.
    pub can_withdraw: bool,
}

/// A verdict that was just given.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Given {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The result's `verdict_etag` from now on.
    pub verdict_etag: String,
}

/// What stands after a withdrawal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Standing {
    /// The latest verdict that was not withdrawn.
    pub verdict: Option<Opinion>,
    /// The result's `verdict_etag` from now on.
    pub verdict_etag: String,
}

/// What a verdict's `finding` and `reason` may be.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Codes {
    /// For `finding`.
    pub findings: Vec<Code>,
    /// For `reason`.
    pub reasons: Vec<Code>,
}

/// A verdict as shown.
///
/// # Errors
/// [`StoreError::Content`].
pub fn verdict(row: &VerdictRow, reader: &Reader<'_>) -> Result<Verdict, StoreError> {
    let region = row.region.as_deref().map(serde_json::from_str).transpose();
    let hers = row.reviewer == reader.username && row.given_in.as_deref() == Some(reader.session.as_str());
    Ok(Verdict {
        id: row.id.clone(),
        result: row.result.clone(),
        reviewer: row.reviewer.clone(),
        verdict: opinion(&row.verdict)?,
        finding: row.finding.clone(),
        reason: row.reason.clone(),
        note: row.note.clone(),
        region: region.map_err(|_| StoreError::Content { what: "region" })?,
        given_at: instant(row.given_at)?,
        withdrawn_at: row.withdrawn_at.map(instant).transpose()?,
        can_withdraw: hers && row.withdrawn_at.is_none(),
    })
}

/// Reads a stored opinion.
///
/// # Errors
/// [`StoreError::Content`].
pub fn opinion(stored: &str) -> Result<Opinion, StoreError> {
    Opinion::from_name(stored).ok_or(StoreError::Content { what: "verdict" })
}

/// How many verdicts and withdrawals there are, as an entity tag (RFC 9110, section 8.8.3).
#[must_use]
pub fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}
