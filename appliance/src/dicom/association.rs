//! One association from its first PDU to its last: a table of what may come when; whatever else comes is an abort of this
//! association and of nothing else.

use std::sync::Arc;
use std::time::Duration;

use dicom_ul::Pdu;
use dicom_ul::pdu::{AbortRQServiceProviderReason as Provider, AbortRQSource, PDataValue, PDataValueType};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::acceptance::Context;
use super::commitment::{self, Desk, Matter, Owed, event_command};
use super::dimse::{self, DimseError, Kind, Message, Request, Response};
use super::pdu_stream::{PduError, PduStream};
use super::store::{Caller, Storing, report};
use super::syntax::IMPLICIT_LE;
use super::{Status, Timeouts};
use crate::intake::Intake;

/// Time for a peer to close after the last word.
const FAREWELL: Duration = Duration::from_secs(2);

/// What ends an association whose peer answers what was not asked.
const STRAY_RESPONSE: &str = "a response that nobody asked for";

/// An association that was accepted.
pub(super) struct Association<S> {
    pub(super) stream: PduStream<S>,
    pub(super) contexts: Vec<Context>,
    /// Longest PDU that the peer takes; 0 where it names no limit.
    pub(super) peer_limit: u32,
    pub(super) caller: Caller,
    pub(super) intake: Arc<Intake>,
    /// Where storage commitment is asked and reported.
    pub(super) desk: Desk,
    /// Reports of storage commitment that this peer is owed.
    pub(super) owed: Owed,
    pub(super) timeouts: Timeouts,
}

/// How an association ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Released by the peer, as it should be.
    Released,
    /// Aborted by the peer.
    Aborted,
    /// The peer closed the connection without a word.
    Closed,
    /// It did something outside the protocol.
    Violated,
    /// It was silent for too long.
    Silent,
    /// The service stops.
    Stopped,
}

impl End {
    /// For metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Aborted => "aborted_by_peer",
            Self::Closed => "closed_by_peer",
            Self::Violated => "protocol_violation",
            Self::Silent => "idle_timeout",
            Self::Stopped => "stopped",
        }
    }
}

/// Where a message stands.
enum Phase {
    /// A command set is awaited or partly there.
    Command { context: Option<u8>, gathered: Vec<u8> },
    /// A dataset is coming.
    Dataset { context: u8, request: Request, sink: Sink },
}

/// Where a dataset goes.
enum Sink {
    Store(Box<Storing>),
    /// A request for storage commitment, or a report of it.
    Commitment {
        matter: Matter,
        gathered: Vec<u8>,
    },
    /// It belongs to something that is refused; this is said after its last fragment.
    Nowhere(Status),
}

/// What ends an association from our side.
enum Break {
    Violation(&'static str, Provider),
    Pdu(PduError),
}

impl From<PduError> for Break {
    fn from(error: PduError) -> Self {
        Self::Pdu(error)
    }
}

impl From<DimseError> for Break {
    fn from(error: DimseError) -> Self {
        let words = match error {
            DimseError::Damaged => "a damaged command set",
            DimseError::Incomplete => "an incomplete command set",
            DimseError::Response => STRAY_RESPONSE,
        };
        Self::Violation(words, Provider::InvalidPduParameter)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Association<S> {
    /// Serves until the end. At a stop, a message that has begun is finished first.
    pub(super) async fn serve(mut self, stop: &CancellationToken) -> End {
        let mut phase = Phase::awaiting();
        loop {
            let between = matches!(&phase, Phase::Command { context: None, .. });
            let pdu = tokio::select! {
                biased;
                () = stop.cancelled(), if between => return self.abort(AbortRQSource::ServiceUser, End::Stopped).await,
                () = self.owed.due(), if between => {
                    if let Err(why) = self.report().await {
                        return self.broken(why).await;
                    }
                    continue;
                }
                read = tokio::time::timeout(self.timeouts.idle, self.stream.read()) => match read {
                    Err(_) => {
                        tracing::info!(idle_s = self.timeouts.idle.as_secs(), "association ended: the scanner was silent");
                        return self.abort(provider(Provider::ReasonNotSpecified), End::Silent).await;
                    }
                    Ok(Err(error)) => return self.broken(Break::Pdu(error)).await,
                    Ok(Ok(None)) => return End::Closed,
                    Ok(Ok(Some(pdu))) => pdu,
                },
            };
            phase = match pdu {
                Pdu::PData { data } => match self.values(phase, data).await {
                    Ok(phase) => phase,
                    Err(why) => return self.broken(why).await,
                },
                Pdu::ReleaseRQ => return self.release().await,
                Pdu::AbortRQ { .. } => return End::Aborted,
                _ => {
                    let why = Break::Violation("a PDU that has no place here", Provider::UnexpectedPdu);
                    return self.broken(why).await;
                }
            };
        }
    }

    async fn values(&mut self, mut phase: Phase, values: Vec<PDataValue>) -> Result<Phase, Break> {
        for value in values {
            phase = self.value(phase, value).await?;
        }
        Ok(phase)
    }

    /// The table: (where the message stands, what came) → where it stands then.
    async fn value(&mut self, phase: Phase, value: PDataValue) -> Result<Phase, Break> {
        use PDataValueType::{Command, Data};
        let id = value.presentation_context_id;
        match (phase, value.value_type) {
            (Phase::Command { context, mut gathered }, Command) if context.is_none_or(|begun| begun == id) => {
                if gathered.len() + value.data.len() > dimse::LONGEST {
                    return Err(Break::Violation("an endless command set", Provider::InvalidPduParameter));
                }
                gathered.extend(value.data);
                if value.is_last {
                    self.message(id, Message::parse(&gathered)?).await
                } else {
                    Ok(Phase::Command { context: Some(id), gathered })
                }
            }
            (Phase::Dataset { context, request, mut sink }, Data) if context == id => {
                sink = sink.take(&value.data).await;
                if value.is_last {
                    self.taken(context, &request, sink).await
                } else {
                    Ok(Phase::Dataset { context, request, sink })
                }
            }
            _ => Err(Break::Violation("a fragment out of turn", Provider::UnexpectedPduParameter)),
        }
    }

    /// A whole command set: the peer asks, or answers the one report that is out.
    async fn message(&mut self, id: u8, message: Message) -> Result<Phase, Break> {
        match message {
            Message::Request(request) => self.command(id, request).await,
            Message::Response(response) => self.answered(&response).await,
        }
    }

    /// A whole command: what is done about it.
    async fn command(&mut self, id: u8, request: Request) -> Result<Phase, Break> {
        let Some(context) = self.contexts.iter().find(|context| context.id == id) else {
            return Err(Break::Violation(
                "a presentation context that was not accepted",
                Provider::InvalidPduParameter,
            ));
        };
        let sink = match (request.kind, request.has_dataset) {
            (Kind::Cancel, _) => return Ok(Phase::awaiting()),
            (Kind::Echo, false) => return self.answer(id, &request, Status::SUCCESS).await,
            (Kind::Store, false) => {
                report(&self.intake, &self.caller, Status::NO_DATASET);
                return self.answer(id, &request, Status::NO_DATASET).await;
            }
            (_, false) => return self.answer(id, &request, Status::UNRECOGNIZED_OPERATION).await,
            (Kind::Store, true) => {
                let storing = Storing::begin(&self.intake, &self.caller, &request, context).await;
                Sink::Store(Box::new(storing))
            }
            (Kind::Action | Kind::EventReport, true) => match Matter::of(&request, context) {
                Ok(matter) => Sink::Commitment { matter, gathered: Vec::new() },
                Err(status) => Sink::Nowhere(status),
            },
            (Kind::Echo | Kind::Other(_), true) => Sink::Nowhere(Status::UNRECOGNIZED_OPERATION),
        };
        Ok(Phase::Dataset { context: id, request, sink })
    }

    /// A whole dataset: what is said of it.
    async fn taken(&mut self, id: u8, request: &Request, sink: Sink) -> Result<Phase, Break> {
        let status = match sink {
            Sink::Store(storing) => storing.finish(&self.intake, &self.caller).await,
            Sink::Nowhere(status) => status,
            Sink::Commitment { matter: Matter::Reported, gathered } => {
                self.desk.reported(&self.caller.title, &gathered, self.syntax(id)).await
            }
            Sink::Commitment { matter: Matter::Asked, gathered } => {
                match self.desk.asked(&self.caller, &gathered, self.syntax(id)).await {
                    Err(status) => status,
                    Ok(claim) => {
                        let phase = self.answer(id, request, Status::SUCCESS).await?;
                        self.owed.add(id, claim, Instant::now());
                        return Ok(phase);
                    }
                }
            }
        };
        self.answer(id, request, status).await
    }

    /// Sends the report that is due.
    async fn report(&mut self) -> Result<(), Break> {
        let Some((id, message, claim)) = self.owed.begin() else { return Ok(()) };
        // Where the journal does not answer, the claim goes with the association and the report is sent another time.
        let Some(report) = self.desk.judge(claim).await else { return Ok(()) };
        let syntax = self.syntax(id);
        let limit = self.peer_limit;
        self.stream.write_command(id, &event_command(message, &report), limit).await?;
        Ok(self.stream.write_dataset(id, &report.encode(syntax), limit).await?)
    }

    /// The peer has the report, or could not use it; then it is brought to it another way.
    async fn answered(&mut self, response: &Response) -> Result<Phase, Break> {
        let Some(claim) = self.owed.answered(response.responded_to) else {
            return Err(Break::Violation(STRAY_RESPONSE, Provider::InvalidPduParameter));
        };
        self.desk.delivered(claim, response.status).await;
        Ok(Phase::awaiting())
    }

    fn syntax(&self, id: u8) -> &'static str {
        self.contexts.iter().find(|context| context.id == id).map_or(IMPLICIT_LE, |context| context.transfer_syntax)
    }

    async fn answer(&mut self, id: u8, request: &Request, status: Status) -> Result<Phase, Break> {
        let set = request.response(status.code, status.comment);
        self.stream.write_command(id, &set, self.peer_limit).await?;
        Ok(Phase::awaiting())
    }

    async fn release(mut self) -> End {
        if self.stream.write(&Pdu::ReleaseRP).await.is_ok() {
            self.farewell().await;
        }
        End::Released
    }

    async fn broken(self, why: Break) -> End {
        match why {
            Break::Violation(what, reason) => {
                tracing::warn!(what, "association aborted: the peer sent what has no place here");
                self.note(what);
                self.abort(provider(reason), End::Violated).await
            }
            Break::Pdu(PduError::Socket(_)) => End::Closed,
            Break::Pdu(error) => {
                tracing::warn!(error = %error, "association aborted");
                self.note(&error.to_string());
                self.abort(provider(Provider::InvalidPduParameter), End::Violated).await
            }
        }
    }

    fn note(&self, what: &str) {
        let (title, address) = (&self.caller.title, self.caller.address.to_canonical());
        let words =
            format!("{title} at {address} did not keep to the DICOM protocol: {what}. What it had stored is kept.");
        self.intake.refusals.note((self.intake.world.now_ms)(), words);
    }

    async fn abort(mut self, source: AbortRQSource, end: End) -> End {
        if self.stream.write(&Pdu::AbortRQ { source }).await.is_ok() {
            self.farewell().await;
        }
        end
    }

    /// The peer closes (PS3.8 9.2.3); where it does not, we do.
    async fn farewell(&mut self) {
        let _ = tokio::time::timeout(FAREWELL, self.stream.drain()).await;
        self.stream.close().await;
    }
}

impl Sink {
    async fn take(mut self, fragment: &[u8]) -> Self {
        match &mut self {
            Self::Store(storing) => storing.take(fragment).await,
            Self::Commitment { gathered, .. } if gathered.len() + fragment.len() > commitment::LONGEST => {
                return Self::Nowhere(Status::TOO_MANY_REFERENCES);
            }
            Self::Commitment { gathered, .. } => gathered.extend_from_slice(fragment),
            Self::Nowhere(_) => {}
        }
        self
    }
}

impl Phase {
    fn awaiting() -> Self {
        Self::Command { context: None, gathered: Vec::new() }
    }
}

fn provider(reason: Provider) -> AbortRQSource {
    AbortRQSource::ServiceProvider(reason)
}
