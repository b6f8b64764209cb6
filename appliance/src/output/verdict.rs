//! What an answer means for a delivery: taken, to be tried again, or never to be taken. One table for each protocol. Pure.

use std::time::Duration;

use wire::backoff::Backoff;

/// For a system in the same building: one that restarts is back within a minute, and whoever repaired it over night should
/// see the deliveries within five.
pub const PAUSES: Backoff = Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(300) };

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The destination has it.
    Taken,
    /// Not this time: it is tried again for as long as it takes. In words, without the patient.
    Later(String),
    /// Never: trying again would give the same answer. In words, without the patient.
    Never(String),
}

/// By the status of a C-STORE response (PS3.7 annex C, PS3.4 table B.2-1).
#[must_use]
pub fn of_store(status: u16) -> Verdict {
    let words = || format!("status 0x{status:04X}: {}", crate::dicom::status::meaning(status));
    match status {
        // Coerced, discarded, or not matching its class: stored all the same.
        0x0000 | 0xB000..=0xBFFF => Verdict::Taken,
        // Out of resources, busy, failed while processing: the next hour may be better.
        0xA700..=0xA7FF | 0x0110 | 0x0213 => Verdict::Later(words()),
        // What the receiver says of the object itself does not change by sending it again.
        0xA800..=0xA9FF | 0xC000..=0xCFFF | 0x0105..=0x0107 | 0x0111..=0x0124 | 0x0210..=0x0212 => {
            Verdict::Never(words())
        }
        _ => Verdict::Later(words()),
    }
}

/// By the Failure Reason of a storage commitment (PS3.3 C.14.1.1): what the archive lost is sent again, what it never takes is
/// refused.
#[must_use]
pub fn of_commitment(reason: u16) -> Verdict {
    let words = |meaning| format!("the archive does not keep it (reason 0x{reason:04X}: {meaning})");
    match reason {
        0x0110 => Verdict::Later(words("it failed while processing")),
        0x0112 => Verdict::Later(words("it has no such object")),
        0x0213 => Verdict::Later(words("it is out of resources")),
        0x0131 => Verdict::Later(words("it has seen the transaction before")),
        0x0119 => Verdict::Never(words("it has the object as one of another class")),
        0x0122 => Verdict::Never(words("it does not take this kind of object")),
        _ => Verdict::Later(words("a reason of its own")),
    }
}

/// By the status of an HTTP answer to a FHIR transaction, which is done whole or not at all (FHIR R4 3.1.0.11).
#[must_use]
pub fn of_http(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        // Of the content itself: malformed, in conflict, or against the server's rules.
        400 | 409 | 410 | 412 | 413 | 415 | 422 => {
            Verdict::Never(format!("the server finds the report wrong (HTTP status {status}); its log says why"))
        }
        401 | 403 => Verdict::Later(format!(
            "the server does not let the appliance in (HTTP status {status}); check token and certificate"
        )),
        404 | 405 => Verdict::Later(format!("the url is not the base of a FHIR server (HTTP status {status})")),
        300..=399 => Verdict::Later(format!(
            "the server redirects (HTTP status {status}), which is not followed; set its own url"
        )),
        _ => Verdict::Later(format!("the server failed (HTTP status {status})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_recover_is_tried_again_and_what_will_not_is_refused() {
        for status in [0x0000, 0xB000, 0xB006, 0xB007] {
            assert_eq!(of_store(status), Verdict::Taken, "{status:04X}");
        }
        for status in [0xA700, 0xA7FF, 0x0110, 0x0213, 0xFE00] {
            assert!(matches!(of_store(status), Verdict::Later(_)), "{status:04X}");
        }
        for status in [0x0122, 0x0117, 0x0124, 0xA900, 0xA9FF, 0xC000, 0xC1FF, 0x0211] {
            assert!(matches!(of_store(status), Verdict::Never(_)), "{status:04X}");
        }
        assert!(matches!(of_commitment(0x0112), Verdict::Later(_)));
        assert!(matches!(of_commitment(0x0122), Verdict::Never(_)));
    }

    #[test]
    fn no_failure_is_ever_called_taken() {
        for status in 0..=u16::MAX {
            let is_stored = status == 0 || status >> 12 == 0xB;
            assert_eq!(of_store(status) == Verdict::Taken, is_stored, "{status:04X}");
            assert_ne!(of_commitment(status), Verdict::Taken);
            assert_eq!(of_http(status) == Verdict::Taken, (200..300).contains(&status), "{status}");
        }
    }
}
