//! A message of the outbox as it leaves the device, over the network or by hand: its labels, and its payload sealed to the
//! gateway. It sends nothing.

use outbox::Leased;
use rand::CryptoRng;
use time::OffsetDateTime;
use wire::envelope::Envelope;
use wire::ids::DeviceId;
use wire::seal::{self, SealError, Sealed};
use wire::v1::ReceiptV1;
use wire::{codec, codec::CodecError};

use crate::identity::Identity;

/// A message's labels.
#[must_use]
pub fn envelope(device: &DeviceId, message: &Leased) -> Envelope {
    Envelope {
        id: message.id,
        device: device.clone(),
        kind: message.kind,
        time: instant(message.created_ms),
        traceparent: message.traceparent.clone(),
    }
}

/// A payload under its labels, as the gateway takes it.
///
/// # Errors
/// [`SealError`].
pub fn seal(
    identity: &Identity,
    envelope: &Envelope,
    payload: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, SealError> {
    let keys = (&identity.sealing, &identity.sealing_public);
    seal::seal(payload, &envelope.binding(), &identity.gateway, keys, rng)?.to_bytes()
}

/// Opens a batch of receipts that the gateway sealed for this device.
///
/// # Errors
/// [`ReceiptError`].
pub fn open_receipts(identity: &Identity, payload: &[u8]) -> Result<ReceiptV1, ReceiptError> {
    let binding = seal::receipt_binding(&identity.enrolment.device);
    let sealed = Sealed::from_bytes(payload).map_err(ReceiptError::Seal)?;
    let open = |key| seal::open(&sealed, &binding, &identity.sealing, key);
    let opened = open(&identity.gateway).map_err(|error| match &identity.gateway_before {
        Some(before) if open(before).is_ok() => ReceiptError::Before,
        _ => ReceiptError::Seal(error),
    });
    codec::decode(&opened?).map_err(ReceiptError::Decode)
}

/// Receipts that are not the gateway's for this device.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The seal does not open.
    #[error("the receipts are not this gateway's for this device, or were altered")]
    Seal(#[source] SealError),
    /// Under the key that the gateway had before: whoever has that by now is not known, so nothing is believed under it.
    #[error("the receipts came under the gateway's key of before; they come again under the new one")]
    Before,
    /// They do not parse.
    #[error("the receipts do not parse")]
    Decode(#[source] CodecError),
}

/// A stored time as a message's label; one that no label can hold says 1970 rather than hold up the queue.
#[must_use]
pub fn instant(at_ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000)
        .ok()
        .filter(|at| (0..=9999).contains(&at.year()))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
