//! Windows of shadow readings: how a candidate model compares with the one in use, device by device.

use sqlx::{AssertSqlSafe, FromRow};
use wire::ids::{DeviceId, MessageId};
use wire::v1::ShadowV1;

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::when::UnixMs;

/// One stored window.
#[derive(Clone, Debug, FromRow)]
pub struct ShadowRow {
    /// When it was stored.
    pub stored_at: i64,
    payload: String,
}

impl ShadowRow {
    /// A row that another query of this folder joined.
    #[must_use]
    pub fn new(stored_at: i64, payload: String) -> Self {
        Self { stored_at, payload }
    }

    /// What the device said.
    ///
    /// # Errors
    /// [`StoreError::Content`] for a row that this program did not write.
    pub fn decoded(&self) -> Result<ShadowV1, StoreError> {
        serde_json::from_str(&self.payload).map_err(|_| StoreError::Content { what: "shadow window" })
    }
}

/// Stores a window; the ledger of messages has seen to it that it is the first time.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn insert(
    connection: &mut Connection,
    device: &DeviceId,
    message: MessageId,
    window: &ShadowV1,
    at: UnixMs,
) -> Result<(), StoreError> {
    let payload = serde_json::to_string(window).map_err(|_| StoreError::Content { what: "shadow window" })?;
    sqlx::query(
        "INSERT INTO shadow_windows (device, message, stored_at, to_ms, payload) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(device.as_str().to_owned())
    .bind(message.to_string())
    .bind(at)
    .bind(window.to_ms)
    .bind(payload)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("store a shadow window"))
}

impl Store {
    /// A device's newest windows.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn shadow_windows(&self, sites: &Sites, device: &str, limit: u32) -> Result<Vec<ShadowRow>, StoreError> {
        let text = format!(
            "SELECT stored_at, payload FROM shadow_windows JOIN devices ON devices.id = shadow_windows.device
             WHERE device = $1 AND {} ORDER BY to_ms DESC, message DESC LIMIT $2",
            within(sites, "devices.site", 3)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(device.to_owned()).bind(i64::from(limit));
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("list shadow windows"))
    }
}
