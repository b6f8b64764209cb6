//! Who this device is: its two private keys, made here and never sent anywhere, and the paper that the gateway gave it.
//!
//! ```text
//! identity_dir/tls.key.pem       ECDSA P-256, for the broker          0600
//! identity_dir/sealing.key       X25519, 64 hexadecimal characters    0600
//! identity_dir/enrolment.json    wire::enrolment::Enrolment           written last, by enrol-accept
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use wire::enrolment::{Enrolment, SCHEMA};
use wire::seal::{PrivateKey, PublicKey, SealError};

/// Readable and writable by the service's user alone.
const PRIVATE: u32 = 0o600;

/// Everything that a connection needs.
pub struct Identity {
    /// The gateway's paper.
    pub enrolment: Enrolment,
    /// Key of the certificate in it, PEM.
    pub tls_key: String,
    /// Key that payloads are sealed with.
    pub sealing: PrivateKey,
    /// Its public half.
    pub sealing_public: PublicKey,
    /// Key that payloads are sealed to.
    pub gateway: PublicKey,
}

/// The files of an identity.
#[derive(Clone, Debug)]
pub struct IdentityFolder(pub PathBuf);

impl IdentityFolder {
    /// `tls.key.pem`.
    #[must_use]
    pub fn tls_key(&self) -> PathBuf {
        self.0.join("tls.key.pem")
    }

    /// `sealing.key`.
    #[must_use]
    pub fn sealing_key(&self) -> PathBuf {
        self.0.join("sealing.key")
    }

    /// `enrolment.json`.
    #[must_use]
    pub fn enrolment(&self) -> PathBuf {
        self.0.join("enrolment.json")
    }

    /// Reads the whole identity.
    ///
    /// # Errors
    /// [`IdentityError`], naming the file and the command that makes it.
    pub fn load(&self) -> Result<Identity, IdentityError> {
        let enrolment = parse_enrolment(&self.enrolment(), &read(&self.enrolment(), "enrol-accept")?)?;
        let sealing_file = self.sealing_key();
        let sealing = PrivateKey::from_hex(&read(&sealing_file, "enrol-request")?)
            .map_err(|source| IdentityError::Key { file: sealing_file, source })?;
        let gateway = PublicKey::from_hex(&enrolment.gateway_sealing_key)
            .map_err(|source| IdentityError::Key { file: self.enrolment(), source })?;
        let tls_key = read(&self.tls_key(), "enrol-request")?;
        Ok(Identity { sealing_public: sealing.public(), sealing, gateway, tls_key, enrolment })
    }
}

/// Reads the gateway's paper.
///
/// # Errors
/// [`IdentityError::Paper`].
pub fn parse_enrolment(file: &Path, text: &str) -> Result<Enrolment, IdentityError> {
    let paper = |source| IdentityError::Paper { file: file.to_owned(), source };
    let enrolment: Enrolment = serde_json::from_str(text).map_err(|error| paper(Some(error)))?;
    if enrolment.schema == SCHEMA { Ok(enrolment) } else { Err(paper(None)) }
}

/// Reads a file that a command of this program should have made.
///
/// # Errors
/// [`IdentityError::Missing`].
pub fn read(file: &Path, made_by: &'static str) -> Result<String, IdentityError> {
    std::fs::read_to_string(file).map_err(|source| IdentityError::Missing { file: file.to_owned(), made_by, source })
}

/// Writes a file whole or not at all, readable by this user alone, durable when it returns.
///
/// # Errors
/// [`IdentityError::Write`].
pub fn write_private(file: &Path, content: &str) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Write { file: file.to_owned(), source };
    let fresh = file.with_extension("new");
    let mut options = OpenOptions::new();
    let mut opened = options.write(true).create(true).truncate(true).mode(PRIVATE).open(&fresh).map_err(failed)?;
    opened.write_all(content.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, file).map_err(failed)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    // The name is durable only when its folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// An identity that is not there or not whole.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is not there.
    #[error("{} cannot be read; make it with `hilum-sync-agent {made_by}`, or correct [device] identity_dir", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// The command that makes it.
        made_by: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Not the gateway's paper.
    #[error("{} is not an enrolment from the gateway; copy the file again, or run `cloud-gateway enrol` again", file.display())]
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
    /// Cannot be written.
    #[error("{} cannot be written; check that the folder exists and belongs to this user", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
