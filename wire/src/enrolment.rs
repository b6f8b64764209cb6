//! What a device and its gateway exchange when the device joins. The device asks with a PKCS#10 request, which holds no
//! secret; the same request travels over EST ([`crate::est`]) or in a file, and so does the answer.

use serde::{Deserialize, Serialize};

use crate::ids::DeviceId;

/// Before the key in [`sealing_key_name`].
const SEALING_KEY: &str = "urn:hilum:sealing-key:x25519:";

/// What goes with a device's certificate: where it belongs, and whom it may believe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Papers {
    /// Format of this paper.
    pub schema: u32,
    /// The device they are for.
    pub device: DeviceId,
    /// The site that it stands in.
    pub site: String,
    /// Certificates that the broker's own is checked against, PEM.
    pub authorities: String,
    /// X25519 key of the gateway that payloads are sealed to, 64 hexadecimal characters.
    pub gateway_sealing_key: String,
    /// Where the next certificate comes from; absent where the gateway does not speak EST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
}

/// Where a device's next certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// `https://HOST:PORT`, without a path.
    pub url: String,
    /// Certificates that the server there is checked against, PEM.
    pub authorities: String,
}

/// The gateway's answer: papers and certificate. What a device keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Format of this paper.
    pub schema: u32,
    /// The device it is for.
    pub device: DeviceId,
    /// The site that it stands in.
    pub site: String,
    /// The device's certificate for the broker, PEM.
    pub certificate: String,
    /// Certificates that the broker's own is checked against, PEM.
    pub authorities: String,
    /// X25519 key of the gateway that payloads are sealed to, 64 hexadecimal characters.
    pub gateway_sealing_key: String,
    /// See [`Papers::renewal`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
}

/// The one format there is.
pub const SCHEMA: u32 = 1;

impl Papers {
    /// The answer, once there is a certificate, PEM.
    #[must_use]
    pub fn with(self, certificate: String) -> Enrolment {
        let Self { schema, device, site, authorities, gateway_sealing_key, renewal } = self;
        Enrolment { schema, device, site, certificate, authorities, gateway_sealing_key, renewal }
    }
}

/// How a device's sealing key stands in its certificate request, and then in its certificate: as a subject alternative
/// name, a URI. So the request is one standard file, signed as a whole, and both of a device's keys are one identity.
///
/// ```
/// use wire::enrolment::{sealing_key_in, sealing_key_name};
/// assert_eq!(sealing_key_in(&sealing_key_name("00ff")), Some("00ff"));
/// assert_eq!(sealing_key_in("https://example.org"), None);
/// ```
#[must_use]
pub fn sealing_key_name(key: &str) -> String {
    format!("{SEALING_KEY}{key}")
}

/// The sealing key in such a name, hexadecimal.
#[must_use]
pub fn sealing_key_in(name: &str) -> Option<&str> {
    name.strip_prefix(SEALING_KEY)
}
