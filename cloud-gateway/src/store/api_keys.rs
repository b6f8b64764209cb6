//! Keys with which programs ask. It holds only their hashes; a key that was revoked stays, for whoever reads the trail.

use sqlx::FromRow;

use super::{Connection, Store, StoreError, failed};
use crate::auth::roles::Act;
use crate::auth::sites::Sites;
use crate::domain::when::UnixMs;

/// One key, without what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its name for machines.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it may do.
    pub acts: Vec<Act>,
    /// Where.
    pub sites: Sites,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: UnixMs,
    /// When it ends.
    pub expires_at: UnixMs,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMs>,
    /// Since when it opens nothing any more.
    pub revoked_at: Option<UnixMs>,
}

#[derive(FromRow)]
struct KeyAtSite {
    id: String,
    name: String,
    acts: String,
    made_by: String,
    made_at: i64,
    expires_at: i64,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
    site: Option<String>,
}

const SELECT: &str =
    "SELECT api_keys.id, api_keys.name, api_keys.acts, api_keys.made_by, api_keys.made_at, api_keys.expires_at,
         api_keys.last_used_at, api_keys.revoked_at, api_key_sites.site
     FROM api_keys LEFT JOIN api_key_sites ON api_key_sites.key_id = api_keys.id";

/// Keeps a key by its hash.
///
/// # Errors
/// [`StoreError::Query`]; [`StoreError::Content`] never in practice.
pub async fn add(connection: &mut Connection, key: &KeyRow, hash: &str, sites: &[String]) -> Result<(), StoreError> {
    let acts = serde_json::to_string(&key.acts).map_err(|_| StoreError::Content { what: "list of acts" })?;
    sqlx::query(
        "INSERT INTO api_keys (id, name, key_hash, acts, made_by, made_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(key.id.clone())
    .bind(key.name.clone())
    .bind(hash.to_owned())
    .bind(acts)
    .bind(key.made_by.clone())
    .bind(key.made_at)
    .bind(key.expires_at)
    .execute(&mut *connection)
    .await
    .map_err(failed("keep a key"))?;
    for site in sites {
        sqlx::query("INSERT INTO api_key_sites (key_id, site) VALUES ($1, $2)")
            .bind(key.id.clone())
            .bind(site.clone())
            .execute(&mut *connection)
            .await
            .map_err(failed("keep a key's sites"))?;
    }
    Ok(())
}

/// Revokes a key; false where none of this name is in force.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn revoke(connection: &mut Connection, id: &str, at: UnixMs) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id.to_owned())
        .bind(at)
        .execute(connection)
        .await
        .map_err(failed("revoke a key"))?;
    Ok(done.rows_affected() == 1)
}

impl Store {
    /// The key of this hash, if it is in force.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_key(&self, hash: &str, now: UnixMs) -> Result<Option<KeyRow>, StoreError> {
        let text = sqlx::AssertSqlSafe(format!(
            "{SELECT} WHERE api_keys.key_hash = $1 AND api_keys.expires_at > $2 AND api_keys.revoked_at IS NULL"
        ));
        let rows: Vec<KeyAtSite> = sqlx::query_as(text)
            .bind(hash.to_owned())
            .bind(now)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("look up a key"))?;
        Ok(gathered(&rows)?.pop())
    }

    /// Every key there ever was, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let text =
            sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY api_keys.made_at DESC, api_keys.id, api_key_sites.site"));
        gathered(&sqlx::query_as(text).fetch_all(&self.pool).await.map_err(failed("list the keys"))?)
    }

    /// Notes that a key is in use.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn touch_api_key(&self, id: &str, at: UnixMs) -> Result<(), StoreError> {
        sqlx::query("UPDATE api_keys SET last_used_at = $2 WHERE id = $1")
            .bind(id.to_owned())
            .bind(at)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed("note that a key is in use"))
    }
}

/// One key of the rows that stand together because they are its own.
fn gathered(rows: &[KeyAtSite]) -> Result<Vec<KeyRow>, StoreError> {
    let mut keys: Vec<KeyRow> = Vec::new();
    for group in rows.chunk_by(|one, next| one.id == next.id) {
        let Some(row) = group.first() else { continue };
        keys.push(KeyRow {
            id: row.id.clone(),
            name: row.name.clone(),
            acts: serde_json::from_str(&row.acts).map_err(|_| StoreError::Content { what: "list of acts" })?,
            sites: Sites::granted(group.iter().filter_map(|row| row.site.clone())),
            made_by: row.made_by.clone(),
            made_at: row.made_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        });
    }
    Ok(keys)
}
