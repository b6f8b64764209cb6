//! Why an association, or something on it, did not come about: each with what the sender can do.

use std::io;
use std::time::Duration;

use dicom_ul::Pdu;
use dicom_ul::pdu::PresentationContextResultReason as ContextReason;

use super::MAX_CONTEXTS;
use crate::dicom::dimse::DimseError;
use crate::dicom::pdu_stream::PduError;
use crate::handshake;

/// Why a file was not sent, or a question not asked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nobody listens there.
    #[error("cannot connect to {host}; check that the receiver runs and that host and port are right")]
    Connect {
        /// Whom.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// It listens, and the TLS handshake failed.
    #[error(
        "{host} cannot be reached over TLS ({}); check the certificates of both sides, their authority and the port",
        handshake::failure(source).unwrap_or("the connection broke off")
    )]
    Tls {
        /// Whom.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The association was rejected.
    #[error("the receiver rejected the association: {0}; look at its status page for what to change")]
    Rejected(String),
    /// The receiver does not take such objects.
    #[error("the receiver does not take {0} in the file's transfer syntax ({1})")]
    NotTaken(String, ContextReason),
    /// More kinds of objects than an association can offer.
    #[error("more than {MAX_CONTEXTS} kinds of objects in one call; send fewer kinds at a time")]
    TooManyKinds,
    /// The file's identifiers are none.
    #[error("the file's SOP class or instance is not a UID; it is damaged")]
    NoUid,
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// The receiver did something outside the protocol, or ended the association.
    #[error("the receiver ended the association or did not keep to the protocol ({0})")]
    Protocol(String),
    /// It did not answer.
    #[error("the receiver did not answer within {} s", .0.as_secs())]
    Silent(Duration),
}

impl LinkError {
    /// True where the association cannot be used any more.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::NotTaken(..) | Self::TooManyKinds | Self::NoUid)
    }

    /// A message that has no place where it came.
    pub(super) fn stray() -> Self {
        Self::Protocol("a message out of turn".to_owned())
    }

    /// A PDU, or the end, where another PDU belongs.
    pub(super) fn unexpected(pdu: Option<&Pdu>) -> Self {
        Self::Protocol(match pdu {
            None => "it closed the connection".to_owned(),
            Some(Pdu::AbortRQ { .. }) => "it aborted".to_owned(),
            Some(other) => format!("it sent {}", kind(other)),
        })
    }
}

impl From<PduError> for LinkError {
    fn from(error: PduError) -> Self {
        // A server of TLS 1.3 looks at our certificate after the handshake has ended for us (RFC 8446 4.4).
        let refused = match &error {
            PduError::Socket(socket) => handshake::failure(socket).map(str::to_owned),
            _ => None,
        };
        Self::Protocol(refused.unwrap_or_else(|| vitals::exit::chain(&error)))
    }
}

impl From<DimseError> for LinkError {
    fn from(error: DimseError) -> Self {
        Self::Protocol(error.to_string())
    }
}

fn kind(pdu: &Pdu) -> &'static str {
    match pdu {
        Pdu::AssociationRQ(_) => "an association request",
        Pdu::AssociationAC(_) => "a second acceptance",
        Pdu::AssociationRJ(_) => "a late rejection",
        Pdu::PData { .. } => "data",
        Pdu::ReleaseRQ | Pdu::ReleaseRP => "a release",
        Pdu::AbortRQ { .. } | Pdu::Unknown { .. } => "an unknown PDU",
    }
}
