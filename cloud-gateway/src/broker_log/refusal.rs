//! What the broker refused, and in which words that is told. Pure.

use std::net::IpAddr;

use super::line::Tls;
use crate::domain::when::UnixMs;

/// Most characters of a caller's own words (a topic, a client id) that are written down.
const MOST: usize = 96;

/// One refusal, or what should have been one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: UnixMs,
    /// From where, as far as the log tells.
    pub from: Option<IpAddr>,
    /// The name in its certificate, where it was let in with one.
    pub device: Option<String>,
    /// What.
    pub refusal: Refusal,
}

/// The table of all that the broker refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No TLS that counts.
    Handshake {
        /// Why.
        why: Tls,
        /// The device that was last let in from that address.
        last: Option<String>,
    },
    /// TLS with a good certificate, and then no MQTT.
    Protocol,
    /// A message on a topic that is not its sender's.
    OtherTopic(String),
    /// A subscription to what is not the subscriber's; mosquitto grants it and then gives it nothing.
    OtherSubscription(String),
    /// A client id so long that the log does not show whose it is.
    Masked,
    /// A second connection with a certificate that is in use.
    Doubled {
        /// The client id that it chose.
        id: String,
        /// Where the first one comes from.
        first: IpAddr,
    },
}

impl Refusal {
    /// Stable, `snake_case`; a metric's label and the database's column.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Handshake { why: Tls::Certificate, .. } => "certificate_refused",
            Self::Handshake { why: Tls::NoCertificate, .. } => "no_certificate",
            Self::Handshake { why: Tls::Version, .. } => "tls_version",
            Self::Handshake { why: Tls::None, .. } => "no_tls",
            Self::Protocol => "no_mqtt",
            Self::OtherTopic(_) => "other_topic",
            Self::OtherSubscription(_) => "other_subscription",
            Self::Masked => "masked",
            Self::Doubled { .. } => "identity_doubled",
        }
    }

    /// For people; what a caller wrote itself is cut short and shown without control characters.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Handshake { why, last } => {
                let what = match why {
                    Tls::Certificate => {
                        "the broker did not accept its certificate: revoked, expired or of another authority (mosquitto does \
                         not say which)"
                    }
                    Tls::NoCertificate => "it showed the broker no certificate",
                    Tls::Version => "it offered the broker no TLS 1.3",
                    Tls::None => "it did not speak TLS to the broker",
                };
                let last = last.as_ref().map(|name| format!("; the last device let in from there was {name}"));
                format!("{what}{}", last.unwrap_or_default())
            }
            Self::Protocol => "it has a good certificate and did not speak MQTT to the broker".to_owned(),
            Self::OtherTopic(topic) => {
                format!("it sent a message to {}, which is not its topic; the broker dropped it", shown(topic))
            }
            Self::OtherSubscription(filter) => {
                format!("it asked the broker for {}, which is not its own; the broker gives it nothing", shown(filter))
            }
            Self::Masked => {
                "the broker let it in under a client id so long that its log does not show the name in its certificate"
                    .to_owned()
            }
            Self::Doubled { id, first } => format!(
                "its certificate was used again, as client {}, while it was connected from {first}: if nobody moved the \
                 device, its key was copied; revoke it",
                shown(id)
            ),
        }
    }
}

fn shown(text: &str) -> String {
    let plain: String = text.chars().filter(|letter| !letter.is_control()).take(MOST).collect();
    let cut = if text.chars().count() > MOST { "…" } else { "" };
    format!("\"{plain}{cut}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_own_words_are_cut_short() {
        let words = Refusal::OtherTopic(format!("a\u{1b}[2J{}", "x".repeat(500))).words();
        assert!(words.len() < 250 && !words.contains('\u{1b}') && words.contains('…'), "{words}");
    }
}
