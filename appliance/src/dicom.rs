//! The scanner's side: a DICOM storage service class provider of our own on the PDU codec of `dicom-ul`. It never reads
//! pixels, and says success only for what is durable and journalled.
//!
//! ```text
//! listener ─▶ acceptance (who, with what) ─▶ association (one table) ─▶ store ─▶ crate::intake
//!                                                └─ pdu_stream, dimse: bytes to types and back
//! ```

pub mod acceptance;
mod ae_title;
mod association;
pub mod commitment;
pub mod dimse;
mod door;
mod element;
pub mod identity;
mod listener;
pub mod pdu_stream;
pub mod scu;
mod service;
pub mod status;
mod store;
pub mod syntax;
pub mod tls;
pub(crate) mod transport;
mod uid;

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use vitals::config::Mistakes;

pub use acceptance::{AllowedScanner, Rules};
pub use ae_title::{AeTitle, InvalidAeTitle};
pub use door::LONGEST_DATA;
pub use listener::{Listener, Ports};
pub use service::{PortError, Service};
pub use status::Status;
pub use tls::TlsConfig;
pub use uid::{InvalidUid, Uid};

/// `[dicom]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DicomConfig {
    /// Address and port that scanners send to.
    pub listen: SocketAddr,
    /// Our own AE title.
    pub ae_title: AeTitle,
    /// Associations at the same time, 1 to 256.
    #[serde(default = "DicomConfig::default_associations")]
    pub max_associations: usize,
    /// The scanners that may send. Nobody else is answered.
    #[serde(default)]
    pub allow: Vec<AllowedScanner>,
    /// DICOM over TLS, on a port of its own.
    pub tls: Option<TlsConfig>,
}

impl DicomConfig {
    /// What cannot work in `[dicom]`, and what is unwise.
    pub(crate) fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.require((1..=256).contains(&self.max_associations), "max_associations", "use 1 to 256");
        let remedy = "list at least one scanner with [[dicom.allow]]: nobody else may send";
        mistakes.require(!self.allow.is_empty(), "allow", remedy);
        for (index, scanner) in self.allow.iter().enumerate() {
            let same = |other: &AllowedScanner| {
                other.ae_title == scanner.ae_title
                    && other.certificate == scanner.certificate
                    && (other.address.is_none() || other.address == scanner.address)
            };
            let twice = self.allow[..index].iter().any(same);
            let mut entry = mistakes.item("allow", index);
            entry.require(!twice, "ae_title", "this scanner is listed above already; remove one");
            let reachable = scanner.port.is_none() || scanner.address.is_some();
            entry.require(reachable, "port", "name the scanner's address, too: reports of storage commitment go there");
            let secured = scanner.certificate.is_none() || self.tls.is_some();
            entry.require(secured, "certificate", "add [dicom.tls]: a certificate is shown over TLS only");
        }
        if let Some(tls) = &self.tls {
            let advice = "use another port than [dicom] listen; 2762 is the registered one";
            mistakes.table("tls").require(tls.listen != self.listen, "listen", advice);
        }
        if self.listen.ip().is_unspecified() {
            let advice =
                "images come unencrypted, and every network of this machine may send; name the scanners' network";
            mistakes.warning("listen", advice);
        }
    }

    /// Every address that scanners send to.
    pub(crate) fn listens(&self) -> impl Iterator<Item = SocketAddr> {
        [Some(self.listen), self.tls.as_ref().map(|tls| tls.listen)].into_iter().flatten()
    }

    /// A department has a handful of scanners; each opens one or two associations.
    fn default_associations() -> usize {
        16
    }
}

/// How long a peer may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the connection to the whole A-ASSOCIATE-RQ (the ARTIM timer of PS3.8 9.1.5).
    pub artim: Duration,
    /// From one PDU to the next within an association.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // PS3.8 leaves it to the product; 30 s is what dcmtk uses.
            artim: Duration::from_secs(30),
            // Modalities keep an association open while a technician looks at the image before it is sent.
            idle: Duration::from_secs(120),
        }
    }
}
