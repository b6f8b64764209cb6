//! Verdicts: appended, never changed. The latest is copied onto its result for the work list.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::result::NOT_URGENT;

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct VerdictRow {
    /// Its name, a `UUIDv7`.
    pub id: String,
    /// The result.
    pub result: String,
    /// Who gave it.
    pub reviewer: String,
    /// `agree` or `disagree`.
    pub verdict: String,
    /// The reviewer's words.
    pub note: Option<String>,
    /// When.
    pub given_at: i64,
}

/// What became of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It counts.
    Stored,
    /// There is no such result.
    NoResult,
    /// Someone gave another one since the reviewer looked.
    Overtaken,
}

/// Appends a verdict on a result of these sites, if `expected` (where given) is still the number of verdicts there are.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn give(
    connection: &mut Connection,
    sites: &Sites,
    verdict: &VerdictRow,
    expected: Option<i64>,
) -> Result<Given, StoreError> {
    if !noted(connection, sites, verdict, expected).await? {
        let known = is_seen(connection, sites, &verdict.result).await?;
        return Ok(if known { Given::Overtaken } else { Given::NoResult });
    }
    sqlx::query("INSERT INTO verdicts (id, result, reviewer, verdict, note, given_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(verdict.id.clone())
        .bind(verdict.result.clone())
        .bind(verdict.reviewer.clone())
        .bind(verdict.verdict.clone())
        .bind(verdict.note.clone())
        .bind(verdict.given_at)
        .execute(connection)
        .await
        .map_err(failed("append a verdict"))?;
    Ok(Given::Stored)
}

/// Copies the verdict onto its result; false where that is not there, or not as expected.
async fn noted(
    connection: &mut Connection,
    sites: &Sites,
    verdict: &VerdictRow,
    expected: Option<i64>,
) -> Result<bool, StoreError> {
    let text = format!(
        "UPDATE results SET verdict = $2, verdicts = verdicts + 1, urgency = $3
         WHERE id = $1 AND ($4 IS NULL OR verdicts = $4) AND {}",
        within(sites, "results.site", 5)
    );
    let mut query = sqlx::query(AssertSqlSafe(text))
        .bind(verdict.result.clone())
        .bind(verdict.verdict.clone())
        .bind(NOT_URGENT)
        .bind(expected);
    for site in bound(sites) {
        query = query.bind(site);
    }
    let updated = query.execute(connection).await.map_err(failed("note a verdict on its result"))?;
    Ok(updated.rows_affected() == 1)
}

async fn is_seen(connection: &mut Connection, sites: &Sites, result: &str) -> Result<bool, StoreError> {
    let text = format!("SELECT id FROM results WHERE id = $1 AND {}", within(sites, "results.site", 2));
    let mut query = sqlx::query_as::<_, (String,)>(AssertSqlSafe(text)).bind(result.to_owned());
    for site in bound(sites) {
        query = query.bind(site);
    }
    Ok(query.fetch_optional(connection).await.map_err(failed("look up a result"))?.is_some())
}

impl Store {
    /// A result's verdicts, newest first.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn verdicts(&self, sites: &Sites, result: Uuid) -> Result<Vec<VerdictRow>, StoreError> {
        let text = format!(
            "SELECT verdicts.id, verdicts.result, verdicts.reviewer, verdicts.verdict, verdicts.note, verdicts.given_at
             FROM verdicts JOIN results ON results.id = verdicts.result
             WHERE verdicts.result = $1 AND {} ORDER BY verdicts.given_at DESC, verdicts.id DESC",
            within(sites, "results.site", 2)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(result.to_string());
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("read verdicts"))
    }
}
