//! The labels around a payload: CloudEvents 1.0 in binary mode, as MQTT 5 user properties. It never holds the payload.
//!
//! Source: CloudEvents MQTT protocol binding 1.0.2, section 3.1 (attributes as user properties, named without a
//! prefix), and W3C Trace Context level 1 for `traceparent`. No label carries anything about a patient.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::ids::{DeviceId, MessageId};
use crate::topics::Up;

/// `content_type` of every sealed payload.
pub const CONTENT_TYPE: &str = "application/vnd.hilum.sealed+cbor";

/// The labels of one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The message's identity; `id`.
    pub id: MessageId,
    /// The device it comes from; `source` is `/devices/{device}`.
    pub device: DeviceId,
    /// What it is; `type` is `hilum.{kind}.v1`.
    pub kind: Up,
    /// When it was written to the outbox; `time`, RFC 3339, UTC.
    pub time: OffsetDateTime,
    /// The trace it belongs to, if any; `traceparent`.
    pub traceparent: Option<String>,
}

impl Envelope {
    /// The labels as user properties, in a fixed order.
    ///
    /// # Errors
    /// [`EnvelopeError::Time`] where the time is outside RFC 3339's years 0 to 9999.
    pub fn to_properties(&self) -> Result<Vec<(String, String)>, EnvelopeError> {
        let time = self.time.to_offset(time::UtcOffset::UTC).format(&Rfc3339).map_err(|_| EnvelopeError::Time)?;
        let mut properties = vec![
            ("specversion".to_owned(), "1.0".to_owned()),
            ("id".to_owned(), self.id.to_string()),
            ("source".to_owned(), format!("/devices/{}", self.device)),
            ("type".to_owned(), format!("hilum.{}.v1", self.kind.as_str())),
            ("time".to_owned(), time),
        ];
        properties.extend(self.traceparent.iter().map(|trace| ("traceparent".to_owned(), trace.clone())));
        Ok(properties)
    }

    /// Reads the labels back; labels it does not know are passed over, as CloudEvents asks.
    ///
    /// # Errors
    /// The first label that is missing or malformed, by name.
    pub fn from_properties(properties: &[(String, String)]) -> Result<Self, EnvelopeError> {
        let find = |name: &'static str| {
            let found = properties.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str()).ok_or(EnvelopeError::Missing(name))
        };
        if find("specversion")? != "1.0" {
            return Err(EnvelopeError::Malformed("specversion"));
        }
        let kind = find("type")?.strip_prefix("hilum.").and_then(|rest| rest.strip_suffix(".v1"));
        let device = find("source")?.strip_prefix("/devices/").ok_or(EnvelopeError::Malformed("source"))?;
        Ok(Self {
            id: find("id")?.parse().map_err(|_| EnvelopeError::Malformed("id"))?,
            device: device.parse().map_err(|_| EnvelopeError::Malformed("source"))?,
            kind: kind.and_then(Up::from_name).ok_or(EnvelopeError::Malformed("type"))?,
            time: OffsetDateTime::parse(find("time")?, &Rfc3339).map_err(|_| EnvelopeError::Malformed("time"))?,
            traceparent: find("traceparent").ok().filter(|trace| is_traceparent(trace)).map(str::to_owned),
        })
    }

    /// What the seal binds to the payload beside its own bytes: a message can't be replayed as another device's,
    /// another kind's or under another id without failing to open.
    #[must_use]
    pub fn binding(&self) -> Vec<u8> {
        format!("hilum.{}.v1\n{}\n{}", self.kind.as_str(), self.device, self.id).into_bytes()
    }
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, Trace Context section 3.2.2: 55 characters.
fn is_traceparent(text: &str) -> bool {
    let lengths = [2, 32, 16, 2];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
}

/// Labels that cannot be written or read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The clock is outside what RFC 3339 can write.
    #[error("the message's time cannot be written as RFC 3339; set the device's clock")]
    Time,
    /// A label is missing.
    #[error("the message has no \"{0}\" property; the sender does not speak hilum/v1")]
    Missing(&'static str),
    /// A label is there but says nothing sensible.
    #[error("the message's \"{0}\" property is malformed; the sender does not speak hilum/v1")]
    Malformed(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn envelope() -> Envelope {
        Envelope {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            device: "demo-1".parse().unwrap(),
            kind: Up::Result,
            time: datetime!(2026-01-02 03:04:05.678 UTC),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        }
    }

    #[test]
    fn the_properties_are_these_to_the_letter() {
        let properties = envelope().to_properties().unwrap();
        let lines: Vec<String> = properties.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            lines,
            [
                "specversion=1.0",
                "id=01890a5d-ac96-774b-bcce-b302099a8057",
                "source=/devices/demo-1",
                "type=hilum.result.v1",
                "time=2026-01-02T03:04:05.678Z",
                "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ]
        );
        assert_eq!(Envelope::from_properties(&properties).unwrap(), envelope());
    }

    #[test]
    fn each_missing_or_malformed_label_is_named() {
        for (index, name) in ["specversion", "id", "source", "type", "time"].into_iter().enumerate() {
            let mut missing = envelope().to_properties().unwrap();
            missing.remove(index);
            assert_eq!(Envelope::from_properties(&missing), Err(EnvelopeError::Missing(name)));
            let mut malformed = envelope().to_properties().unwrap();
            malformed[index].1 = "?".to_owned();
            assert_eq!(Envelope::from_properties(&malformed), Err(EnvelopeError::Malformed(name)));
        }
    }

    #[test]
    fn a_malformed_trace_is_dropped_and_the_message_kept() {
        let mut properties = envelope().to_properties().unwrap();
        properties[5].1 = "00-zz".to_owned();
        assert_eq!(Envelope::from_properties(&properties).unwrap().traceparent, None);
    }
}
