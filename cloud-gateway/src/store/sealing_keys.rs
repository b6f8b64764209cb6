//! What retired sealing keys said before they went, and which key each device seals to. No key is ever here.

use sqlx::FromRow;
use wire::ids::DeviceId;
use wire::seal::KeyId;

use super::{Connection, Store, StoreError, failed};

/// A device and the key of ours that it sealed to when it was last heard of.
#[derive(Clone, Debug, FromRow)]
pub struct Use {
    /// The device.
    pub device: String,
    /// The key that it seals with, hexadecimal.
    pub sealing_key: String,
    /// The id of the key that it sealed to; none where it was not heard of since that is noted.
    pub gateway_key: Option<String>,
}

/// Keeps what `key` says to a device for when it is gone; one that was kept before is written over.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn announce(connection: &mut Connection, key: &KeyId, device: &str, sealed: &[u8]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO key_announcements (key_id, device, sealed) VALUES ($1, $2, $3)
         ON CONFLICT (key_id, device) DO UPDATE SET sealed = excluded.sealed",
    )
    .bind(key.0.clone())
    .bind(device.to_owned())
    .bind(hex::encode(sealed))
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("keep what a retired key says"))
}

impl Store {
    /// What a retired key says to a device.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn announcement(&self, key: &str, device: &DeviceId) -> Result<Option<Vec<u8>>, StoreError> {
        let found: Option<(String,)> =
            sqlx::query_as("SELECT sealed FROM key_announcements WHERE key_id = $1 AND device = $2")
                .bind(key.to_owned())
                .bind(device.as_str().to_owned())
                .fetch_optional(&self.pool)
                .await
                .map_err(failed("look up what a retired key says"))?;
        let sealed = found.map(|(sealed,)| hex::decode(sealed)).transpose();
        sealed.map_err(|_| StoreError::Content { what: "key's announcement" })
    }

    /// Every device that is not shut out, by name.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn key_uses(&self) -> Result<Vec<Use>, StoreError> {
        sqlx::query_as(
            "SELECT id AS device, sealing_key, gateway_key FROM devices WHERE revoked_at IS NULL ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list who seals to which key"))
    }
}
