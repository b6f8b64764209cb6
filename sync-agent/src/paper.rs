//! Tells how long this device's certificate for the broker lasts: as a metric, and to the appliance beside it, whose status
//! page shows it. Nothing else of the identity leaves this program.

use std::io;
use std::path::Path;

use metrics::{Unit, describe_gauge, gauge};
use x509_parser::pem::parse_x509_pem;

/// In the state folder that both programs share: seconds since the Unix epoch.
const FILE: &str = "cloud-certificate";

/// Why it was not told.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// The paper holds another thing.
    #[error("the certificate in the enrolment cannot be understood; enrol again")]
    NoCertificate,
    /// It cannot be written.
    #[error("the end of the certificate cannot be written into state_dir; check the disk and who may write there")]
    Write(#[source] io::Error),
}

/// Tells it, for the certificate in PEM.
///
/// # Errors
/// [`PaperError`].
pub fn tell(state_dir: &Path, certificate: &str) -> Result<(), PaperError> {
    describe_gauge!(
        "certificate_not_after_timestamp_seconds",
        Unit::Seconds,
        "When the certificate for the broker ends, since the Unix epoch"
    );
    let ends_s = ends(certificate).ok_or(PaperError::NoCertificate)?;
    gauge!("certificate_not_after_timestamp_seconds", "certificate" => "broker").set(ends_s as f64);
    // Renamed, so that nobody reads half a number.
    let (file, coming) = (state_dir.join(FILE), state_dir.join(".cloud-certificate"));
    std::fs::write(&coming, format!("{ends_s}\n")).map_err(PaperError::Write)?;
    std::fs::rename(&coming, &file).map_err(PaperError::Write)
}

fn ends(certificate: &str) -> Option<i64> {
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).ok()?;
    Some(pem.parse_x509().ok()?.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_end_is_written_and_what_is_no_certificate_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(2030, 6, 1);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        tell(folder.path(), &certificate).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).unwrap(), "1906502400\n");
        assert!(matches!(tell(folder.path(), "no certificate"), Err(PaperError::NoCertificate)));
        assert!(matches!(tell(&folder.path().join("none"), &certificate), Err(PaperError::Write(_))));
    }
}
