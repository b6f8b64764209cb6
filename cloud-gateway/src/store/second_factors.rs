//! The second factor of each account: its secret, sealed, the last step of it that was used, and hashes of the codes that
//! stand in for it. What may be used once is used up in the statement that looks for it, whichever replica asks.

use sqlx::FromRow;

use super::{Connection, Store, StoreError, failed};
use crate::domain::when::UnixMs;

/// One account's.
#[derive(Clone, FromRow)]
pub struct FactorRow {
    /// Whose.
    pub username: String,
    /// See [`crate::auth::kept_secret`].
    pub secret: String,
    /// Since when it is asked for; `None` while it is being set up.
    pub confirmed_at: Option<i64>,
    /// The last step whose code was taken.
    pub last_step: i64,
}

/// Begins to set one up, in the place of one that was begun before; false where there is a confirmed one.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn begin(connection: &mut Connection, username: &str, secret: &str) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO second_factors (username, secret, last_step) VALUES ($1, $2, 0)
         ON CONFLICT (username) DO UPDATE SET secret = excluded.secret, last_step = 0
         WHERE second_factors.confirmed_at IS NULL",
    )
    .bind(username.to_owned())
    .bind(secret.to_owned())
    .execute(connection)
    .await
    .map_err(failed("begin a second factor"))?;
    Ok(done.rows_affected() == 1)
}

/// Confirms exactly this one; false where it is confirmed already or another was begun meanwhile.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn confirm(connection: &mut Connection, begun: &FactorRow, at: UnixMs) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE second_factors SET confirmed_at = $3 WHERE username = $1 AND secret = $2 AND confirmed_at IS NULL",
    )
    .bind(begun.username.clone())
    .bind(begun.secret.clone())
    .bind(at)
    .execute(connection)
    .await
    .map_err(failed("confirm a second factor"))?;
    Ok(done.rows_affected() == 1)
}

/// Uses up a step; false where it, or a later one, was used before.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn use_step(connection: &mut Connection, username: &str, step: i64) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE second_factors SET last_step = $2 WHERE username = $1 AND last_step < $2")
        .bind(username.to_owned())
        .bind(step)
        .execute(connection)
        .await
        .map_err(failed("use a code"))?;
    Ok(done.rows_affected() == 1)
}

/// Uses up a recovery code; false where there is none such.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn use_recovery(connection: &mut Connection, username: &str, hash: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM recovery_codes WHERE username = $1 AND code_hash = $2")
        .bind(username.to_owned())
        .bind(hash.to_owned())
        .execute(connection)
        .await
        .map_err(failed("use a recovery code"))?;
    Ok(done.rows_affected() == 1)
}

/// Adds a recovery code.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn add_recovery(connection: &mut Connection, username: &str, hash: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO recovery_codes (username, code_hash) VALUES ($1, $2)")
        .bind(username.to_owned())
        .bind(hash.to_owned())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("add a recovery code"))
}

/// Takes an account's second factor and its recovery codes away; false where it had none.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn remove(connection: &mut Connection, username: &str) -> Result<bool, StoreError> {
    sqlx::query("DELETE FROM recovery_codes WHERE username = $1")
        .bind(username.to_owned())
        .execute(&mut *connection)
        .await
        .map_err(failed("forget recovery codes"))?;
    let done = sqlx::query("DELETE FROM second_factors WHERE username = $1")
        .bind(username.to_owned())
        .execute(connection)
        .await
        .map_err(failed("forget a second factor"))?;
    Ok(done.rows_affected() == 1)
}

/// Puts the same secret under another seal; nothing happens where it was changed meanwhile.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn reseal(connection: &mut Connection, row: &FactorRow, secret: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE second_factors SET secret = $3 WHERE username = $1 AND secret = $2")
        .bind(row.username.clone())
        .bind(row.secret.clone())
        .bind(secret.to_owned())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("seal a second factor anew"))
}

impl Store {
    /// This account's, confirmed or not.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn second_factor(&self, username: &str) -> Result<Option<FactorRow>, StoreError> {
        sqlx::query_as("SELECT username, secret, confirmed_at, last_step FROM second_factors WHERE username = $1")
            .bind(username.to_owned())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("look up a second factor"))
    }

    /// Everybody's.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn second_factors(&self) -> Result<Vec<FactorRow>, StoreError> {
        sqlx::query_as("SELECT username, secret, confirmed_at, last_step FROM second_factors ORDER BY username")
            .fetch_all(&self.pool)
            .await
            .map_err(failed("list the second factors"))
    }

    /// How many recovery codes this account has left.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn recovery_codes_left(&self, username: &str) -> Result<i64, StoreError> {
        let (left,): (i64,) = sqlx::query_as("SELECT count(*) FROM recovery_codes WHERE username = $1")
            .bind(username.to_owned())
            .fetch_one(&self.pool)
            .await
            .map_err(failed("count recovery codes"))?;
        Ok(left)
    }
}
