//! The seal on a payload: HPKE (RFC 9180) in authenticated mode, so that the broker between device and gateway reads
//! nothing and forges nothing. It never stores a key and never draws randomness by itself.
//!
//! Suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The sender's static key proves who sealed; the
//! [`crate::envelope::Envelope::binding`] goes in as associated data, so a sealed payload opens only under its own
//! labels.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

type Suite = X25519HkdfSha256;
type Public = <Suite as Kem>::PublicKey;
type Private = <Suite as Kem>::PrivateKey;

/// HPKE's `info`: separates this protocol's keys from any other use of the same key pair.
const INFO: &[u8] = b"hilum/v1 payload";

/// Bytes of an X25519 key, public or private (RFC 9180, section 7.1).
const KEY_BYTES: usize = 32;

/// A public key that payloads are sealed to, or whose owner seals.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Public);

/// A private key. It has no `Debug`, so that it can't be logged.
#[derive(Clone)]
pub struct PrivateKey(Private);

impl Sealed {
    /// The MQTT payload.
    ///
    /// # Errors
    /// None in practice: three byte strings always have a CBOR form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SealError> {
        let mut bytes = Vec::with_capacity(self.ciphertext.len() + 128);
        ciborium::into_writer(self, &mut bytes).map_err(|_| SealError::Malformed)?;
        Ok(bytes)
    }

    /// Reads an MQTT payload.
    ///
    /// # Errors
    /// [`SealError::Malformed`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        ciborium::from_reader(bytes).map_err(|_| SealError::Malformed)
    }
}

/// Names a public key: the first 8 bytes of its SHA-256, as hexadecimal. Enough to pick a key, not to trust one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

/// What travels as the MQTT payload, itself CBOR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The gateway's key that it was sealed to.
    pub key_id: KeyId,
    /// HPKE's encapsulated key, 32 bytes.
    #[serde(with = "serde_bytes")]
    pub encapsulated: Vec<u8>,
    /// Ciphertext with its 16-byte tag.
    #[serde(with = "serde_bytes")]
    pub ciphertext: Vec<u8>,
}

/// Makes a key pair from `rng`.
pub fn generate(rng: &mut impl CryptoRng) -> (PrivateKey, PublicKey) {
    let (private, public) = Suite::gen_keypair_with_rng(rng);
    (PrivateKey(private), PublicKey(public))
}

/// Seals `plaintext` from `sender` to `recipient`, bound to `binding`.
///
/// # Errors
/// [`SealError::Seal`] where the recipient's key is of low order; such a key was never made by this product.
pub fn seal(
    plaintext: &[u8],
    binding: &[u8],
    recipient: &PublicKey,
    sender: (&PrivateKey, &PublicKey),
    rng: &mut impl CryptoRng,
) -> Result<Sealed, SealError> {
    let mode = OpModeS::Auth((sender.0.0.clone(), sender.1.0.clone()));
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, Suite>(
        &mode,
        &recipient.0,
        INFO,
        plaintext,
        binding,
        rng,
    )
    .map_err(|_| SealError::Seal)?;
    Ok(Sealed { key_id: recipient.key_id(), encapsulated: encapsulated.to_bytes().to_vec(), ciphertext })
}

/// Opens what `sender` sealed to `recipient` under exactly `binding`.
///
/// # Errors
/// [`SealError::Malformed`] where the encapsulated key is no key; [`SealError::Open`] for a wrong sender, recipient or
/// binding, or a changed bit: the four can't be told apart, by design of the cipher.
pub fn open(sealed: &Sealed, binding: &[u8], recipient: &PrivateKey, sender: &PublicKey) -> Result<Vec<u8>, SealError> {
    let encapsulated =
        <Suite as Kem>::EncappedKey::from_bytes(&sealed.encapsulated).map_err(|_| SealError::Malformed)?;
    let mode = OpModeR::Auth(sender.0.clone());
    hpke::single_shot_open::<AesGcm256, HkdfSha256, Suite>(
        &mode,
        &recipient.0,
        &encapsulated,
        INFO,
        &sealed.ciphertext,
        binding,
    )
    .map_err(|_| SealError::Open)
}

impl PublicKey {
    /// Reads 64 hexadecimal characters.
    ///
    /// # Errors
    /// [`SealError::Key`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        let bytes = key_bytes(text)?;
        Public::from_bytes(&bytes).map(Self).map_err(|_| SealError::Key)
    }

    /// Writes 64 hexadecimal characters.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.to_bytes())
    }

    /// The key's name.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId(hex::encode(&Sha256::digest(self.0.to_bytes())[..8]))
    }
}

impl PrivateKey {
    /// Reads 64 hexadecimal characters.
    ///
    /// # Errors
    /// [`SealError::Key`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        let bytes = key_bytes(text)?;
        Private::from_bytes(&bytes).map(Self).map_err(|_| SealError::Key)
    }

    /// Writes 64 hexadecimal characters, erased when dropped.
    #[must_use]
    pub fn to_hex(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(hex::encode(self.0.to_bytes()))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(Suite::sk_to_pk(&self.0))
    }
}

/// What the seal on a batch of receipts binds: that they are receipts, and for whom.
///
/// Receipts are sealed from the gateway to the device, because a receipt deletes a row: a broker that could forge one
/// could make a device forget a finding that no cloud has.
#[must_use]
pub fn receipt_binding(device: &crate::ids::DeviceId) -> Vec<u8> {
    format!("hilum.receipt.v1\n{device}").into_bytes()
}

fn key_bytes(text: &str) -> Result<[u8; KEY_BYTES], SealError> {
    let mut bytes = [0; KEY_BYTES];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| SealError::Key)?;
    Ok(bytes)
}

/// A payload that cannot be sealed or opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not 64 hexadecimal characters of an X25519 key.
    #[error("this is not an X25519 key of 64 hexadecimal characters; the key file was damaged or is another file")]
    Key,
    /// The recipient's key can't be used.
    #[error("the payload cannot be sealed to the gateway's key; enrol the device again")]
    Seal,
    /// The sealed payload's own structure is wrong.
    #[error("the sealed payload is malformed")]
    Malformed,
    /// Wrong sender, recipient, labels, or damaged on the way.
    #[error("the sealed payload does not open: it was not sealed by this device for this gateway, or was altered")]
    Open,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    struct Parties {
        rng: ChaCha20Rng,
        device: (PrivateKey, PublicKey),
        gateway: (PrivateKey, PublicKey),
    }

    fn parties() -> Parties {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (device, gateway) = (generate(&mut rng), generate(&mut rng));
        Parties { rng, device, gateway }
    }

    fn sealed(p: &mut Parties) -> Sealed {
        seal(b"finding", b"labels", &p.gateway.1, (&p.device.0, &p.device.1), &mut p.rng).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_under_its_labels_only() {
        let mut p = parties();
        let sealed = sealed(&mut p);
        assert_eq!(open(&sealed, b"labels", &p.gateway.0, &p.device.1).unwrap(), b"finding");
        assert_eq!(open(&sealed, b"other labels", &p.gateway.0, &p.device.1), Err(SealError::Open));
    }

    #[test]
    fn a_forger_an_eavesdropper_and_a_flipped_bit_are_refused() {
        let mut p = parties();
        let sealed = sealed(&mut p);
        let stranger = generate(&mut p.rng);
        assert_eq!(open(&sealed, b"labels", &p.gateway.0, &stranger.1), Err(SealError::Open));
        assert_eq!(open(&sealed, b"labels", &stranger.0, &p.device.1), Err(SealError::Open));
        for position in [0, sealed.ciphertext.len() - 1] {
            let mut damaged = sealed.clone();
            damaged.ciphertext[position] ^= 1;
            assert_eq!(open(&damaged, b"labels", &p.gateway.0, &p.device.1), Err(SealError::Open));
        }
        let mut short = sealed;
        short.encapsulated.pop();
        assert_eq!(open(&short, b"labels", &p.gateway.0, &p.device.1), Err(SealError::Malformed));
    }

    #[test]
    fn keys_survive_the_disk() {
        let p = parties();
        let again = PrivateKey::from_hex(&p.device.0.to_hex()).unwrap();
        assert_eq!(again.public().to_hex(), p.device.1.to_hex());
        assert_eq!(PublicKey::from_hex(&p.device.1.to_hex()).unwrap().key_id(), p.device.1.key_id());
        assert!(PublicKey::from_hex("00").is_err());
    }
}
