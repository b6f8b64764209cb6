//! Every MQTT topic of the product, in both directions: text to type and type to text. It never talks to a broker.

use std::fmt;
use std::str::FromStr;

use crate::ids::DeviceId;

/// First two levels of every topic; the second is the version of the topic layout, not of a payload.
const PREFIX: &str = "hilum/v1";

/// What a device sends up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Up {
    /// One reading of one radiograph.
    Result,
    /// De-identified preview and saliency of one radiograph.
    Image,
    /// The device's own state.
    Telemetry,
    /// How a candidate model compares with the one in use.
    Shadow,
}

/// What comes down to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Down {
    /// What the gateway has committed or refused.
    Receipt,
}

/// One topic.
///
/// ```
/// use wire::topics::{Topic, Up};
/// let topic: Topic = "hilum/v1/demo-1/up/result".parse().unwrap();
/// assert_eq!(topic, Topic::Up("demo-1".parse().unwrap(), Up::Result));
/// assert_eq!(topic.to_string(), "hilum/v1/demo-1/up/result");
/// assert!("hilum/v1/demo-1/up/anything".parse::<Topic>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// From this device to the cloud.
    Up(DeviceId, Up),
    /// From the cloud to this device.
    Down(DeviceId, Down),
}

impl Topic {
    /// The filter with which a gateway replica takes its share of everything that devices send.
    ///
    /// MQTT 5 shared subscription (section 4.8.2): the broker gives each message to one member of `group`.
    #[must_use]
    pub fn shared_up_filter(group: &str) -> String {
        format!("$share/{group}/{PREFIX}/+/up/+")
    }
}

impl Up {
    /// All kinds, for tables and tests.
    pub const ALL: [Self; 4] = [Self::Result, Self::Image, Self::Telemetry, Self::Shadow];

    /// The topic level and the outbox column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Image => "image",
            Self::Telemetry => "telemetry",
            Self::Shadow => "shadow",
        }
    }

    /// Reads [`Up::as_str`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(device, kind) => write!(f, "{PREFIX}/{device}/up/{}", kind.as_str()),
            Self::Down(device, Down::Receipt) => write!(f, "{PREFIX}/{device}/down/receipt"),
        }
    }
}

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownTopic(text.chars().take(128).collect());
        let rest = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/')).ok_or_else(unknown)?;
        let mut levels = rest.split('/');
        let (device, direction, kind, end) = (levels.next(), levels.next(), levels.next(), levels.next());
        let device: DeviceId = device.unwrap_or_default().parse().map_err(|_| unknown())?;
        match (direction, kind, end) {
            (Some("up"), Some(kind), None) => {
                Up::from_name(kind).map(|kind| Self::Up(device, kind)).ok_or_else(unknown)
            }
            (Some("down"), Some("receipt"), None) => Ok(Self::Down(device, Down::Receipt)),
            _ => Err(unknown()),
        }
    }
}

/// A topic outside the table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no topic of this product; expected hilum/v1/DEVICE/up/KIND or hilum/v1/DEVICE/down/KIND")]
pub struct UnknownTopic(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_survives_the_round_trip() {
        let device: DeviceId = "demo-1".parse().unwrap();
        let ups = Up::ALL.map(|kind| Topic::Up(device.clone(), kind));
        for topic in ups.into_iter().chain([Topic::Down(device, Down::Receipt)]) {
            assert_eq!(topic.to_string().parse::<Topic>().unwrap(), topic);
        }
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        for bad in [
            "",
            "hilum/v1",
            "hilum/v2/demo-1/up/result",
            "hilum/v1/demo-1/up/result/more",
            "hilum/v1/demo-1/sideways/result",
            "hilum/v1/+/up/result",
            "hilum/v1x/demo-1/up/result",
        ] {
            assert!(bad.parse::<Topic>().is_err(), "{bad:?} was accepted");
        }
    }
}
