//! The devices that were enrolled and when each was last heard of.

use sqlx::{AssertSqlSafe, FromRow};
use wire::ids::DeviceId;
use wire::seal::KeyId;
use wire::v1::TelemetryV1;

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::when::UnixMs;

/// What enrolment leaves behind.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// Its name.
    pub id: DeviceId,
    /// Where it stands.
    pub site: String,
    /// Its X25519 public key, hexadecimal.
    pub sealing_key: String,
    /// SHA-256 of its certificate, hexadecimal.
    pub certificate_fingerprint: String,
    /// When.
    pub enrolled_at: UnixMs,
}

/// One device as the API lists it.
#[derive(Clone, Debug, FromRow)]
pub struct DeviceRow {
    /// Its name.
    pub id: String,
    /// Where it stands.
    pub site: String,
    /// When it was last enrolled.
    pub enrolled_at: i64,
    /// When it was last heard of.
    pub last_seen_at: Option<i64>,
    /// Rows in its outbox at its last telemetry.
    pub queue_depth: Option<i64>,
    /// Age of the oldest of them then, milliseconds.
    pub oldest_ms: Option<i64>,
    /// Rows that the gateway had rejected by then.
    pub rejected: Option<i64>,
    /// Version of its sync-agent then.
    pub sync_agent_version: Option<String>,
    /// Since when it is shut out.
    pub revoked_at: Option<i64>,
    /// Why; see [`crate::revocation::Reason`].
    pub revoked_reason: Option<String>,
    /// When its certificate ends, where that is known.
    pub certificate_expires_at: Option<i64>,
    /// The newest result that a model read there, JSON of [`wire::v1::ResultV1`].
    pub newest_read: Option<String>,
    /// How many results of it are stored, without those in whose place another stands.
    pub results: i64,
    /// When its newest shadow window was stored, if there is one.
    pub shadow_stored_at: Option<i64>,
    /// That window as JSON.
    pub shadow: Option<String>,
}

/// How a device stands.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Standing {
    /// Where it stands.
    pub site: String,
    /// The key that it seals with, hexadecimal.
    pub sealing_key: String,
    /// When it was last enrolled.
    pub enrolled_at: i64,
    /// Since when it is shut out.
    pub revoked_at: Option<i64>,
    /// Why; see [`crate::revocation::Reason`].
    pub revoked_reason: Option<String>,
}

/// Enrols a device, or enrols it again with new keys; true where it was known before.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn enrol(connection: &mut Connection, device: &NewDevice) -> Result<bool, StoreError> {
    let known: Option<(String,)> = sqlx::query_as("SELECT id FROM devices WHERE id = $1")
        .bind(device.id.as_str().to_owned())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("look up a device"))?;
    sqlx::query(
        "INSERT INTO devices (id, site, sealing_key, certificate_fingerprint, enrolled_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET site = excluded.site, sealing_key = excluded.sealing_key,
             certificate_fingerprint = excluded.certificate_fingerprint, enrolled_at = excluded.enrolled_at",
    )
    .bind(device.id.as_str().to_owned())
    .bind(device.site.clone())
    .bind(device.sealing_key.clone())
    .bind(device.certificate_fingerprint.clone())
    .bind(device.enrolled_at)
    .execute(connection)
    .await
    .map_err(failed("enrol a device"))?;
    Ok(known.is_some())
}

/// A device's new certificate, by its fingerprint; nothing else of it changes.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn renewed(connection: &mut Connection, device: &DeviceId, fingerprint: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE devices SET certificate_fingerprint = $2 WHERE id = $1")
        .bind(device.as_str().to_owned())
        .bind(fingerprint.to_owned())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("note a device's new certificate"))
}

/// Shuts a device out, with why, or lets it in again; false where there is no such device.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn set_revoked(
    connection: &mut Connection,
    device: &DeviceId,
    revoked: Option<(UnixMs, &str)>,
) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE devices SET revoked_at = $2, revoked_reason = $3 WHERE id = $1")
        .bind(device.as_str().to_owned())
        .bind(revoked.map(|(at, _)| at))
        .bind(revoked.map(|(_, reason)| reason.to_owned()))
        .execute(connection)
        .await
        .map_err(failed("revoke a device"))?;
    Ok(done.rows_affected() == 1)
}

/// How a device stands, if it was ever enrolled. Until the transaction's end nobody else can change that: a certificate that
/// is given while the device is being revoked would be on no list.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn hold_standing(connection: &mut Connection, device: &DeviceId) -> Result<Option<Standing>, StoreError> {
    // A write that changes nothing: both databases lock for it, and only one knows FOR UPDATE.
    sqlx::query("UPDATE devices SET id = id WHERE id = $1")
        .bind(device.as_str().to_owned())
        .execute(&mut *connection)
        .await
        .map_err(failed("hold a device"))?;
    standing(connection, device).await
}

/// How a device stands, if it was ever enrolled.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn standing(connection: &mut Connection, device: &DeviceId) -> Result<Option<Standing>, StoreError> {
    sqlx::query_as(STANDING)
        .bind(device.as_str().to_owned())
        .fetch_optional(connection)
        .await
        .map_err(failed("look up a device"))
}

/// One text for inside and outside of a transaction.
const STANDING: &str = "SELECT site, sealing_key, enrolled_at, revoked_at, revoked_reason FROM devices WHERE id = $1";

/// Notes that a device was heard of, and which of our keys it sealed to.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn seen(connection: &mut Connection, device: &DeviceId, at: UnixMs, key: &KeyId) -> Result<(), StoreError> {
    sqlx::query("UPDATE devices SET last_seen_at = $2, gateway_key = $3 WHERE id = $1")
        .bind(device.as_str().to_owned())
        .bind(at)
        .bind(key.0.clone())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("note that a device was heard of"))
}

/// Keeps a device's newest telemetry; one that was overtaken changes nothing.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn telemetry(
    connection: &mut Connection,
    device: &DeviceId,
    telemetry: &TelemetryV1,
) -> Result<(), StoreError> {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(
        "UPDATE devices SET telemetry_at = $2, queue_depth = $3, oldest_ms = $4, rejected = $5, sync_agent_version = $6
         WHERE id = $1 AND (telemetry_at IS NULL OR telemetry_at <= $2)",
    )
    .bind(device.as_str().to_owned())
    .bind(telemetry.at_ms)
    .bind(count(telemetry.queue_depth))
    .bind(count(telemetry.oldest_ms))
    .bind(count(telemetry.rejected))
    .bind(telemetry.sync_agent_version.clone())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("keep a device's telemetry"))
}

impl Store {
    /// How a device stands, if it was ever enrolled.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn standing(&self, device: &DeviceId) -> Result<Option<Standing>, StoreError> {
        sqlx::query_as(STANDING)
            .bind(device.as_str().to_owned())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("look up a device"))
    }

    /// Whether a device of this name stands at one of the sites.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn has_device(&self, sites: &Sites, device: &str) -> Result<bool, StoreError> {
        let text = format!("SELECT id FROM devices WHERE id = $1 AND {}", within(sites, "devices.site", 2));
        let mut query = sqlx::query_as::<_, (String,)>(AssertSqlSafe(text)).bind(device.to_owned());
        for site in bound(sites) {
            query = query.bind(site);
        }
        let found = query.fetch_optional(&self.pool).await.map_err(failed("look up a device"))?;
        Ok(found.is_some())
    }

    /// Every device at these sites, by name.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn devices(&self, sites: &Sites) -> Result<Vec<DeviceRow>, StoreError> {
        let text = format!(
            "SELECT id, site, enrolled_at, last_seen_at, queue_depth, oldest_ms, rejected, sync_agent_version, revoked_at,
                 revoked_reason,
                 (SELECT certificates.expires_at FROM certificates
                  WHERE certificates.fingerprint = devices.certificate_fingerprint) AS certificate_expires_at,
                 (SELECT results.payload FROM readings JOIN results ON results.id = readings.result
                  WHERE readings.device = devices.id AND readings.model IS NOT NULL
                  ORDER BY readings.received_at DESC, readings.result DESC LIMIT 1) AS newest_read,
                 (SELECT COUNT(*) FROM results WHERE results.device = devices.id
                  AND NOT EXISTS (SELECT 1 FROM results AS newer WHERE newer.supersedes = results.id)) AS results,
                 shadow_windows.stored_at AS shadow_stored_at, shadow_windows.payload AS shadow
             FROM devices LEFT JOIN shadow_windows ON shadow_windows.device = devices.id AND shadow_windows.message =
                 (SELECT message FROM shadow_windows WHERE shadow_windows.device = devices.id
                  ORDER BY to_ms DESC, message DESC LIMIT 1)
             WHERE {} ORDER BY id",
            within(sites, "devices.site", 1)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("list the devices"))
    }
}
