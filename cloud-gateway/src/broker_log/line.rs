//! The lines of mosquitto's log that matter here, as version 2.0 writes them. Pure; it knows no line before this one.
//!
//! Whoever connects chooses its client id and its topics, and so writes parts of these lines. What is read here is what
//! stands where the caller cannot write: the address is read from the left, the name in the certificate from the right.

use std::net::IpAddr;

use crate::domain::when::UnixMs;

/// Most bytes of a line that are looked at; mosquitto writes no longer ones.
pub const LONGEST: usize = 1_000;

/// A line of this length was cut by mosquitto, and ends where its caller wanted: its end is not believed.
const CUT: usize = 999;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When the broker wrote it.
    pub at: Option<UnixMs>,
    /// What it says.
    pub says: Says<'a>,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Says<'a> {
    /// Somebody connects.
    Calls(IpAddr),
    /// Somebody was let in.
    Enters {
        /// From there.
        from: IpAddr,
        /// The client id that it chose.
        id: &'a str,
        /// The name in its certificate.
        name: &'a str,
    },
    /// Somebody was let in, under a client id so long that the line was cut before the name.
    Masked(IpAddr),
    /// A TLS handshake failed.
    Handshake {
        /// Why.
        why: Tls,
        /// From where; mosquitto says it only of those who spoke no TLS at all.
        from: Option<IpAddr>,
    },
    /// Somebody hung up or was hung up on before it was anybody; true where it did not speak MQTT.
    Stranger(bool),
    /// Somebody left; the rest of the line, which begins with its client id.
    Leaves(&'a str),
    /// A message was not let through; the rest of the line, which begins with its sender's client id.
    Denies(&'a str),
    /// Something else: a subscription, which has no sign of its own, or nothing of interest.
    Other(&'a str),
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// A certificate was shown and does not count: revoked, expired, of another authority. mosquitto does not say which.
    Certificate,
    /// None was shown.
    NoCertificate,
    /// TLS 1.2 or older.
    Version,
    /// Something else than TLS.
    None,
}

/// OpenSSL's words in mosquitto's log. What is not here is no refusal: callers that hung up, or that refused the broker.
const SIGNS: [(&str, Tls); 5] = [
    ("certificate verify failed", Tls::Certificate),
    ("peer did not return a certificate", Tls::NoCertificate),
    ("unsupported protocol", Tls::Version),
    ("wrong version number", Tls::None),
    ("http request", Tls::None),
];

/// Reads one line.
#[must_use]
pub fn parse(text: &str) -> Line<'_> {
    let text = text.trim_end_matches(['\r', '\n']);
    let is_cut = text.len() >= CUT;
    let stamped = text.split_once(": ").and_then(|(stamp, rest)| stamp.parse::<i64>().ok().map(|at| (at, rest)));
    // Without a stamp, or with one in another format, the line is taken for a fresh one.
    let (at, rest) = stamped.map_or((None, text), |(at, rest)| (at.checked_mul(1_000), rest));
    Line { at, says: says(rest, is_cut) }
}

fn says(text: &str, is_cut: bool) -> Says<'_> {
    call(text)
        .or_else(|| entry(text, is_cut))
        .or_else(|| handshake(text))
        .or_else(|| {
            text.strip_prefix("Client <unknown> ").map(|how| Says::Stranger(how.contains("due to protocol error")))
        })
        .or_else(|| text.strip_prefix("Client ").map(Says::Leaves))
        .or_else(|| text.strip_prefix("Denied PUBLISH from ").map(Says::Denies))
        .unwrap_or(Says::Other(text))
}

/// `New connection from ADDRESS:PORT on port 8883.`
fn call(text: &str) -> Option<Says<'_>> {
    let (place, _) = text.strip_prefix("New connection from ")?.split_once(" on port ")?;
    address(place).map(Says::Calls)
}

/// `New client connected from ADDRESS:PORT as ID (p5, c1, k60, u'NAME').`
fn entry(text: &str, is_cut: bool) -> Option<Says<'_>> {
    let (place, rest) = text.strip_prefix("New client connected from ")?.split_once(" as ")?;
    let from = address(place)?;
    if is_cut {
        return Some(Says::Masked(from));
    }
    let (rest, name) = rest.strip_suffix("').")?.rsplit_once(", u'")?;
    let (id, _) = rest.rsplit_once(" (p")?;
    Some(Says::Enters { from, id, name })
}

/// `OpenSSL Error[0]: error:…` and `Client connection from ADDRESS failed: error:…`
fn handshake(text: &str) -> Option<Says<'_>> {
    let (from, error) = match text.strip_prefix("Client connection from ") {
        Some(rest) => rest.split_once(" failed: ").map(|(place, error)| (place.parse().ok(), error))?,
        None => (None, text.strip_prefix("OpenSSL Error[")?),
    };
    let (_, why) = *SIGNS.iter().find(|(sign, _)| error.contains(sign))?;
    Some(Says::Handshake { why, from })
}

fn address(place: &str) -> Option<IpAddr> {
    place.rsplit_once(':').and_then(|(address, _)| address.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Lines of mosquitto 2.0.11 to the letter.
    #[test]
    fn mosquittos_lines_are_understood() {
        let tls = |why| Says::Handshake { why, from: None };
        for (text, says) in [
            ("New connection from 127.0.0.1:37646 on port 18883.", Says::Calls(HERE)),
            ("New connection from ::1:37646 on port 18883.", Says::Calls("::1".parse().unwrap())),
            (
                "New client connected from 127.0.0.1:37656 as c-1 (p5, c1, k60, u'lab-1').",
                Says::Enters { from: HERE, id: "c-1", name: "lab-1" },
            ),
            ("OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed", tls(Tls::Certificate)),
            (
                "OpenSSL Error[0]: error:0A0000C7:SSL routines::peer did not return a certificate",
                tls(Tls::NoCertificate),
            ),
            ("OpenSSL Error[0]: error:0A000102:SSL routines::unsupported protocol", tls(Tls::Version)),
            ("OpenSSL Error[0]: error:0A00009C:SSL routines::http request", tls(Tls::None)),
            (
                "Client connection from 127.0.0.1 failed: error:0A00010B:SSL routines::wrong version number.",
                Says::Handshake { why: Tls::None, from: Some(HERE) },
            ),
            ("Client <unknown> disconnected: Protocol error.", Says::Stranger(false)),
            ("Client <unknown> disconnected due to protocol error.", Says::Stranger(true)),
            ("Client c-1 disconnected.", Says::Leaves("c-1 disconnected.")),
            (
                "Denied PUBLISH from c-1 (d0, q1, r0, m1, 'hilum/v1/lab-2/up/result', ... (1 bytes))",
                Says::Denies("c-1 (d0, q1, r0, m1, 'hilum/v1/lab-2/up/result', ... (1 bytes))"),
            ),
            ("s1 0 hilum/v1/lab-2/down/receipt", Says::Other("s1 0 hilum/v1/lab-2/down/receipt")),
        ] {
            assert_eq!(parse(&format!("1795294490: {text}\n")), Line { at: Some(1_795_294_490_000), says }, "{text}");
        }
    }

    #[test]
    fn who_hangs_up_or_refuses_the_broker_was_not_refused() {
        for text in [
            "OpenSSL Error[0]: error:0A000126:SSL routines::unexpected eof while reading",
            "OpenSSL Error[0]: error:0A000418:SSL routines::tlsv1 alert unknown ca",
        ] {
            assert_eq!(parse(text), Line { at: None, says: Says::Other(text) });
        }
    }

    #[test]
    fn a_client_id_cannot_pass_for_another_name() {
        let text = "New client connected from 127.0.0.1:1 as a as b (p5, c1, k60, u'gateway'). (p5, c1, k0, u'lab-1').";
        let id = "a as b (p5, c1, k60, u'gateway').";
        assert_eq!(parse(text).says, Says::Enters { from: HERE, id, name: "lab-1" });
    }

    #[test]
    fn the_end_of_a_cut_line_is_not_believed() {
        let told = |length: usize| {
            let (begin, end) = ("1: New client connected from 127.0.0.1:1 as ", " (p5, c1, k60, u'lab-2').");
            let text = format!("{begin}{}{end}", "x".repeat(length - begin.len() - end.len()));
            let Says::Enters { name, .. } = parse(&text).says else { return parse(&text).says == Says::Masked(HERE) };
            name != "lab-2"
        };
        assert!(!told(CUT - 1) && told(CUT));
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_too_strange(text in ".*", id in ".*") {
            let _ = parse(&text);
            let _ = parse(&format!("1: New client connected from {text} as {id} (p"));
        }
    }
}
