//! One association from the sender's side.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use dicom_ul::Pdu;
use dicom_ul::pdu::{
    AssociationRQ, PDataValueType, PresentationContextProposed, PresentationContextResultReason as ContextReason,
    UserVariableItem,
};
use tokio::net::TcpStream;

use super::{CONNECT, Target, connect};
use crate::dicom::acceptance::APPLICATION_CONTEXT;
use crate::dicom::dimse::{self, DimseError, Response};
use crate::dicom::pdu_stream::{PduError, PduStream, fragment_size};
use crate::dicom::{AeTitle, Uid};
use crate::spool::part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, Sendable};

/// Presentation contexts of one association at most: ids are the odd numbers of one byte (PS3.8 9.3.2.2).
const MAX_CONTEXTS: usize = 128;

/// Maximum length announced, bytes: only responses come back.
const LONGEST_DATA: u32 = 16 * 1024;

/// Time for a receiver to answer a C-STORE after the last fragment.
const ANSWER: Duration = Duration::from_secs(120);

/// An open association.
pub(super) struct Link {
    stream: PduStream<TcpStream>,
    contexts: Vec<Offered>,
    peer_limit: u32,
    last_message: u16,
}

/// What was offered, and whether it was taken.
struct Offered {
    id: u8,
    kind: (String, String),
    refusal: Option<ContextReason>,
}

/// Why a file was not sent.
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
    pub(super) fn is_fatal(&self) -> bool {
        !matches!(self, Self::NotTaken(..) | Self::TooManyKinds | Self::NoUid)
    }
}

impl From<PduError> for LinkError {
    fn from(error: PduError) -> Self {
        Self::Protocol(vitals::exit::chain(&error))
    }
}

impl From<DimseError> for LinkError {
    fn from(error: DimseError) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl Link {
    pub(super) async fn open(target: &Target, from: &AeTitle, kinds: &[(String, String)]) -> Result<Self, LinkError> {
        let socket = connect(&target.host).await?;
        // Each object is a small command and large data, and then an answer that is waited for.
        let _ = socket.set_nodelay(true);
        let mut stream = PduStream::new(socket, LONGEST_DATA, ANSWER);
        let ids = (1..=u8::MAX).step_by(2);
        let mut contexts: Vec<Offered> = ids
            .zip(kinds)
            .map(|(id, kind)| Offered { id, kind: kind.clone(), refusal: Some(ContextReason::NoReason) })
            .collect();
        stream.write(&Pdu::AssociationRQ(request(target, from, &contexts))).await?;
        let answer = tokio::time::timeout(CONNECT, stream.read()).await.map_err(|_| LinkError::Silent(CONNECT))?;
        let accepted = match answer? {
            Some(Pdu::AssociationAC(accepted)) => accepted,
            Some(Pdu::AssociationRJ(rejected)) => return Err(LinkError::Rejected(rejected.source.to_string())),
            other => return Err(unexpected(other.as_ref())),
        };
        for context in &mut contexts {
            let result = accepted.presentation_contexts.iter().find(|result| result.id == context.id);
            context.refusal = result.map(|result| result.reason.clone()).filter(|r| *r != ContextReason::Acceptance);
        }
        let limit = accepted.user_variables.iter().find_map(|item| match item {
            UserVariableItem::MaxLength(limit) => Some(*limit),
            _ => None,
        });
        Ok(Self { stream, contexts, peer_limit: limit.unwrap_or(0), last_message: 0 })
    }

    pub(super) async fn store(&mut self, file: &mut File, what: &Sendable) -> Result<Response, LinkError> {
        let offered = |context: &&Offered| context.kind.0 == what.sop_class && context.kind.1 == what.transfer_syntax;
        let context = self.contexts.iter().find(offered).ok_or(LinkError::TooManyKinds)?;
        if let Some(reason) = &context.refusal {
            let class = crate::dicom::syntax::storage_name(&what.sop_class).unwrap_or(&what.sop_class);
            return Err(LinkError::NotTaken(class.to_owned(), reason.clone()));
        }
        let id = context.id;
        let uid = |text: &str| text.parse::<Uid>().map_err(|_| LinkError::NoUid);
        let (class, instance) = (uid(&what.sop_class)?, uid(&what.sop_instance)?);
        self.last_message = self.last_message.wrapping_add(1);
        let command = dimse::store_request(self.last_message, &class, &instance);
        self.stream.write_command(id, &command, self.peer_limit).await?;
        self.data(id, file, what.offset).await?;
        let response = tokio::time::timeout(ANSWER, self.response()).await.map_err(|_| LinkError::Silent(ANSWER))??;
        if response.responded_to != self.last_message {
            return Err(LinkError::Protocol("an answer to another message".to_owned()));
        }
        Ok(response)
    }

    /// The dataset, read a fragment ahead so that the last one is marked as such.
    async fn data(&mut self, id: u8, file: &mut File, offset: u64) -> Result<(), LinkError> {
        file.seek(SeekFrom::Start(offset)).map_err(LinkError::Read)?;
        let size = fragment_size(self.peer_limit);
        let mut fragment = next(file, size)?;
        loop {
            let following = next(file, size)?;
            let last = following.is_empty();
            self.stream.write_fragment(id, PDataValueType::Data, last, fragment).await?;
            if last {
                return Ok(());
            }
            fragment = following;
        }
    }

    async fn response(&mut self) -> Result<Response, LinkError> {
        let mut gathered = Vec::new();
        loop {
            let values = match self.stream.read().await? {
                Some(Pdu::PData { data }) => data,
                other => return Err(unexpected(other.as_ref())),
            };
            for value in values {
                gathered.extend(value.data);
                if gathered.len() > dimse::LONGEST {
                    return Err(LinkError::Protocol("an endless answer".to_owned()));
                }
                if value.is_last {
                    return Ok(Response::parse(&gathered)?);
                }
            }
        }
    }

    pub(super) async fn release(mut self) {
        // All answers are in; a receiver that does not say goodbye changes nothing.
        if self.stream.write(&Pdu::ReleaseRQ).await.is_ok() {
            let _ = tokio::time::timeout(CONNECT, self.stream.read()).await;
        }
        self.stream.close().await;
    }
}

fn request(target: &Target, from: &AeTitle, contexts: &[Offered]) -> AssociationRQ {
    let proposed = |context: &Offered| PresentationContextProposed {
        id: context.id,
        abstract_syntax: context.kind.0.clone(),
        transfer_syntaxes: vec![context.kind.1.clone()],
    };
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: from.to_string(),
        called_ae_title: target.title.to_string(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: contexts.iter().map(proposed).collect(),
        user_variables: vec![
            UserVariableItem::MaxLength(LONGEST_DATA),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION.to_owned()),
        ],
    }
}

fn next(file: &mut File, size: usize) -> Result<Vec<u8>, LinkError> {
    let mut fragment = Vec::new();
    file.take(size as u64).read_to_end(&mut fragment).map_err(LinkError::Read)?;
    Ok(fragment)
}

fn unexpected(pdu: Option<&Pdu>) -> LinkError {
    LinkError::Protocol(match pdu {
        None => "it closed the connection".to_owned(),
        Some(Pdu::AbortRQ { .. }) => "it aborted".to_owned(),
        Some(other) => format!("it sent {}", kind(other)),
    })
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
