//! Verdicts: appended, never changed. The latest is copied onto its result for the work list.

use sqlx::FromRow;
use uuid::Uuid;

use super::{Connection, Store, StoreError, failed};
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

/// Appends a verdict, if `expected` (where given) is still the number of verdicts there are.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn give(
    connection: &mut Connection,
    verdict: &VerdictRow,
    expected: Option<i64>,
) -> Result<Given, StoreError> {
    let updated = sqlx::query(
        "UPDATE results SET verdict = $2, verdicts = verdicts + 1, urgency = $3
         WHERE id = $1 AND ($4 IS NULL OR verdicts = $4)",
    )
    .bind(verdict.result.clone())
    .bind(verdict.verdict.clone())
    .bind(NOT_URGENT)
    .bind(expected)
    .execute(&mut *connection)
    .await
    .map_err(failed("note a verdict on its result"))?;
    if updated.rows_affected() == 0 {
        let known: Option<(String,)> = sqlx::query_as("SELECT id FROM results WHERE id = $1")
            .bind(verdict.result.clone())
            .fetch_optional(connection)
            .await
            .map_err(failed("look up a result"))?;
        return Ok(if known.is_some() { Given::Overtaken } else { Given::NoResult });
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

impl Store {
    /// A result's verdicts, newest first.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn verdicts(&self, result: Uuid) -> Result<Vec<VerdictRow>, StoreError> {
        sqlx::query_as(
            "SELECT id, result, reviewer, verdict, note, given_at FROM verdicts
             WHERE result = $1 ORDER BY given_at DESC, id DESC",
        )
        .bind(result.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(failed("read verdicts"))
    }
}
