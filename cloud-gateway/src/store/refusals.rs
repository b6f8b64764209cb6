//! What was refused and why, once per distinct refusal; the first time in the audit trail, too, so that what is refused for
//! ever can't fill it.

use super::{Connection, StoreError, audit, failed};
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
