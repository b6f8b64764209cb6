//! What was refused and why, once per distinct refusal; the first time in the audit trail, too, so that what is refused for
//! ever can't fill it.

use sqlx::{AssertSqlSafe, FromRow};

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, audit, failed};
use crate::auth::sites::Sites;
use crate::domain::audit::Statement;

/// One refusal.
#[derive(Clone, Debug)]
pub struct RefusedRow {
    /// The same for each repetition; SHA-256, hexadecimal.
    pub fingerprint: String,
    /// The device whose topic it came on, or whose certificate was shown.
    pub device: Option<String>,
    /// The id that a message claimed.
    pub message: Option<String>,
    /// Stable, snake_case.
    pub reason: &'static str,
    /// For people.
    pub words: String,
}

/// Records a refusal, the first time with its statement; true then, false where it was refused before.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn record(
    connection: &mut Connection,
    refused: &RefusedRow,
    statement: &Statement,
) -> Result<bool, StoreError> {
    let (times,): (i64,) = sqlx::query_as(
        "INSERT INTO refused_messages (fingerprint, device, message, reason, words, first_at, last_at, times)
         VALUES ($1, $2, $3, $4, $5, $6, $6, 1)
         ON CONFLICT (fingerprint) DO UPDATE SET last_at = excluded.last_at, times = refused_messages.times + 1,
             reason = excluded.reason, words = excluded.words
         RETURNING times",
    )
    .bind(refused.fingerprint.clone())
    .bind(refused.device.clone())
    .bind(refused.message.clone())
    .bind(refused.reason.to_owned())
    .bind(refused.words.clone())
    .bind(statement.at)
    .fetch_one(&mut *connection)
    .await
    .map_err(failed("record a refusal"))?;
    if times == 1 {
        audit::append(connection, statement).await?;
    }
    Ok(times == 1)
}

/// A refusal as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct DeadLetterRow {
    /// See [`RefusedRow::fingerprint`].
    pub fingerprint: String,
    /// See [`RefusedRow::device`].
    pub device: Option<String>,
    /// Where that device stands, if it is enrolled.
    pub site: Option<String>,
    /// See [`RefusedRow::message`].
    pub message: Option<String>,
    /// See [`RefusedRow::reason`].
    pub reason: String,
    /// See [`RefusedRow::words`].
    pub words: String,
    /// The first time.
    pub first_at: i64,
    /// The latest.
    pub last_at: i64,
    /// How often.
    pub times: i64,
    /// 1 where this very message was stored since.
    pub stored: i64,
}

/// Where a page begins: after the refusal with exactly these keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AfterLetter {
    /// First key.
    pub last_at: i64,
    /// Second key.
    pub fingerprint: String,
}

fn page(sites: &Sites, next: bool) -> String {
    let (after, first) =
        if next { ("(refused_messages.last_at, refused_messages.fingerprint) < ($2, $3)", 4) } else { ("1 = 1", 2) };
    format!(
        "SELECT refused_messages.*, devices.site, CASE WHEN messages.message IS NULL THEN 0 ELSE 1 END AS stored
         FROM refused_messages LEFT JOIN devices ON devices.id = refused_messages.device
             LEFT JOIN messages ON messages.device = refused_messages.device AND messages.message = refused_messages.message
         WHERE {after} AND {} ORDER BY refused_messages.last_at DESC, refused_messages.fingerprint DESC LIMIT $1",
        within(sites, "devices.site", first)
    )
}

impl Store {
    /// One page of what was refused of these sites' devices, the latest first; who sees every site also sees what came from no
    /// enrolled device.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn dead_letters(
        &self,
        sites: &Sites,
        after: Option<&AfterLetter>,
        limit: i64,
    ) -> Result<Vec<DeadLetterRow>, StoreError> {
        let mut query = sqlx::query_as(AssertSqlSafe(page(sites, after.is_some()))).bind(limit);
        if let Some(after) = after {
            query = query.bind(after.last_at).bind(after.fingerprint.clone());
        }
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("list what was refused"))
    }
}
