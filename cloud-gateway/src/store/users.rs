//! Accounts. It never sees a password, only its hash.

use sqlx::FromRow;

use super::{Connection, Store, StoreError, failed};
use crate::auth::roles::Role;
use crate::auth::sites::Sites;
use crate::domain::when::UnixMs;

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
    /// Since when nobody can sign in with it.
    pub disabled_at: Option<i64>,
}

/// One account with what belongs to it.
pub struct Account {
    /// The account.
    pub user: UserRow,
    /// Whether it has a second factor.
    pub has_factor: bool,
    /// When an open session of it was last used.
    pub last_used_at: Option<UnixMs>,
    /// What it sees.
    pub sites: Sites,
}

#[derive(FromRow)]
struct UserAtSite {
    #[sqlx(flatten)]
    user: UserRow,
    confirmed_at: Option<i64>,
    last_used_at: Option<i64>,
    site: Option<String>,
}

/// What can be changed of an account.
pub enum Change {
    /// Another role.
    Role(Role),
    /// Another name to be shown.
    DisplayName(String),
    /// Another password's hash.
    Password(String),
    /// Switched off since then, or on again.
    Disabled(Option<UnixMs>),
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

/// Changes an account; false where there is none of this name.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn change(connection: &mut Connection, username: &str, change: Change) -> Result<bool, StoreError> {
    let query = match change {
        Change::Role(role) => {
            sqlx::query("UPDATE users SET role = $2 WHERE username = $1").bind(username.to_owned()).bind(role.as_str())
        }
        Change::DisplayName(name) => {
            sqlx::query("UPDATE users SET display_name = $2 WHERE username = $1").bind(username.to_owned()).bind(name)
        }
        Change::Password(hash) => {
            sqlx::query("UPDATE users SET password_hash = $2 WHERE username = $1").bind(username.to_owned()).bind(hash)
        }
        Change::Disabled(since) => {
            sqlx::query("UPDATE users SET disabled_at = $2 WHERE username = $1").bind(username.to_owned()).bind(since)
        }
    };
    let done = query.execute(connection).await.map_err(failed("change an account"))?;
    Ok(done.rows_affected() == 1)
}

impl Store {
    /// Every account, by name.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<UserAtSite> = sqlx::query_as(
            "SELECT users.username, users.display_name, users.role, users.password_hash, users.created_at,
                 users.disabled_at, second_factors.confirmed_at,
                 (SELECT max(sessions.last_used_at) FROM sessions WHERE sessions.username = users.username) AS last_used_at,
                 user_sites.site
             FROM users LEFT JOIN second_factors ON second_factors.username = users.username
             LEFT JOIN user_sites ON user_sites.username = users.username
             ORDER BY users.username, user_sites.site",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list the accounts"))?;
        let accounts = rows.chunk_by(|one, next| one.user.username == next.user.username);
        Ok(accounts.filter_map(Account::gathered).collect())
    }

    /// The account of this name.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn user(&self, username: &str) -> Result<Option<UserRow>, StoreError> {
        sqlx::query_as(
            "SELECT username, display_name, role, password_hash, created_at, disabled_at FROM users WHERE username = $1",
        )
        .bind(username.to_owned())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("look up an account"))
    }
}

impl Account {
    /// One account of the rows that are its own.
    fn gathered(rows: &[UserAtSite]) -> Option<Self> {
        let first = rows.first()?;
        Some(Self {
            user: first.user.clone(),
            has_factor: first.confirmed_at.is_some(),
            last_used_at: first.last_used_at,
            sites: Sites::granted(rows.iter().filter_map(|row| row.site.clone())),
        })
    }
}
