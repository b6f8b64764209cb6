//! The ledger of stored messages: what makes a second delivery of one harmless.

use wire::ids::{DeviceId, MessageId};
use wire::topics::Up;

use super::{Connection, StoreError, failed};
use crate::domain::when::UnixMs;

/// Enters a message; false where it was stored before, so its effect must not happen again.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn enter(
    connection: &mut Connection,
    device: &DeviceId,
    message: MessageId,
    kind: Up,
    at: UnixMs,
) -> Result<bool, StoreError> {
    let entered = sqlx::query(
        "INSERT INTO messages (device, message, kind, stored_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(device.as_str().to_owned())
    .bind(message.to_string())
    .bind(kind.as_str().to_owned())
    .bind(at)
    .execute(connection)
    .await
    .map_err(failed("enter a message"))?;
    Ok(entered.rows_affected() == 1)
}
