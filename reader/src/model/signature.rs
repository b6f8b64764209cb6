//! Who vouches for a bundle: an ed25519 signature (RFC 8032) over the exact bytes of `manifest.json`, by a publisher whose
//! public key this site has been told to trust. It never reads what the manifest says.
//!
//! Keys are what OpenSSL writes: public ones as PEM `SubjectPublicKeyInfo`, private ones as PEM PKCS#8 (RFC 8410).
//! `manifest.sig` is the 64 raw bytes, so `openssl pkeyutl -verify -rawin` checks it without any of this.

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The signature's file beside `manifest.json`.
pub const SIGNATURE_FILE: &str = "manifest.sig";

/// Bytes of a signature, RFC 8032 section 5.1.6.
pub const SIGNATURE_BYTES: usize = 64;

/// The publishers that a site trusts. Plain bytes, so that it can be handed to an inference process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    keys: Vec<[u8; 32]>,
}

/// Why nobody vouches for a bundle.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A key's file is missing or unreadable.
    #[error("cannot read the key {file}; check [model] trusted_keys, or name the key that you mean")]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no key.
    #[error(
        "{file} is no ed25519 key in PEM form; make a pair with `openssl genpkey -algorithm ed25519 -out publisher.key` \
         and its public half with `openssl pkey -in publisher.key -pubout -out publisher.pub`"
    )]
    NoKey {
        /// Which.
        file: PathBuf,
    },
    /// No publisher is trusted.
    #[error(
        "this device trusts no publisher of models yet: put the publisher's public key (a PEM file, got from them by a way \
         that you trust) on this device and list it as [model] trusted_keys = [\"/etc/hilum/publisher.pub\"]"
    )]
    NobodyTrusted,
    /// The signature's file has another length.
    #[error("its signature has {found} bytes instead of {SIGNATURE_BYTES}; get the bundle from its publisher again")]
    Length {
        /// How many.
        found: usize,
    },
    /// No trusted key made it.
    #[error(
        "its signature was made by none of the {trusted} publisher key(s) that this device trusts, or it was altered since; \
         get it from its publisher again, or add the publisher's key to [model] trusted_keys if you trust them"
    )]
    Stranger {
        /// How many keys were tried.
        trusted: usize,
    },
}

impl Trust {
    /// Reads public keys.
    ///
    /// # Errors
    /// [`SignatureError::Read`] or [`SignatureError::NoKey`].
    pub fn load(files: &[PathBuf]) -> Result<Self, SignatureError> {
        let key = |file: &PathBuf| {
            let key = VerifyingKey::from_public_key_pem(&read(file)?);
            key.map(|key| key.to_bytes()).map_err(|_| SignatureError::NoKey { file: file.clone() })
        };
        Ok(Self { keys: files.iter().map(key).collect::<Result<_, _>>()? })
    }

    /// The fingerprint of the trusted key that signed `manifest`.
    ///
    /// # Errors
    /// Where none did.
    pub fn verify(&self, manifest: &[u8], signature: &[u8]) -> Result<String, SignatureError> {
        if self.keys.is_empty() {
            return Err(SignatureError::NobodyTrusted);
        }
        let signature =
            Signature::from_slice(signature).map_err(|_| SignatureError::Length { found: signature.len() })?;
        // Strict: refuses keys of small order and malleable signatures, which plain verification lets pass.
        let signed = |key: &&[u8; 32]| {
            VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(manifest, &signature).is_ok())
        };
        let signer = self.keys.iter().find(signed).ok_or(SignatureError::Stranger { trusted: self.keys.len() })?;
        Ok(fingerprint(signer))
    }
}

/// Signs a manifest's bytes with the private key in `key_file`; gives the signature and the key's fingerprint.
///
/// # Errors
/// [`SignatureError::Read`] or [`SignatureError::NoKey`].
pub fn sign(manifest: &[u8], key_file: &Path) -> Result<([u8; SIGNATURE_BYTES], String), SignatureError> {
    let key = SigningKey::from_pkcs8_pem(&read(key_file)?);
    let key = key.map_err(|_| SignatureError::NoKey { file: key_file.to_owned() })?;
    Ok((key.sign(manifest).to_bytes(), fingerprint(key.verifying_key().as_bytes())))
}

/// What people compare over the telephone: the first 8 bytes of the key's SHA-256, hexadecimal.
fn fingerprint(key: &[u8; 32]) -> String {
    hex::encode(&Sha256::digest(key)[..8])
}

fn read(file: &Path) -> Result<String, SignatureError> {
    fs::read_to_string(file).map_err(|source| SignatureError::Read { file: file.to_owned(), source })
}
