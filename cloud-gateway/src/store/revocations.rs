//! The newest revocation list as it was signed. It signs nothing.

use sqlx::FromRow;

use super::{Connection, Store, StoreError, failed};
use crate::domain::when::UnixMs;

/// The newest list, and whether there is more to be said.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ListRow {
    /// 0 where there was none yet.
    pub number: i64,
    /// When it was signed.
    pub issued_at: i64,
    /// DER, hexadecimal.
    pub der: String,
    /// The newest revocation there is.
    pub newest: Option<i64>,
}

/// Takes the next number; whoever else wants one waits for this transaction's end.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn next_number(connection: &mut Connection) -> Result<i64, StoreError> {
    let (number,): (i64,) =
        sqlx::query_as("UPDATE revocation_list SET number = number + 1 WHERE only_row = 1 RETURNING number")
            .fetch_one(connection)
            .await
            .map_err(failed("number a revocation list"))?;
    Ok(number)
}

/// Keeps what was signed.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn keep(connection: &mut Connection, der: &[u8], at: UnixMs) -> Result<(), StoreError> {
    sqlx::query("UPDATE revocation_list SET issued_at = $1, der = $2 WHERE only_row = 1")
        .bind(at)
        .bind(hex::encode(der))
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("keep a revocation list"))
}

impl Store {
    /// The newest list.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn revocation_list(&self) -> Result<ListRow, StoreError> {
        sqlx::query_as(
            "SELECT number, issued_at, der, (SELECT MAX(revoked_at) FROM certificates) AS newest FROM revocation_list",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed("read the revocation list"))
    }
}
