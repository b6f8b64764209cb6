//! One association from the requesting side: negotiated, asked over, released. One message at a time.

mod refusal;

use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use dicom_ul::Pdu;
use dicom_ul::pdu::{
    AssociationRQ, PDataValue, PDataValueType, PresentationContextProposed,
    PresentationContextResultReason as ContextReason, RequestorRoles, UserVariableItem,
};

use super::{CONNECT, Target, connect};
use crate::dicom::acceptance::APPLICATION_CONTEXT;
use crate::dicom::commitment::{self, Ask, PUSH_MODEL, PUSH_MODEL_INSTANCE, Report};
use crate::dicom::dimse::{self, Kind, Message, Request, Response};
use crate::dicom::pdu_stream::{PduStream, fragment_size};
use crate::dicom::tls::Connector;
use crate::dicom::transport::Connection;
use crate::dicom::{AeTitle, Uid, syntax};
use crate::spool::part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, Sendable};
pub use refusal::LinkError;

/// Presentation contexts of one association at most: ids are the odd numbers of one byte (PS3.8 9.3.2.2).
const MAX_CONTEXTS: usize = 128;

/// Maximum length announced, bytes: only responses and reports come back.
const LONGEST_DATA: u32 = 16 * 1024;

/// Time for a receiver to answer after the last fragment.
const ANSWER: Duration = Duration::from_secs(120);

/// Reports that are kept while something else is waited for: a PACS has one for each request.
const MOST_HEARD: usize = 8;

/// What an association is opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// SOP Class UID.
    pub class: String,
    /// Transfer syntaxes, the wanted one first.
    pub transfer_syntaxes: Vec<String>,
    /// The role proposed: true to act as its provider although we open the association (PS3.7 D.3.3.4).
    pub as_provider: bool,
}

/// An open association.
pub struct Link {
    stream: PduStream<Connection>,
    contexts: Vec<Offered>,
    peer_limit: u32,
    last_message: u16,
    /// Fragments of the last PDU that nobody has looked at.
    values: VecDeque<PDataValue>,
    heard: VecDeque<Heard>,
}

/// What was offered, and what became of it.
struct Offered {
    id: u8,
    proposal: Proposal,
    outcome: Result<String, ContextReason>,
}

/// A report of storage commitment that the peer sent on an association of ours; it waits for its answer.
#[derive(Debug)]
pub struct Heard {
    /// What it says.
    pub report: Report,
    request: Request,
    context: u8,
}

impl Proposal {
    /// To store objects of this class in this transfer syntax.
    #[must_use]
    pub fn store(class: &str, transfer_syntax: &str) -> Self {
        Self { class: class.to_owned(), transfer_syntaxes: vec![transfer_syntax.to_owned()], as_provider: false }
    }

    /// To ask for storage commitment, or as its provider to report.
    #[must_use]
    pub fn commitment(as_provider: bool) -> Self {
        let transfer_syntaxes = [syntax::EXPLICIT_LE, syntax::IMPLICIT_LE].map(str::to_owned).to_vec();
        Self { class: PUSH_MODEL.to_owned(), transfer_syntaxes, as_provider }
    }
}

impl Link {
    /// Connects, within TLS where `tls` is given, and negotiates.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn open(
        target: &Target,
        from: &AeTitle,
        proposals: &[Proposal],
        tls: Option<&Connector>,
    ) -> Result<Self, LinkError> {
        let mut stream = PduStream::new(connect(&target.host, tls).await?, LONGEST_DATA, ANSWER);
        let ids = (1..=u8::MAX).step_by(2);
        let offered = |(id, proposal): (u8, &Proposal)| Offered {
            id,
            proposal: proposal.clone(),
            outcome: Err(ContextReason::NoReason),
        };
        let mut contexts: Vec<Offered> = ids.zip(proposals).map(offered).collect();
        stream.write(&Pdu::AssociationRQ(request(target, from, &contexts))).await?;
        let answer = tokio::time::timeout(CONNECT, stream.read()).await.map_err(|_| LinkError::Silent(CONNECT))?;
        let accepted = match answer? {
            Some(Pdu::AssociationAC(accepted)) => accepted,
            Some(Pdu::AssociationRJ(rejected)) => return Err(LinkError::Rejected(rejected.source.to_string())),
            other => return Err(LinkError::unexpected(other.as_ref())),
        };
        for context in &mut contexts {
            if let Some(result) = accepted.presentation_contexts.iter().find(|result| result.id == context.id) {
                context.outcome = match &result.reason {
                    ContextReason::Acceptance => Ok(result.transfer_syntax.trim_matches(['\0', ' ']).to_owned()),
                    reason => Err(reason.clone()),
                };
            }
        }
        let limit = accepted.user_variables.iter().find_map(|item| match item {
            UserVariableItem::MaxLength(limit) => Some(*limit),
            _ => None,
        });
        let peer_limit = limit.unwrap_or(0);
        Ok(Self { stream, contexts, peer_limit, last_message: 0, values: VecDeque::new(), heard: VecDeque::new() })
    }

    /// C-STORE of the dataset in `object`, which begins at `what.offset`.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn store(&mut self, object: &mut (impl Read + Seek), what: &Sendable) -> Result<Response, LinkError> {
        let offered = |context: &&Offered| {
            context.proposal.class == what.sop_class
                && context.proposal.transfer_syntaxes.contains(&what.transfer_syntax)
        };
        let context = self.contexts.iter().find(offered).ok_or(LinkError::TooManyKinds)?;
        let (id, _) = context.usable()?;
        let uid = |text: &str| text.parse::<Uid>().map_err(|_| LinkError::NoUid);
        let (class, instance) = (uid(&what.sop_class)?, uid(&what.sop_instance)?);
        let message = self.next_message();
        let command = dimse::store_request(message, &class, &instance);
        self.stream.write_command(id, &command, self.peer_limit).await?;
        self.data(id, object, what.offset).await?;
        self.answer(message).await
    }

    /// N-ACTION, Request Storage Commitment.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn ask(&mut self, ask: &Ask) -> Result<Response, LinkError> {
        let (id, transfer_syntax) = self.commitment()?;
        let message = self.next_message();
        let (class, instance) = (Uid::well_known(PUSH_MODEL), Uid::well_known(PUSH_MODEL_INSTANCE));
        let command = dimse::action_request(message, &class, &instance, 1);
        self.stream.write_command(id, &command, self.peer_limit).await?;
        self.stream.write_dataset(id, &ask.encode(&transfer_syntax), self.peer_limit).await?;
        self.answer(message).await
    }

    /// N-EVENT-REPORT of storage commitment, in the provider's role.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn report(&mut self, report: &Report) -> Result<Response, LinkError> {
        let (id, transfer_syntax) = self.commitment()?;
        let message = self.next_message();
        let command = commitment::event_command(message, report);
        self.stream.write_command(id, &command, self.peer_limit).await?;
        self.stream.write_dataset(id, &report.encode(&transfer_syntax), self.peer_limit).await?;
        self.answer(message).await
    }

    /// A report that the peer sends on this association, waited for as long as `patience`.
    ///
    /// # Errors
    /// [`LinkError`] where it ends the association instead.
    pub async fn hear(&mut self, patience: Duration) -> Result<Option<Heard>, LinkError> {
        if let Some(heard) = self.heard.pop_front() {
            return Ok(Some(heard));
        }
        match tokio::time::timeout(patience, self.fill()).await {
            Err(_) => return Ok(None),
            Ok(filled) => filled?,
        }
        match within(self.message()).await? {
            None => Ok(self.heard.pop_front()),
            Some(_) => Err(LinkError::stray()),
        }
    }

    /// Answers a report: 0x0000 once it is recorded, else what went wrong.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn acknowledge(&mut self, heard: &Heard, status: u16) -> Result<(), LinkError> {
        let set = heard.request.response(status, "");
        Ok(self.stream.write_command(heard.context, &set, self.peer_limit).await?)
    }

    /// Says goodbye.
    pub async fn release(mut self) {
        // All answers are in; a receiver that does not say goodbye changes nothing.
        if self.stream.write(&Pdu::ReleaseRQ).await.is_ok() {
            let _ = tokio::time::timeout(CONNECT, self.stream.read()).await;
        }
        self.stream.close().await;
    }

    fn next_message(&mut self) -> u16 {
        self.last_message = self.last_message.wrapping_add(1);
        self.last_message
    }

    fn commitment(&self) -> Result<(u8, String), LinkError> {
        let context = self.contexts.iter().find(|context| context.proposal.class == PUSH_MODEL);
        context.ok_or(LinkError::TooManyKinds)?.usable()
    }

    /// The dataset, read a fragment ahead so that the last one is marked as such.
    async fn data(&mut self, id: u8, object: &mut (impl Read + Seek), offset: u64) -> Result<(), LinkError> {
        object.seek(SeekFrom::Start(offset)).map_err(LinkError::Read)?;
        let size = fragment_size(self.peer_limit);
        let mut fragment = next(object, size)?;
        loop {
            let following = next(object, size)?;
            let last = following.is_empty();
            self.stream.write_fragment(id, PDataValueType::Data, last, fragment).await?;
            if last {
                return Ok(());
            }
            fragment = following;
        }
    }

    /// The answer to `message`; reports that come before it are kept for [`Self::hear`].
    async fn answer(&mut self, message: u16) -> Result<Response, LinkError> {
        let answered = async {
            loop {
                if let Some(response) = self.message().await? {
                    return Ok(response);
                }
            }
        };
        let response = within(answered).await?;
        if response.responded_to != message {
            return Err(LinkError::Protocol("an answer to another message".to_owned()));
        }
        Ok(response)
    }

    /// The next whole message: a response, or a report, which is kept.
    async fn message(&mut self) -> Result<Option<Response>, LinkError> {
        let (context, set) = self.gather(PDataValueType::Command, dimse::LONGEST).await?;
        match Message::parse(&set)? {
            Message::Response(response) => Ok(Some(response)),
            Message::Request(request) if request.kind == Kind::EventReport && request.has_dataset => {
                let (_, dataset) = self.gather(PDataValueType::Data, commitment::LONGEST).await?;
                let transfer_syntax = self.contexts.iter().find(|offered| offered.id == context);
                let transfer_syntax = transfer_syntax.ok_or_else(LinkError::stray)?.usable()?.1;
                let report = Report::parse(&dataset, &transfer_syntax).map_err(|_| LinkError::stray())?;
                if self.heard.len() >= MOST_HEARD {
                    return Err(LinkError::Protocol("more reports than were asked for".to_owned()));
                }
                self.heard.push_back(Heard { report, request, context });
                Ok(None)
            }
            Message::Request(_) => Err(LinkError::stray()),
        }
    }

    /// Waits for a fragment where none is left of the last PDU. It may be given up while it waits.
    async fn fill(&mut self) -> Result<(), LinkError> {
        while self.values.is_empty() {
            match self.stream.read().await? {
                Some(Pdu::PData { data }) => self.values.extend(data),
                other => return Err(LinkError::unexpected(other.as_ref())),
            }
        }
        Ok(())
    }

    /// All fragments of one kind up to the last.
    async fn gather(&mut self, kind: PDataValueType, longest: usize) -> Result<(u8, Vec<u8>), LinkError> {
        let mut gathered = Vec::new();
        loop {
            self.fill().await?;
            let Some(value) = self.values.pop_front() else { continue };
            let PDataValue { presentation_context_id, value_type, is_last, data } = value;
            if value_type != kind {
                return Err(LinkError::stray());
            }
            gathered.extend(data);
            if gathered.len() > longest {
                return Err(LinkError::Protocol("an endless message".to_owned()));
            }
            if is_last {
                return Ok((presentation_context_id, gathered));
            }
        }
    }
}

impl Offered {
    /// Its id and transfer syntax where the peer took it.
    fn usable(&self) -> Result<(u8, String), LinkError> {
        match &self.outcome {
            Ok(transfer_syntax) => Ok((self.id, transfer_syntax.clone())),
            Err(reason) => {
                let class = syntax::name(&self.proposal.class).unwrap_or(&self.proposal.class);
                Err(LinkError::NotTaken(class.to_owned(), reason.clone()))
            }
        }
    }
}

fn request(target: &Target, from: &AeTitle, contexts: &[Offered]) -> AssociationRQ {
    let proposed = |context: &Offered| PresentationContextProposed {
        id: context.id,
        abstract_syntax: context.proposal.class.clone(),
        transfer_syntaxes: context.proposal.transfer_syntaxes.clone(),
    };
    let mut user_variables = vec![
        UserVariableItem::MaxLength(LONGEST_DATA),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION.to_owned()),
    ];
    let reversed = contexts.iter().filter(|context| context.proposal.as_provider);
    user_variables.extend(reversed.map(|context| {
        let roles = RequestorRoles { scu: false, scp: true };
        UserVariableItem::ScuScpRoleSelectionSubItem(context.proposal.class.clone(), roles)
    }));
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: from.to_string(),
        called_ae_title: target.title.to_string(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: contexts.iter().map(proposed).collect(),
        user_variables,
    }
}

/// A whole answer within [`ANSWER`].
async fn within<T>(answered: impl Future<Output = Result<T, LinkError>>) -> Result<T, LinkError> {
    tokio::time::timeout(ANSWER, answered).await.map_err(|_| LinkError::Silent(ANSWER))?
}

fn next(object: &mut impl Read, size: usize) -> Result<Vec<u8>, LinkError> {
    let mut fragment = Vec::new();
    object.take(size as u64).read_to_end(&mut fragment).map_err(LinkError::Read)?;
    Ok(fragment)
}
