//! A destination as its courier sees it: parcels in, a verdict for each out. What the other side says in words is not passed
//! on, since it may name the patient.

mod archive;
mod fhir_server;
mod ris;

use outbox::Delivery;

pub use archive::Archive;
pub use fhir_server::{FhirServer, Unusable};
pub use ris::Ris;

use super::config::DestinationConfig;
use super::courier::Parcel;
use super::verdict::Verdict;
use crate::dicom::commitment::Report;

/// How a destination is spoken to.
pub enum Peer {
    /// DICOM.
    Archive(Archive),
    /// HL7.
    Ris(Ris),
    /// FHIR.
    Fhir(FhirServer),
}

/// Whether the destination was there at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It spoke.
    None,
    /// It could not be reached, or broke off: nothing else is worth trying now.
    Whole,
}

impl Peer {
    /// A verdict for each parcel, in their order.
    pub async fn deliver(&self, parcels: &[Parcel]) -> (Vec<Verdict>, Silence) {
        match self {
            Self::Archive(archive) => archive.deliver(parcels).await,
            Self::Ris(ris) => ris.deliver(parcels).await,
            Self::Fhir(server) => server.deliver(parcels).await,
        }
    }

    /// Whether it is asked to commit itself.
    #[must_use]
    pub fn commits(&self) -> bool {
        matches!(self, Self::Archive(archive) if archive.destination.commitment)
    }

    /// Asks for commitment; the report where it comes on the same association.
    ///
    /// # Errors
    /// [`Verdict::Later`] where the request did not arrive, [`Verdict::Never`] where the archive takes none.
    pub async fn ask(&self, transaction: &str, about: &[Delivery]) -> Result<Option<Report>, Verdict> {
        match self {
            Self::Archive(archive) => archive.ask(transaction, about).await,
            Self::Ris(_) | Self::Fhir(_) => Ok(None),
        }
    }
}

/// Whether the files that a destination names can be used; nobody is spoken to.
///
/// # Errors
/// [`Unusable`].
pub fn check(destination: &DestinationConfig) -> Result<(), Unusable> {
    match destination {
        DestinationConfig::Fhir(server) => fhir_server::check(server),
        DestinationConfig::Dicom(_) | DestinationConfig::Hl7(_) => Ok(()),
    }
}

/// The rest of the verdicts where a destination went away in the middle.
fn fill(mut verdicts: Vec<Verdict>, parcels: usize, reason: &str) -> (Vec<Verdict>, Silence) {
    verdicts.resize(parcels, Verdict::Later(reason.to_owned()));
    (verdicts, Silence::Whole)
}
