//! Who this device is: its two private keys, made here and never sent anywhere, and the gateway's answer to them.
//!
//! ```text
//! identity_dir/enrolment.json           wire::enrolment::Enrolment: which certificate, and so which keys, are in force
//! identity_dir/tls-XXXXXXXX.key         ECDSA P-256, for the broker and EST, PKCS#8 PEM; named after its public half
//! identity_dir/sealing-XXXXXXXX.key     X25519, 64 hexadecimal characters; likewise
//! identity_dir/gateway-key.json         the gateway's newest key, where it told of one since that answer ([`gateway_key`])
//! identity_dir/next/                    the same two for a certificate that was asked for and has not come yet
//! ```
//!
//! Certificate and keys change together by the one rename that puts a new `enrolment.json` in its place: the keys that its
//! certificate names lie beside those of the old one by then. Whatever the power does, either the old identity is whole or
//! the new one is; what belongs to neither is swept up by the next who writes here.

use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PublicKeyData};
use wire::enrolment::{Enrolment, SCHEMA};
use wire::seal::{self, PrivateKey, PublicKey, SealError};

pub mod certificate;
pub mod file;
pub mod gateway_key;

use certificate::Certificate;
use file::{make_private_folder, read, write_private};

/// Everything that a connection needs.
pub struct Identity {
    /// The gateway's answer.
    pub enrolment: Enrolment,
    /// What its certificate says.
    pub certificate: Certificate,
    /// Key of that certificate, PEM.
    pub tls_key: String,
    /// Key that payloads are sealed with.
    pub sealing: PrivateKey,
    /// Its public half.
    pub sealing_public: PublicKey,
    /// Key that payloads are sealed to, and that receipts come under.
    pub gateway: PublicKey,
    /// The gateway's key before that one; nothing is believed under it any more.
    pub gateway_before: Option<PublicKey>,
}

/// The files of an identity.
#[derive(Clone, Debug)]
pub struct IdentityFolder(pub PathBuf);

impl IdentityFolder {
    /// `enrolment.json`.
    #[must_use]
    pub fn enrolment(&self) -> PathBuf {
        self.0.join("enrolment.json")
    }

    fn next(&self) -> PathBuf {
        self.0.join("next")
    }

    /// Reads the whole identity.
    ///
    /// # Errors
    /// [`IdentityError`], naming the file and the command that makes it.
    pub fn load(&self) -> Result<Identity, IdentityError> {
        let enrolment = parse_enrolment(&self.enrolment(), &read(&self.enrolment())?)?;
        let certificate = Certificate::read(&enrolment.certificate)
            .ok_or_else(|| IdentityError::Paper { file: self.enrolment(), source: None })?;
        let file = self.0.join(sealing_name(&certificate.sealing_key));
        let sealing =
            PrivateKey::from_hex(&read(&file)?).map_err(|source| IdentityError::Key { file: file.clone(), source })?;
        let enrolled = PublicKey::from_hex(&enrolment.gateway_sealing_key)
            .map_err(|source| IdentityError::Key { file: self.enrolment(), source })?;
        let (gateway, gateway_before) = self.gateway_keys(enrolled);
        let tls_key = read(&self.0.join(tls_name(&certificate.public_key)))?;
        Ok(Identity {
            sealing_public: sealing.public(),
            sealing,
            gateway,
            gateway_before,
            tls_key,
            enrolment,
            certificate,
        })
    }

    /// The TLS key of the next certificate: the one that waits for it, else a new one. Durable when this returns.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn next_tls(&self) -> Result<KeyPair, IdentityError> {
        if let Some(file) = self.waiting("tls-")? {
            return KeyPair::from_pem(&read(&file)?).map_err(|source| IdentityError::TlsKey { file, source });
        }
        let pair = KeyPair::generate().map_err(IdentityError::Make)?;
        let file = self.next().join(tls_name(pair.der_bytes()));
        write_private(&file, &pair.serialize_pem())?;
        Ok(pair)
    }

    /// The sealing key of the next certificate, likewise.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn next_sealing(&self) -> Result<PrivateKey, IdentityError> {
        if let Some(file) = self.waiting("sealing-")? {
            return PrivateKey::from_hex(&read(&file)?).map_err(|source| IdentityError::Key { file, source });
        }
        let (private, public) = seal::generate(&mut rand::rng());
        write_private(&self.next().join(sealing_name(&public.to_hex())), &private.to_hex())?;
        Ok(private)
    }

    /// The key of a kind that waits for its certificate.
    fn waiting(&self, kind: &str) -> Result<Option<PathBuf>, IdentityError> {
        self.sweep()?;
        let mut keys = names(&self.next())?;
        keys.retain(|name| name.starts_with(kind) && is_key(name));
        keys.sort();
        Ok(keys.first().map(|name| self.next().join(name)))
    }

    /// Puts an answer in force, if its certificate was made for keys that are here: the rename in the middle is the moment.
    ///
    /// # Errors
    /// [`IdentityError::Foreign`] for another device's certificate; then nothing has changed.
    pub fn put_in_force(&self, enrolment: &Enrolment) -> Result<(), IdentityError> {
        self.lay_keys_ready(enrolment)?;
        let text = serde_json::to_string_pretty(enrolment).map_err(IdentityError::Json)?;
        write_private(&self.enrolment(), &text)?;
        self.sweep()
    }

    /// The keys of an answer's certificate, beside those that are in force.
    fn lay_keys_ready(&self, enrolment: &Enrolment) -> Result<(), IdentityError> {
        let foreign = || IdentityError::Foreign { folder: self.0.clone() };
        let certificate = Certificate::read(&enrolment.certificate).ok_or_else(foreign)?;
        for name in certificate.keys() {
            let (here, waiting) = (self.0.join(&name), self.next().join(&name));
            if waiting.exists() {
                write_private(&here, &read(&waiting)?)?;
            } else if !here.exists() {
                return Err(foreign());
            }
        }
        Ok(())
    }

    /// Removes keys that no certificate in force or to come needs, and files that a power cut left half-written. The old
    /// key of a device that was stolen and enrolled anew must not come back as the next one.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn sweep(&self) -> Result<(), IdentityError> {
        let next = self.next();
        make_private_folder(&next)?;
        let answer = std::fs::read_to_string(self.enrolment()).ok();
        let in_force = answer.and_then(|text| parse_enrolment(&self.enrolment(), &text).ok());
        let certificate = in_force.and_then(|enrolment| Certificate::read(&enrolment.certificate));
        let keys = certificate.map_or_else(Vec::new, |certificate| certificate.keys().to_vec());
        let remove = |folder: &Path, stale: &dyn Fn(&String) -> bool| {
            for name in names(folder)?.iter().filter(|name| stale(name)) {
                let file = folder.join(name);
                std::fs::remove_file(&file).map_err(|source| IdentityError::Write { file, source })?;
            }
            Ok(())
        };
        // Without an answer there is nothing in force: what lies here was laid ready for one that did not come.
        remove(&self.0, &|name| name.ends_with(".new") || is_key(name) && !keys.contains(name))?;
        remove(&next, &|name| name.ends_with(".new") || keys.contains(name))
    }
}

fn names(folder: &Path) -> Result<Vec<String>, IdentityError> {
    let failed = |source| IdentityError::Write { file: folder.to_owned(), source };
    let listed = std::fs::read_dir(folder).map_err(failed)?;
    Ok(listed.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn is_key(name: &str) -> bool {
    (name.starts_with("tls-") || name.starts_with("sealing-")) && name.ends_with(".key")
}

/// The file of a TLS key, by its public half.
#[must_use]
pub fn tls_name(public_key: &[u8]) -> String {
    format!("tls-{}.key", certificate::short_hash(public_key))
}

/// The file of a sealing key, by its public half in hexadecimal.
#[must_use]
pub fn sealing_name(public_key: &str) -> String {
    format!("sealing-{}.key", certificate::short_hash(public_key.as_bytes()))
}

/// Reads the gateway's answer.
///
/// # Errors
/// [`IdentityError::Paper`].
pub fn parse_enrolment(file: &Path, text: &str) -> Result<Enrolment, IdentityError> {
    let paper = |source| IdentityError::Paper { file: file.to_owned(), source };
    let enrolment: Enrolment = serde_json::from_str(text).map_err(|error| paper(Some(error)))?;
    if enrolment.schema == SCHEMA { Ok(enrolment) } else { Err(paper(None)) }
}

/// An identity that is not there or not whole.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is not there.
    #[error(
        "{} cannot be read; enrol the device with `hilum-sync-agent enrol`, or correct [device] identity_dir",
        file.display()
    )]
    Missing {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not the gateway's answer.
    #[error("{} is not an enrolment from the gateway; copy the file again, or enrol the device again", file.display())]
    Paper {
        /// The file.
        file: PathBuf,
        /// Why, unless it is of another format.
        source: Option<serde_json::Error>,
    },
    /// Not a key.
    #[error("{} does not hold a usable key; enrol the device again", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// Why.
        source: SealError,
    },
    /// The TLS key is damaged.
    #[error("{} is not a private key; remove it, and enrol the device again", file.display())]
    TlsKey {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rcgen::Error,
    },
    /// A key cannot be made.
    #[error("the device's keys cannot be made")]
    Make(#[source] rcgen::Error),
    /// The answer is for other keys.
    #[error(
        "the certificate was not made for the keys in {}; carry this device's own request to the gateway and bring back \
         the answer to it",
        folder.display()
    )]
    Foreign {
        /// The identity folder.
        folder: PathBuf,
    },
    /// The answer cannot be written.
    #[error("the gateway's answer cannot be written as JSON")]
    Json(#[source] serde_json::Error),
    /// Cannot be written.
    #[error("{} cannot be written; check that the folder exists and belongs to this user", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests;
