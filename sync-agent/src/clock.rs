//! What this device's clock and a server's certificate say of each other, in words for the technician. Pure: it asks no clock.

use std::error::Error;
use std::io;

use rustls::CertificateError;
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;

/// A server's certificate that is not valid at the hour that this device's clock shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this device's clock says {now}, and a certificate there is not valid then, for it {limit}: set the clock; if it is right, \
     tell the operator that the certificate must be renewed. What waits is kept"
)]
pub struct Disagreement {
    now: String,
    limit: String,
}

impl Disagreement {
    /// What TLS says, where it is this.
    #[must_use]
    pub fn of(error: &rustls::Error) -> Option<Self> {
        let (now, limit) = match error {
            rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { time, not_after }) => {
                (time, format!("ended {}", shown(*not_after)))
            }
            rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before }) => {
                (time, format!("begins {}", shown(*not_before)))
            }
            _ => return None,
        };
        Some(Self { now: shown(*now), limit })
    }

    /// The same, anywhere below an error. What an [`io::Error`] carries is no source of it, and is looked at by itself.
    #[must_use]
    pub fn below(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Self::of(error);
        }
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        carried.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source()).and_then(Self::below)
    }
}

/// A moment as people write it, to the minute.
#[must_use]
pub fn minute(at_ms: i64) -> String {
    let layout = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let at = OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1_000)).ok();
    at.and_then(|at| at.format(&layout).ok()).unwrap_or_else(|| "no usable date".to_owned())
}

fn shown(at: UnixTime) -> String {
    minute(i64::try_from(at.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn both_moments_are_told_however_deep_the_error_lies() {
        let ended = CertificateError::ExpiredContext { time: at(1_924_992_000), not_after: at(1_800_000_000) };
        let begins = CertificateError::NotValidYetContext { time: at(0), not_before: at(1_800_000_000) };
        for (certificate, words) in [
            (
                ended,
                "clock says 2031-01-01 00:00 UTC, and a certificate there is not valid then, for it ended 2027-01-15",
            ),
            (
                begins,
                "clock says 1970-01-01 00:00 UTC, and a certificate there is not valid then, for it begins 2027-01-15",
            ),
        ] {
            let tls = rustls::Error::InvalidCertificate(certificate);
            assert!(Disagreement::of(&tls).unwrap().to_string().contains(words));
            let deep = io::Error::other(io::Error::other(tls));
            assert!(Disagreement::below(&deep).unwrap().to_string().contains(words));
        }
    }

    #[test]
    fn another_trouble_is_none_of_the_clock() {
        let other = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(Disagreement::below(&io::Error::other(other)), None);
        assert_eq!(Disagreement::below(&io::Error::other("nothing")), None);
    }

    #[test]
    fn a_moment_that_no_calendar_has_is_said_so() {
        assert_eq!(minute(i64::MAX), "no usable date");
    }
}
