//! The tokens that devices are let in with. It holds their hashes, never one of them.

use super::{Connection, StoreError, failed};
use crate::domain::when::UnixMs;
use crate::enrolment::claim::Claim;

/// Keeps a new one.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn add(connection: &mut Connection, token_hash: &str, claim: &Claim) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO claims (token_hash, device, site, reinstate, made_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(token_hash.to_owned())
    .bind(claim.device.to_string())
    .bind(claim.site.clone())
    .bind(i64::from(claim.reinstate))
    .bind(claim.made_at)
    .bind(claim.expires_at)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("keep a token"))
}

/// The one with this hash.
///
/// # Errors
/// [`StoreError::Query`] or [`StoreError::Content`].
pub async fn find(connection: &mut Connection, token_hash: &str) -> Result<Option<Claim>, StoreError> {
    type Row = (String, String, i64, i64, i64, Option<String>);
    let row: Option<Row> = sqlx::query_as(
        "SELECT device, site, reinstate, made_at, expires_at, used_by FROM claims WHERE token_hash = $1",
    )
    .bind(token_hash.to_owned())
    .fetch_optional(connection)
    .await
    .map_err(failed("look up a token"))?;
    let claim = |(device, site, reinstate, made_at, expires_at, used_by): Row| {
        let device = device.parse().map_err(|_| StoreError::Content { what: "token's device" })?;
        Ok(Claim { device, site, reinstate: reinstate != 0, made_at, expires_at, used_by })
    };
    row.map(claim).transpose()
}

/// Notes who used it, the first time; false where another key was faster.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn mark_used(
    connection: &mut Connection,
    token_hash: &str,
    key: &str,
    at: UnixMs,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE claims SET used_at = COALESCE(used_at, $3), used_by = $2
         WHERE token_hash = $1 AND (used_by IS NULL OR used_by = $2)",
    )
    .bind(token_hash.to_owned())
    .bind(key.to_owned())
    .bind(at)
    .execute(connection)
    .await
    .map_err(failed("use a token up"))?;
    Ok(done.rows_affected() == 1)
}
