//! What is carried by hand where there is no network: the messages of a device in a folder, sealed exactly as on the wire, under
//! a sealed manifest that tells of every changed, missing or added byte. It never touches a file.
//!
//! ```text
//! hilum-DEVICE-TIME/manifest.cbor      Cover: whose it is and the Manifest, sealed from the device to the gateway
//! hilum-DEVICE-TIME/part-00001.cbor    Part: some messages, each with its labels; counted and hashed in the manifest
//! hilum-DEVICE-TIME/receipts.cbor      CarriedReceipts: what the gateway wrote into it on the way back
//! ```

use rand::CryptoRng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};

use crate::ids::DeviceId;
use crate::seal::{self, KeyId, PrivateKey, PublicKey, SealError, Sealed};

/// The only layout there is. Another one gets another number.
pub const SCHEMA: u16 = 1;

/// File of the [`Cover`].
pub const MANIFEST_FILE: &str = "manifest.cbor";

/// File of the [`CarriedReceipts`].
pub const RECEIPTS_FILE: &str = "receipts.cbor";

/// Most messages in one part: some 50 MB of results with their pictures at worst, and a hundred thousand results in 1,600 files.
pub const PART_MESSAGES: usize = 64;

/// A part is closed once it has this many bytes, so that a reader needs no more memory than this and one message.
pub const PART_BYTES: usize = 16 * 1024 * 1024;

/// Largest part that is read: one that was closed by a message of the codec's largest size, sealed.
pub const MAX_PART_BYTES: u64 = 32 * 1024 * 1024;

/// Largest cover and largest receipts that are read: those of some five million messages.
pub const MAX_COVER_BYTES: u64 = 64 * 1024 * 1024;

/// What can be read without a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    /// [`SCHEMA`].
    pub schema: u16,
    /// Whose messages these claim to be; proven once the manifest opens.
    pub device: DeviceId,
    /// The [`Manifest`], sealed.
    pub sealed: Sealed,
}

/// What the device says that it put into the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// When it was made by the device's clock, milliseconds since the Unix epoch.
    pub made_ms: i64,
    /// All messages.
    pub messages: u64,
    /// The parts, in the order of their names.
    pub parts: Vec<PartEntry>,
}

/// One part, as it must be found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEntry {
    /// Its messages, 1 to [`PART_MESSAGES`].
    pub messages: u32,
    /// Its bytes, 1 to [`MAX_PART_BYTES`].
    pub bytes: u64,
    /// SHA-256 of them.
    #[serde(with = "serde_bytes")]
    pub digest: Vec<u8>,
}

/// One file of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// In the order of their writing.
    pub messages: Vec<Carried>,
}

/// One message, as it would have been published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// [`crate::topics::Up::as_str`], the last level of its topic.
    pub kind: String,
    /// [`crate::envelope::Envelope::to_properties`].
    pub properties: Vec<(String, String)>,
    /// [`Sealed::to_bytes`].
    pub payload: ByteBuf,
}

/// What the gateway writes into the folder for the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedReceipts {
    /// [`SCHEMA`].
    pub schema: u16,
    /// For whom.
    pub device: DeviceId,
    /// Batches of receipts, each sealed as on the wire.
    pub batches: Vec<ByteBuf>,
}

/// The file of the n-th part, counted from zero.
#[must_use]
pub fn part_file(index: usize) -> String {
    format!("part-{:05}.cbor", index + 1)
}

impl PartEntry {
    /// Of these bytes.
    #[must_use]
    pub fn of(messages: u32, bytes: &[u8]) -> Self {
        Self { messages, bytes: bytes.len() as u64, digest: Sha256::digest(bytes).to_vec() }
    }

    /// Whether these are the bytes that the device wrote.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes && Sha256::digest(bytes).as_slice() == self.digest
    }
}

impl Manifest {
    /// Seals it from `sender` to `gateway`.
    ///
    /// # Errors
    /// [`CarryError::Seal`].
    pub fn seal(
        &self,
        device: &DeviceId,
        gateway: &PublicKey,
        sender: (&PrivateKey, &PublicKey),
        rng: &mut impl CryptoRng,
    ) -> Result<Cover, CarryError> {
        let sealed = seal::seal(&to_bytes(self)?, &binding(device), gateway, sender, rng).map_err(CarryError::Seal)?;
        Ok(Cover { schema: SCHEMA, device: device.clone(), sealed })
    }
}

impl Cover {
    /// The gateway's key that it was sealed to.
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        &self.sealed.key_id
    }

    /// Opens the manifest with the key of the device that the cover names.
    ///
    /// # Errors
    /// [`CarryError::Seal`] where somebody else made it or a byte of it changed, [`CarryError::Malformed`].
    pub fn open(&self, ours: &PrivateKey, device_key: &PublicKey) -> Result<Manifest, CarryError> {
        let plain = seal::open(&self.sealed, &binding(&self.device), ours, device_key).map_err(CarryError::Seal)?;
        from_bytes(&plain)
    }
}

/// Separates manifests from messages and receipts under the same keys.
fn binding(device: &DeviceId) -> Vec<u8> {
    format!("hilum.carry.v1\n{device}").into_bytes()
}

/// The bytes of any of this room's files.
///
/// # Errors
/// [`CarryError::Malformed`]; none in practice.
pub fn to_bytes<T: Serialize>(content: &T) -> Result<Vec<u8>, CarryError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(content, &mut bytes).map_err(|_| CarryError::Malformed)?;
    Ok(bytes)
}

/// Reads any of them.
///
/// # Errors
/// [`CarryError::Malformed`].
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CarryError> {
    ciborium::from_reader(bytes).map_err(|_| CarryError::Malformed)
}

/// A carried file that can't be made or read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CarryError {
    /// Not the CBOR of this type.
    #[error("the file is not one that a Hilum device or gateway of this release wrote")]
    Malformed,
    /// The seal.
    #[error(transparent)]
    Seal(SealError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn manifest() -> Manifest {
        Manifest { made_ms: 5, messages: 2, parts: vec![PartEntry::of(2, b"part")] }
    }

    #[test]
    fn the_bytes_are_these_to_the_letter() {
        let part = Part {
            messages: vec![Carried {
                kind: "result".into(),
                properties: vec![("id".into(), "x".into())],
                payload: ByteBuf::from(vec![1, 2]),
            }],
        };
        let golden = "a1686d6573736167657381a3646b696e6466726573756c746a70726f7065727469657381826269646178677061796c6f6164420102";
        assert_eq!(hex::encode(to_bytes(&part).unwrap()), golden);
        assert_eq!(from_bytes::<Part>(&hex::decode(golden).unwrap()).unwrap(), part);
        let digest = hex::encode(Sha256::digest(b"part"));
        let golden = format!(
            "a3676d6164655f6d7305686d6573736167657302657061727473\
             81a3686d65737361676573026562797465730466646967657374{}{digest}",
            "5820"
        );
        assert_eq!(hex::encode(to_bytes(&manifest()).unwrap()), golden);
        assert_eq!(part_file(0), "part-00001.cbor");
    }

    #[test]
    fn a_manifest_opens_for_its_gateway_and_as_its_device_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let [device, gateway, other] = [(); 3].map(|()| seal::generate(&mut rng));
        let name: DeviceId = "ward-1".parse().unwrap();
        let cover = manifest().seal(&name, &gateway.1, (&device.0, &device.1), &mut rng).unwrap();
        assert_eq!(*cover.key_id(), gateway.1.key_id());
        assert_eq!(cover.open(&gateway.0, &device.1).unwrap(), manifest());
        let closed = Err(CarryError::Seal(SealError::Open));
        assert_eq!(cover.open(&other.0, &device.1), closed, "another gateway");
        assert_eq!(cover.open(&gateway.0, &other.1), closed, "another device");
        let renamed = Cover { device: "ward-2".parse().unwrap(), ..cover.clone() };
        assert_eq!(renamed.open(&gateway.0, &device.1), closed, "another name");
        let mut changed = cover.clone();
        changed.sealed.ciphertext[3] ^= 1;
        assert_eq!(changed.open(&gateway.0, &device.1), closed, "a changed bit");
        assert_eq!(from_bytes::<Cover>(&to_bytes(&cover).unwrap()).unwrap(), cover);
    }

    #[test]
    fn a_part_is_known_by_each_of_its_bytes() {
        let entry = PartEntry::of(1, b"part");
        assert!(entry.is(b"part") && !entry.is(b"parT") && !entry.is(b"par") && !entry.is(b"part "));
    }
}
