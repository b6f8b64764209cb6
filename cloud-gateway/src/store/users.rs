//! Accounts. It never sees a password, only its hash.

use sqlx::FromRow;

use super::{Connection, Store, StoreError, failed};

/// One account.
#[derive(Clone, FromRow)]
pub struct UserRow {
    /// What it is logged in with.
    pub username: String,
    /// What others see.
    pub display_name: String,
    /// See [`crate::auth::roles::Role`].
    pub role: String,
    /// Argon2id, PHC string.
    pub password_hash: String,
    /// When it was made.
    pub created_at: i64,
}

/// Makes an account; false where the name is taken.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn add(connection: &mut Connection, user: &UserRow) -> Result<bool, StoreError> {
    let added = sqlx::query(
        "INSERT INTO users (username, display_name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(user.username.clone())
    .bind(user.display_name.clone())
    .bind(user.role.clone())
    .bind(user.password_hash.clone())
    .bind(user.created_at)
    .execute(connection)
    .await
    .map_err(failed("make an account"))?;
    Ok(added.rows_affected() == 1)
}

impl Store {
    /// The account of this name.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn user(&self, username: &str) -> Result<Option<UserRow>, StoreError> {
        sqlx::query_as("SELECT username, display_name, role, password_hash, created_at FROM users WHERE username = $1")
            .bind(username.to_owned())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("look up an account"))
    }
}
