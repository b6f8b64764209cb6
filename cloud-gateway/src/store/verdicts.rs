//! Verdicts and their withdrawals: appended, never changed. The latest that stands is copied onto its result for the work
//! list.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::result::{self, NOT_URGENT};
use crate::domain::when::UnixMs;

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct VerdictRow {
    /// Its name, a `UUIDv7`.
    pub id: String,
    /// The result.
    pub result: String,
    /// Who gave it.
    pub reviewer: String,
    /// See [`crate::domain::review::Opinion`].
    pub verdict: String,
    /// Of [`crate::domain::review::codes::FINDINGS`].
    pub finding: Option<String>,
    /// Of [`crate::domain::review::codes::REASONS`].
    pub reason: Option<String>,
    /// The reviewer's words.
    pub note: Option<String>,
    /// [`crate::domain::review::region::Region`] as JSON.
    pub region: Option<String>,
    /// Hash of the session that it was given in.
    pub given_in: Option<String>,
    /// When.
    pub given_at: i64,
    /// When it was taken back. Nothing that is given is given so: see [`withdraw`].
    pub withdrawn_at: Option<i64>,
}

/// What became of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It counts, and so many verdicts and withdrawals there are now.
    Stored(i64),
    /// There is no such result.
    NoResult,
    /// Someone gave another one since the reviewer looked.
    Overtaken,
}

/// What became of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It counts no more.
    Done {
        /// The verdict that stands now.
        standing: Option<String>,
        /// How many verdicts and withdrawals there are now.
        revision: i64,
    },
    /// There is no such verdict on this result.
    NoVerdict,
    /// It is somebody else's, or of another session.
    NotHers,
    /// It was withdrawn before.
    Already,
}

/// Appends a verdict on a result of these sites, if `expected` (where given) is still the number of verdicts and withdrawals
/// there are.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn give(
    connection: &mut Connection,
    sites: &Sites,
    verdict: &VerdictRow,
    expected: Option<i64>,
) -> Result<Given, StoreError> {
    let Some(revision) = noted(connection, sites, verdict, expected).await? else {
        let known = is_seen(connection, sites, &verdict.result).await?;
        return Ok(if known { Given::Overtaken } else { Given::NoResult });
    };
    sqlx::query(
        "INSERT INTO verdicts (id, result, reviewer, verdict, finding, reason, note, region, given_in, given_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(verdict.id.clone())
    .bind(verdict.result.clone())
    .bind(verdict.reviewer.clone())
    .bind(verdict.verdict.clone())
    .bind(verdict.finding.clone())
    .bind(verdict.reason.clone())
    .bind(verdict.note.clone())
    .bind(verdict.region.clone())
    .bind(verdict.given_in.clone())
    .bind(verdict.given_at)
    .execute(connection)
    .await
    .map_err(failed("append a verdict"))?;
    Ok(Given::Stored(revision))
}

/// Takes back this reviewer's verdict `id` on `result`, given in `session`. The latest of the others stands again; without
/// one the result is as urgent as it was.
///
/// # Errors
/// [`StoreError::Query`]; [`StoreError::Content`] for a result that this program did not write.
pub async fn withdraw(
    connection: &mut Connection,
    id: &str,
    result: &str,
    by: (&str, &str),
    at: UnixMs,
) -> Result<Withdrawn, StoreError> {
    // The row's lock: whoever gives or takes back another verdict meanwhile waits for this one.
    let text = "UPDATE results SET verdicts = verdicts + 1 WHERE id = $1 RETURNING verdicts, payload";
    let row: Option<(i64, String)> = sqlx::query_as(text)
        .bind(result.to_owned())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("hold a result"))?;
    let Some((revision, payload)) = row else { return Ok(Withdrawn::NoVerdict) };
    let given = of_result(connection, result).await?;
    let Some(verdict) = given.iter().find(|one| one.id == id) else { return Ok(Withdrawn::NoVerdict) };
    if verdict.reviewer != by.0 || verdict.given_in.as_deref() != Some(by.1) {
        return Ok(Withdrawn::NotHers);
    }
    if verdict.withdrawn_at.is_some() {
        return Ok(Withdrawn::Already);
    }
    sqlx::query("INSERT INTO withdrawals (verdict, withdrawn_at) VALUES ($1, $2)")
        .bind(id.to_owned())
        .bind(at)
        .execute(&mut *connection)
        .await
        .map_err(failed("append a withdrawal"))?;
    // Newest first: the last of them was the first.
    let left: Vec<&VerdictRow> = given.iter().filter(|one| one.id != id && one.withdrawn_at.is_none()).collect();
    let standing = left.first().map(|one| one.verdict.clone());
    let reviewed_at = left.last().map(|one| one.given_at);
    stands(connection, result, standing.clone().zip(reviewed_at), &payload).await?;
    Ok(Withdrawn::Done { standing, revision })
}

/// Copies what stands after a withdrawal onto the result.
async fn stands(
    connection: &mut Connection,
    result: &str,
    standing: Option<(String, UnixMs)>,
    payload: &str,
) -> Result<(), StoreError> {
    let sent = serde_json::from_str(payload).map_err(|_| StoreError::Content { what: "result" })?;
    let urgency = if standing.is_some() { NOT_URGENT } else { result::urgency(&sent) };
    let (verdict, reviewed_at) = standing.unzip();
    sqlx::query("UPDATE results SET verdict = $2, urgency = $3, reviewed_at = $4 WHERE id = $1")
        .bind(result.to_owned())
        .bind(verdict)
        .bind(urgency)
        .bind(reviewed_at)
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("note what stands after a withdrawal"))
}

/// A result's verdicts, newest first, within a transaction that has seen that the person may.
async fn of_result(connection: &mut Connection, result: &str) -> Result<Vec<VerdictRow>, StoreError> {
    sqlx::query_as(AssertSqlSafe(of_result_text("1 = 1")))
        .bind(result.to_owned())
        .fetch_all(connection)
        .await
        .map_err(failed("read verdicts"))
}

fn of_result_text(condition: &str) -> String {
    format!(
        "SELECT verdicts.id, verdicts.result, verdicts.reviewer, verdicts.verdict, verdicts.finding, verdicts.reason,
             verdicts.note, verdicts.region, verdicts.given_in, verdicts.given_at, withdrawals.withdrawn_at
         FROM verdicts JOIN results ON results.id = verdicts.result
         LEFT JOIN withdrawals ON withdrawals.verdict = verdicts.id
         WHERE verdicts.result = $1 AND {condition} ORDER BY verdicts.given_at DESC, verdicts.id DESC"
    )
}

/// Copies the verdict onto its result and counts it; nothing where that is not there, or not as expected.
async fn noted(
    connection: &mut Connection,
    sites: &Sites,
    verdict: &VerdictRow,
    expected: Option<i64>,
) -> Result<Option<i64>, StoreError> {
    let text = format!(
        "UPDATE results SET verdict = $2, verdicts = verdicts + 1, urgency = $3, reviewed_at = COALESCE(reviewed_at, $5)
         WHERE id = $1 AND ($4 IS NULL OR verdicts = $4) AND {} RETURNING verdicts",
        within(sites, "results.site", 6)
    );
    let mut query = sqlx::query_as::<_, (i64,)>(AssertSqlSafe(text))
        .bind(verdict.result.clone())
        .bind(verdict.verdict.clone())
        .bind(NOT_URGENT)
        .bind(expected)
        .bind(verdict.given_at);
    for site in bound(sites) {
        query = query.bind(site);
    }
    let updated = query.fetch_optional(connection).await.map_err(failed("note a verdict on its result"))?;
    Ok(updated.map(|(revision,)| revision))
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
        let text = of_result_text(&within(sites, "results.site", 2));
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(result.to_string());
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("read verdicts"))
    }
}
