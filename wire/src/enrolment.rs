//! The two papers exchanged when a device joins: its request, which holds no secret, and the gateway's answer.

use serde::{Deserialize, Serialize};

use crate::ids::DeviceId;

/// What a device asks with. Its private keys stay where they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// Format of this paper.
    pub schema: u32,
    /// The name it asks for; also the common name of the certificate request.
    pub device: DeviceId,
    /// PKCS#10 certificate signing request, PEM.
    pub certificate_request: String,
    /// X25519 key that its payloads will be sealed with, 64 hexadecimal characters.
    pub sealing_key: String,
}

/// What the gateway answers with.
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
}

/// The one format there is.
pub const SCHEMA: u32 = 1;
