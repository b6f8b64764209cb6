//! Verdicts as the API shows them. Pure; what a reader may do with one is told with it.

use serde::Serialize;

use super::instant;
use crate::domain::review::Opinion;
use crate::domain::review::codes::Code;
use crate::domain::review::region::Region;
use crate::domain::review::second_reading::{self, Reading, State};
use crate::store::StoreError;
use crate::store::results::ResultRow;
use crate::store::verdicts::VerdictRow;

/// Who it is shown to.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// The account.
    pub username: &'a str,
    /// Hash of the session.
    pub session: String,
    /// Whether she may give verdicts, and therefore must not see some.
    pub may_give: bool,
}

impl Reader<'_> {
    /// Whether she must not see the verdicts on this result.
    #[must_use]
    pub fn is_blind_to(&self, row: &ResultRow) -> bool {
        let state = row.second_reading.as_deref().and_then(State::from_name);
        second_reading::is_blind(state, row.first_reader.as_deref(), self.username, self.may_give)
    }
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
    /// Which reading it was.
    pub reading: Reading,
    /// When; RFC 3339, milliseconds, UTC.
    pub given_at: String,
    /// When she took it back.
    pub withdrawn_at: Option<String>,
    /// Whether whoever asks can take it back: it is hers, of this session, stands, and
    /// was not held against another reader's.
    pub can_withdraw: bool,
}

/// How far a second reading is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SecondReading {
    /// Null where the result is read once.
    pub second_reading: Option<State>,
}

/// A verdict that was just given.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Given {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How far the result's second reading is with it.
    pub second_reading: Option<State>,
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
pub fn verdict(row: &VerdictRow, reader: &Reader<'_>, state: Option<State>) -> Result<Verdict, StoreError> {
    let region = row.region.as_deref().map(serde_json::from_str).transpose();
    let hers = row.reviewer == reader.username && row.given_in.as_deref() == Some(reader.session.as_str());
    let reading = Reading::from_name(&row.reading).ok_or(StoreError::Content { what: "reading" })?;
    let free = row.withdrawn_at.is_none() && second_reading::can_withdraw(state, reading);
    Ok(Verdict {
        id: row.id.clone(),
        result: row.result.clone(),
        reviewer: row.reviewer.clone(),
        verdict: opinion(&row.verdict)?,
        finding: row.finding.clone(),
        reason: row.reason.clone(),
        note: row.note.clone(),
        region: region.map_err(|_| StoreError::Content { what: "region" })?,
        reading,
        given_at: instant(row.given_at)?,
        withdrawn_at: row.withdrawn_at.map(instant).transpose()?,
        can_withdraw: hers && free,
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
