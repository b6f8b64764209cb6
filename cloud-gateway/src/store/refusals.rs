//! What was refused and why, once per distinct message.

use super::{Connection, StoreError, failed};
use crate::domain::when::UnixMs;

/// One refused message.
#[derive(Clone, Debug)]
pub struct RefusedRow {
    /// SHA-256 of its topic and bytes, hexadecimal.
    pub fingerprint: String,
    /// The device whose topic it came on.
    pub device: Option<String>,
    /// The id that it claimed.
    pub message: Option<String>,
    /// Stable, snake_case.
    pub reason: &'static str,
    /// For people.
    pub words: String,
}

/// Records a refusal; true the first time, false where the same bytes were refused before.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn record(connection: &mut Connection, refused: &RefusedRow, at: UnixMs) -> Result<bool, StoreError> {
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
    .bind(at)
    .fetch_one(connection)
    .await
    .map_err(failed("record a refused message"))?;
    Ok(times == 1)
}
