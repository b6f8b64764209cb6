//! What can be done about the commonest ways not to be connected to the broker: one table of signs, with the words for each of
//! its two readers. Pure; it knows no connection.

use std::error::Error;

/// Who reads it, and so what is configured and whom one can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A technician beside a device.
    Device,
    /// The operator of the cloud.
    Cloud,
}

/// Signs in a client's words, in small letters, each before those that it contains; then the device's words and the cloud's.
#[rustfmt::skip]
const TABLE: [(&str, &str, &str); 13] = [
    ("notauthorized",
        "the broker does not know this device; ask the operator whether it was revoked",
        "the broker's access list does not let the name in [mqtt] certificate in"),
    ("connection refused, return code",
        "the broker does not let this device in; ask the operator for its log",
        "the broker's access list does not let the name in [mqtt] certificate in"),
    ("connection refused",
        "the broker is down, or [broker] host and port are wrong",
        "start the broker, or correct [mqtt] host and port"),
    ("unknownissuer", OTHER_AUTHORITY.0, OTHER_AUTHORITY.1),
    // An authority that was made again under the same name.
    ("badsignature", OTHER_AUTHORITY.0, OTHER_AUTHORITY.1),
    ("notvalidforname",
        "[broker] host is not a name in the broker's certificate",
        "[mqtt] host is not a name in the broker's certificate"),
    ("notvalidyet",
        "the device's clock is behind; set it",
        "the clock is behind, or a certificate begins later"),
    ("expired",
        "a certificate has expired; check the device's clock, then enrol again",
        "a certificate has expired; renew it"),
    ("fatalalert", NOT_ACCEPTED.0, NOT_ACCEPTED.1),
    ("fatal alert", NOT_ACCEPTED.0, NOT_ACCEPTED.1),
    ("failed to lookup",
        "[broker] host is not known to the name service; check the network cable and DNS",
        "[mqtt] host is not known to the name service"),
    ("unreachable",
        "there is no way to the broker; check the network cable",
        "there is no way to the broker; check the network"),
    ("timeout",
        "the broker does not answer; check [broker] host, port and the firewall",
        "the broker does not answer; check [mqtt] host, port and the firewall"),
];

const OTHER_AUTHORITY: (&str, &str) = (
    "the broker's certificate is not of the authority that enrolled this device; enrol again",
    "[mqtt] ca is not the authority of the broker's certificate",
);
const NOT_ACCEPTED: (&str, &str) = (
    "the broker does not accept this device's certificate; enrol again",
    "the broker does not accept [mqtt] certificate; is it signed by the broker's authority?",
);

/// What `side` can do about a connection that failed so.
#[must_use]
pub fn remedy(error: &(dyn Error + 'static), side: Side) -> &'static str {
    let words = crate::exit::chain(error).to_lowercase();
    let row = TABLE.iter().find(|(sign, ..)| words.contains(sign));
    match (row, side) {
        (Some((_, device, _)), Side::Device) => device,
        (Some((_, _, cloud)), Side::Cloud) => cloud,
        (None, Side::Device) => "ask the operator for the broker's log",
        (None, Side::Cloud) => "look at the broker's log",
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn each_reader_is_told_what_it_can_do() {
        for (words, device, cloud) in [
            ("Connection refused (os error 111)", "[broker] host and port", "correct [mqtt] host and port"),
            ("Connection refused, return code: `NotAuthorized`", "was revoked", "access list"),
            ("invalid peer certificate: UnknownIssuer", "enrol again", "[mqtt] ca"),
            ("received fatal alert: CertificateUnknown", "enrol again", "is it signed"),
            ("something else", "ask the operator", "look at the broker's log"),
        ] {
            let error = io::Error::other(words);
            assert!(remedy(&error, Side::Device).contains(device), "{words}");
            assert!(remedy(&error, Side::Cloud).contains(cloud), "{words}");
        }
    }

    #[test]
    fn no_row_hides_behind_one_before_it() {
        for (place, (sign, ..)) in TABLE.iter().enumerate() {
            assert!(TABLE[..place].iter().all(|(before, ..)| !sign.contains(before)), "{sign}");
        }
    }
}
