//! How a device asks to join: by its certificate request, which [`crate::est`] sends or somebody carries in a file, and by
//! taking the gateway's answer in after checking that it belongs to this device's keys. A private key never leaves.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, CertificateSigningRequest, DistinguishedName, DnType, KeyPair, SanType};
use wire::enrolment::{Enrolment, sealing_key_name};
use wire::ids::DeviceId;
use wire::seal::PublicKey;

use crate::identity::file::{make_private_folder, write_private};
use crate::identity::{IdentityError, IdentityFolder, parse_enrolment};

/// Writes this device's request to `out`. Keys that wait for an answer are kept: asking twice is safe.
///
/// # Errors
/// [`EnrolmentError`].
pub fn request(device: &DeviceId, folder: &IdentityFolder, out: &Path) -> Result<(), EnrolmentError> {
    make_private_folder(&folder.0)?;
    let (pair, sealing) = (folder.next_tls()?, folder.next_sealing()?);
    let request = certificate_request(device, &pair, &sealing.public())?;
    Ok(write_private(out, &request.pem().map_err(EnrolmentError::Make)?)?)
}

/// Takes the gateway's answer into the identity folder.
///
/// # Errors
/// [`IdentityError::Foreign`] where the certificate is of other keys than this folder's.
pub fn accept(folder: &IdentityFolder, paper: &Path) -> Result<Enrolment, EnrolmentError> {
    let text =
        std::fs::read_to_string(paper).map_err(|source| EnrolmentError::NoAnswer { file: paper.to_owned(), source })?;
    let enrolment = parse_enrolment(paper, &text)?;
    folder.put_in_force(&enrolment)?;
    Ok(enrolment)
}

/// What a device asks with (PKCS#10): its name, and both its keys.
///
/// # Errors
/// [`EnrolmentError::Make`].
pub fn certificate_request(
    device: &DeviceId,
    pair: &KeyPair,
    sealing: &PublicKey,
) -> Result<CertificateSigningRequest, EnrolmentError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, device.as_str());
    let name = sealing_key_name(&sealing.to_hex()).try_into().map_err(EnrolmentError::Make)?;
    params.subject_alt_names = vec![SanType::URI(name)];
    params.serialize_request(pair).map_err(EnrolmentError::Make)
}

/// An enrolment that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// A file of the identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A request cannot be made.
    #[error("the device's certificate request cannot be made")]
    Make(#[source] rcgen::Error),
    /// The answer is not there.
    #[error("{} cannot be read; it is what `cloud-gateway enrol sign` wrote", file.display())]
    NoAnswer {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
