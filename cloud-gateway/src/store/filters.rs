//! The filters of the work list that accounts keep, each account its own.

use sqlx::FromRow;

use super::{Connection, Store, StoreError, failed};

/// One kept filter.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct FilterRow {
    /// Its name in the API, a `UUIDv7`.
    pub id: String,
    /// Whose it is.
    pub username: String,
    /// What its owner calls it.
    pub name: String,
    /// As in the work list's address.
    pub query: String,
    /// When it was kept.
    pub saved_at: i64,
}

/// Keeps a filter. One of the same name changes its query and keeps its id, which is answered; nothing where the account has
/// `most` already.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn save(connection: &mut Connection, filter: &FilterRow, most: i64) -> Result<Option<String>, StoreError> {
    let saved: Option<(String,)> = sqlx::query_as(
        "INSERT INTO saved_filters (id, username, name, query, saved_at)
         SELECT $1, $2, $3, $4, $5
         WHERE (SELECT COUNT(*) FROM saved_filters WHERE username = $2 AND name <> $3) < $6
         ON CONFLICT (username, name) DO UPDATE SET query = excluded.query, saved_at = excluded.saved_at
         RETURNING id",
    )
    .bind(filter.id.clone())
    .bind(filter.username.clone())
    .bind(filter.name.clone())
    .bind(filter.query.clone())
    .bind(filter.saved_at)
    .bind(most)
    .fetch_optional(connection)
    .await
    .map_err(failed("keep a filter"))?;
    Ok(saved.map(|(id,)| id))
}

/// Forgets a filter of this account; false where it has none of this id.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn remove(connection: &mut Connection, username: &str, id: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM saved_filters WHERE id = $1 AND username = $2")
        .bind(id.to_owned())
        .bind(username.to_owned())
        .execute(connection)
        .await
        .map_err(failed("forget a filter"))?;
    Ok(done.rows_affected() == 1)
}

impl Store {
    /// An account's filters, by name.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn filters(&self, username: &str) -> Result<Vec<FilterRow>, StoreError> {
        sqlx::query_as(
            "SELECT id, username, name, query, saved_at FROM saved_filters WHERE username = $1 ORDER BY name",
        )
        .bind(username.to_owned())
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list filters"))
    }
}
