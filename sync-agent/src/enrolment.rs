//! How a device joins: it makes its keys and a request, carries the request to the gateway, and accepts the answer after
//! checking that it belongs to those keys. A private key never leaves the identity folder.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData};
use wire::enrolment::{Enrolment, EnrolmentRequest, SCHEMA};
use wire::ids::DeviceId;
use wire::seal::{self, PrivateKey};

use crate::identity::{IdentityError, IdentityFolder, parse_enrolment, read, write_private};

/// Makes what keys are missing and writes the request to `out`. Existing keys are kept: asking twice is safe.
///
/// # Errors
/// [`EnrolmentError`].
pub fn request(device: &DeviceId, folder: &IdentityFolder, out: &Path) -> Result<(), EnrolmentError> {
    std::fs::create_dir_all(&folder.0).map_err(|source| IdentityError::Write { file: folder.0.clone(), source })?;
    if !folder.tls_key().exists() {
        let pair = KeyPair::generate().map_err(EnrolmentError::Make)?;
        write_private(&folder.tls_key(), &pair.serialize_pem())?;
    }
    if !folder.sealing_key().exists() {
        let (private, _) = seal::generate(&mut rand::rng());
        write_private(&folder.sealing_key(), &private.to_hex())?;
    }
    let sealing = PrivateKey::from_hex(&read(&folder.sealing_key(), "enrol-request")?)
        .map_err(|source| IdentityError::Key { file: folder.sealing_key(), source })?;
    let request = EnrolmentRequest {
        schema: SCHEMA,
        device: device.clone(),
        certificate_request: certificate_request(device, &tls_pair(folder)?)?,
        sealing_key: sealing.public().to_hex(),
    };
    let text = serde_json::to_string_pretty(&request).map_err(EnrolmentError::Write)?;
    Ok(write_private(out, &text)?)
}

/// Takes the gateway's answer into the identity folder.
///
/// # Errors
/// [`EnrolmentError::Foreign`] where the certificate is of other keys than this folder's.
pub fn accept(folder: &IdentityFolder, paper: &Path) -> Result<Enrolment, EnrolmentError> {
    let enrolment = parse_enrolment(paper, &read(paper, "enrol-request, then `cloud-gateway enrol`")?)?;
    let pair = tls_pair(folder)?;
    let foreign = || EnrolmentError::Foreign { paper: paper.to_owned(), folder: folder.0.clone() };
    let (_, pem) = x509_parser::pem::parse_x509_pem(enrolment.certificate.as_bytes()).map_err(|_| foreign())?;
    let certificate = pem.parse_x509().map_err(|_| foreign())?;
    if certificate.public_key().subject_public_key.data.as_ref() != pair.der_bytes() {
        return Err(foreign());
    }
    let text = serde_json::to_string_pretty(&enrolment).map_err(EnrolmentError::Write)?;
    write_private(&folder.enrolment(), &text)?;
    Ok(enrolment)
}

fn tls_pair(folder: &IdentityFolder) -> Result<KeyPair, EnrolmentError> {
    let file = folder.tls_key();
    KeyPair::from_pem(&read(&file, "enrol-request")?).map_err(|source| EnrolmentError::TlsKey { file, source })
}

fn certificate_request(device: &DeviceId, pair: &KeyPair) -> Result<String, EnrolmentError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, device.as_str());
    let request = params.serialize_request(pair).map_err(EnrolmentError::Make)?;
    request.pem().map_err(EnrolmentError::Make)
}

/// An enrolment that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// A file of the identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A key or a request cannot be made.
    #[error("the device's keys or its request cannot be made")]
    Make(#[source] rcgen::Error),
    /// The TLS key is damaged.
    #[error("{} is not a private key; remove it, and enrol the device again", file.display())]
    TlsKey {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rcgen::Error,
    },
    /// A paper cannot be written.
    #[error("the paper cannot be written as JSON")]
    Write(#[source] serde_json::Error),
    /// The answer is for other keys.
    #[error(
        "the certificate in {} was not made for the keys in {}; carry this device's own request to the gateway and \
         bring back the answer to it",
        paper.display(), folder.display()
    )]
    Foreign {
        /// The answer.
        paper: PathBuf,
        /// The identity folder.
        folder: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn enrolled(folder: &IdentityFolder, request_file: &Path) -> Enrolment {
        let asked: EnrolmentRequest = serde_json::from_str(&std::fs::read_to_string(request_file).unwrap()).unwrap();
        let pair = KeyPair::from_pem(&std::fs::read_to_string(folder.tls_key()).unwrap()).unwrap();
        let certificate = CertificateParams::new([]).unwrap().self_signed(&pair).unwrap().pem();
        Enrolment {
            schema: SCHEMA,
            device: asked.device,
            site: "demo".into(),
            authorities: certificate.clone(),
            certificate,
            gateway_sealing_key: asked.sealing_key,
        }
    }

    #[test]
    fn keys_are_made_once_and_kept_private() {
        let place = tempfile::tempdir().unwrap();
        let (folder, out) = (IdentityFolder(place.path().join("identity")), place.path().join("request.json"));
        request(&"demo-1".parse().unwrap(), &folder, &out).unwrap();
        let first = std::fs::read_to_string(folder.sealing_key()).unwrap();
        request(&"demo-1".parse().unwrap(), &folder, &out).unwrap();
        assert_eq!(std::fs::read_to_string(folder.sealing_key()).unwrap(), first);
        for file in [folder.sealing_key(), folder.tls_key()] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, PRIVATE_MODE);
        }
        assert!(!std::fs::read_to_string(&out).unwrap().contains(&first), "the request holds a private key");
    }

    const PRIVATE_MODE: u32 = 0o600;

    #[test]
    fn an_answer_to_another_devices_request_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = |name: &str| IdentityFolder(place.path().join(name));
        let (mine, other, out) = (folder("mine"), folder("other"), place.path().join("request.json"));
        request(&"other".parse().unwrap(), &other, &out).unwrap();
        request(&"mine".parse().unwrap(), &mine, &out).unwrap();
        let paper = place.path().join("enrolment.json");
        std::fs::write(&paper, serde_json::to_string(&enrolled(&mine, &out)).unwrap()).unwrap();
        assert!(matches!(accept(&other, &paper), Err(EnrolmentError::Foreign { .. })));
        assert!(other.load().is_err());
        accept(&mine, &paper).unwrap();
        assert_eq!(mine.load().unwrap().enrolment.device.as_str(), "mine");
    }

    #[test]
    fn a_missing_paper_names_the_command_that_makes_it() {
        let place = tempfile::tempdir().unwrap();
        let words = IdentityFolder(place.path().to_owned()).load().err().unwrap().to_string();
        assert!(words.contains("enrol-accept"), "{words}");
    }
}
