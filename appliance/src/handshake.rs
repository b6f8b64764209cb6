//! Why a TLS handshake failed, in words for whoever has to mend it. It names neither hosts nor what stands in a certificate.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// The words for a connection's failure; `None` where it was not TLS that failed.
#[must_use]
pub fn failure(error: &io::Error) -> Option<&'static str> {
    error.get_ref()?.downcast_ref::<Error>().map(words)
}

/// The words for what rustls says.
#[must_use]
pub fn words(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(why) => certificate(why),
        Error::NoCertificatesPresented => "it shows no certificate",
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => "it does not accept our certificate",
        Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
        | Error::PeerIncompatible(_) => "it and we have no version or cipher suite of TLS in common",
        Error::InvalidMessage(_) => "what answers does not speak TLS",
        _ => "TLS failed",
    }
}

fn certificate(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is not of the configured authority"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; look at the clocks of both sides"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for a server"
        }
        _ => "its certificate cannot be used",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_whose_certificate_it_is_about() {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let refused = Error::AlertReceived(AlertDescription::UnknownCA);
        assert_eq!(words(&unknown()), "its certificate is not of the configured authority");
        assert_eq!(words(&refused), "it does not accept our certificate");
        assert_eq!(failure(&io::Error::new(io::ErrorKind::InvalidData, unknown())), Some(words(&unknown())));
        assert_eq!(failure(&io::ErrorKind::ConnectionRefused.into()), None);
    }
}
