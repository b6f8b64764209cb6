//! Who is logged in. It holds only hashes of tokens: a copy of the database opens no session.

use sqlx::FromRow;

use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::auth::token::Alive;
use crate::domain::when::UnixMs;

/// An open session with its account.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Whose it is.
    pub username: String,
    /// What others see.
    pub display_name: String,
    /// See [`crate::auth::roles::Role`].
    pub role: String,
    /// When it was last used.
    pub last_used_at: i64,
    /// Whether the account has a second factor.
    pub has_factor: bool,
    /// What the account was granted.
    pub sites: Sites,
}

#[derive(FromRow)]
struct SessionAtSite {
    username: String,
    display_name: String,
    role: String,
    last_used_at: i64,
    confirmed_at: Option<i64>,
    site: Option<String>,
}

/// Opens a session and forgets those that are over.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn open(
    connection: &mut Connection,
    token_hash: &str,
    username: &str,
    at: UnixMs,
    alive: Alive,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE last_used_at < $1 OR opened_at < $2")
        .bind(alive.used_since)
        .bind(alive.opened_since)
        .execute(&mut *connection)
        .await
        .map_err(failed("forget ended sessions"))?;
    sqlx::query("INSERT INTO sessions (token_hash, username, opened_at, last_used_at) VALUES ($1, $2, $3, $3)")
        .bind(token_hash.to_owned())
        .bind(username.to_owned())
        .bind(at)
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("open a session"))
}

/// Closes a session.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn close(connection: &mut Connection, token_hash: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
        .bind(token_hash.to_owned())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("close a session"))
}

/// Closes an account's sessions but this one.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn close_others(connection: &mut Connection, username: &str, token_hash: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE username = $1 AND token_hash <> $2")
        .bind(username.to_owned())
        .bind(token_hash.to_owned())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("close an account's other sessions"))
}

/// Closes all of an account's sessions; how many there were.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn close_all(connection: &mut Connection, username: &str) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM sessions WHERE username = $1")
        .bind(username.to_owned())
        .execute(connection)
        .await
        .map_err(failed("close an account's sessions"))?;
    Ok(done.rows_affected())
}

impl Store {
    /// The session of this token, if it is alive and its account is not switched off.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn session(&self, token_hash: &str, alive: Alive) -> Result<Option<SessionRow>, StoreError> {
        let mut rows: Vec<SessionAtSite> = sqlx::query_as(
            "SELECT users.username, users.display_name, users.role, sessions.last_used_at,
                 second_factors.confirmed_at, user_sites.site
             FROM sessions JOIN users ON users.username = sessions.username
             LEFT JOIN second_factors ON second_factors.username = users.username
             LEFT JOIN user_sites ON user_sites.username = users.username
             WHERE sessions.token_hash = $1 AND sessions.last_used_at >= $2 AND sessions.opened_at >= $3
                 AND users.disabled_at IS NULL",
        )
        .bind(token_hash.to_owned())
        .bind(alive.used_since)
        .bind(alive.opened_since)
        .fetch_all(&self.pool)
        .await
        .map_err(failed("look up a session"))?;
        let sites = Sites::granted(rows.iter_mut().filter_map(|row| row.site.take()));
        Ok(rows.pop().map(|SessionAtSite { username, display_name, role, last_used_at, confirmed_at, .. }| {
            let has_factor = confirmed_at.is_some();
            SessionRow { username, display_name, role, last_used_at, has_factor, sites }
        }))
    }

    /// Notes that a session is in use.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn touch_session(&self, token_hash: &str, at: UnixMs) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET last_used_at = $2 WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .bind(at)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed("note that a session is in use"))
    }
}
