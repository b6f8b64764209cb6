//! The certificates that devices were given, and which of them count no more.

use sqlx::FromRow;
use wire::ids::DeviceId;

use super::{Connection, Store, StoreError, failed};
use crate::domain::when::UnixMs;

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct CertificateRow {
    /// SHA-256 of its DER, hexadecimal.
    pub fingerprint: String,
    /// Whose it is.
    pub device: String,
    /// Hexadecimal; empty where it was signed before the gateway kept them.
    pub serial: String,
    /// When it was signed.
    pub issued_at: i64,
    /// When it ends by itself.
    pub expires_at: i64,
    /// Since when it counts no more.
    pub revoked_at: Option<i64>,
    /// Why; see [`crate::revocation::Reason`].
    pub reason: Option<String>,
}

/// The columns in the order of [`CertificateRow`].
macro_rules! columns {
    () => {
        "SELECT fingerprint, device, serial, issued_at, expires_at, revoked_at, reason FROM certificates "
    };
}

/// Writes a new one down.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn insert(connection: &mut Connection, row: &CertificateRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO certificates (fingerprint, device, serial, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(row.fingerprint.clone())
    .bind(row.device.clone())
    .bind(row.serial.clone())
    .bind(row.issued_at)
    .bind(row.expires_at)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write a certificate down"))
}

/// Writes one down that was signed before they were: one that is there by its fingerprint alone gets the rest, and whether it
/// counts stays as it is.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn note(connection: &mut Connection, row: &CertificateRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO certificates (fingerprint, device, serial, issued_at, expires_at, revoked_at, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (fingerprint) DO UPDATE SET serial = excluded.serial, expires_at = excluded.expires_at",
    )
    .bind(row.fingerprint.clone())
    .bind(row.device.clone())
    .bind(row.serial.clone())
    .bind(row.issued_at)
    .bind(row.expires_at)
    .bind(row.revoked_at)
    .bind(row.reason.clone())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write an earlier certificate down"))
}

/// How many a device was given since then.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn given_since(connection: &mut Connection, device: &DeviceId, since: UnixMs) -> Result<i64, StoreError> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM certificates WHERE device = $1 AND issued_at > $2")
        .bind(device.as_str().to_owned())
        .bind(since)
        .fetch_one(connection)
        .await
        .map_err(failed("count a device's certificates"))?;
    Ok(count)
}

/// Withdraws all of a device's that still counted; the ones that this call withdrew.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn revoke_all(
    connection: &mut Connection,
    device: &DeviceId,
    reason: &'static str,
    at: UnixMs,
) -> Result<Vec<CertificateRow>, StoreError> {
    sqlx::query_as(
        "UPDATE certificates SET revoked_at = $2, reason = $3 WHERE device = $1 AND revoked_at IS NULL
         RETURNING fingerprint, device, serial, issued_at, expires_at, revoked_at, reason",
    )
    .bind(device.as_str().to_owned())
    .bind(at)
    .bind(reason)
    .fetch_all(connection)
    .await
    .map_err(failed("revoke a device's certificates"))
}

/// All that are withdrawn and would count otherwise, or would have until `still`.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn revoked(connection: &mut Connection, still: UnixMs) -> Result<Vec<CertificateRow>, StoreError> {
    sqlx::query_as(concat!(columns!(), "WHERE revoked_at IS NOT NULL AND expires_at >= $1 ORDER BY revoked_at, serial"))
        .bind(still)
        .fetch_all(connection)
        .await
        .map_err(failed("list the revoked certificates"))
}

/// The certificate with this fingerprint.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn find(connection: &mut Connection, fingerprint: &str) -> Result<Option<CertificateRow>, StoreError> {
    sqlx::query_as(concat!(columns!(), "WHERE fingerprint = $1"))
        .bind(fingerprint.to_owned())
        .fetch_optional(connection)
        .await
        .map_err(failed("look up a certificate"))
}

impl Store {
    /// A device's, newest first.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn certificates(&self, device: &DeviceId) -> Result<Vec<CertificateRow>, StoreError> {
        sqlx::query_as(concat!(columns!(), "WHERE device = $1 ORDER BY issued_at DESC, serial"))
            .bind(device.as_str().to_owned())
            .fetch_all(&self.pool)
            .await
            .map_err(failed("list a device's certificates"))
    }
}
