//! The port: accepts connections, negotiates associations, keeps their number bounded. One task per connection; whatever a
//! peer does costs its own task and no other.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dicom_ul::Pdu;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason as Provider, AbortRQSource, AssociationAC, AssociationRQ, UserVariableItem,
};
use metrics::{counter, gauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::acceptance::{APPLICATION_CONTEXT, Context, Rejection, Rules, negotiate};
use super::association::Association;
use super::pdu_stream::{PduError, PduStream};
use super::store::Caller;
use super::{AeTitle, Timeouts, syntax};
use crate::intake::Intake;
use crate::spool::part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION};

/// Maximum length announced for P-DATA-TF PDUs, bytes (PS3.8 D.1): what dcmtk and most modalities use at most.
const LONGEST_DATA: u32 = 128 * 1024;

/// Connections that may be negotiating, apart from accepted associations: the newest ones. Each costs a task and some
/// kilobytes. A crowd that says nothing so makes room for who comes next, and a scanner's negotiation, which takes
/// milliseconds, is over long before this many others have come.
const NEGOTIATING: usize = 64;

/// Pause after the system refused to hand over a connection, so that running out of descriptors is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A DICOM storage service class provider.
pub struct Listener {
    /// Who may call.
    pub rules: Rules,
    /// Where objects go.
    pub intake: Arc<Intake>,
    /// Associations at the same time.
    pub max_associations: usize,
    /// See [`Timeouts`].
    pub timeouts: Timeouts,
}

/// What is shared by all connections.
struct Door {
    listener: Listener,
    associations: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Listener {
    /// Serves until `stop`, then until every association has finished what it had begun.
    pub async fn serve(self, socket: TcpListener, stop: CancellationToken) {
        let mut seats = VecDeque::<CancellationToken>::new();
        let associations = Arc::new(Semaphore::new(self.max_associations));
        let door = Arc::new(Door { listener: self, associations, stop: stop.clone() });
        let tasks = TaskTracker::new();
        while let Some(accepted) = stop.run_until_cancelled(socket.accept()).await {
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let seat = CancellationToken::new();
            seats.push_back(seat.clone());
            if seats.len() > NEGOTIATING
                && let Some(oldest) = seats.pop_front()
            {
                oldest.cancel();
            }
            tasks.spawn(Arc::clone(&door).connection(stream, from, seat));
        }
        tasks.close();
        tasks.wait().await;
    }
}

impl Door {
    async fn connection(self: Arc<Self>, socket: TcpStream, from: SocketAddr, seat: CancellationToken) {
        // Answers are small and each is awaited by the scanner.
        let _ = socket.set_nodelay(true);
        let traceparent = self.listener.intake.world.trace();
        let span = tracing::info_span!("association", trace = %traceparent, peer = %from.ip());
        self.negotiate(socket, from.ip(), traceparent, &seat).instrument(span).await;
    }

    async fn negotiate(&self, socket: TcpStream, from: IpAddr, traceparent: String, seat: &CancellationToken) {
        let mut stream = PduStream::new(socket, LONGEST_DATA, self.listener.timeouts.idle);
        let first = tokio::time::timeout(self.listener.timeouts.artim, stream.read());
        let first = tokio::select! {
            () = self.stop.cancelled() => return,
            () = seat.cancelled() => return count("displaced"),
            first = first => first,
        };
        let request = match first {
            Ok(Ok(Some(Pdu::AssociationRQ(request)))) => request,
            Ok(Ok(Some(_))) => return self.turn_away(stream, "not_a_request", seat).await,
            Ok(Ok(None)) => return count("closed_early"),
            Ok(Err(error)) => return self.not_dicom(stream, &error, from, seat).await,
            Err(_) => return count("artim_timeout"),
        };
        match self.admit(&request, from) {
            Err(rejection) => self.reject(stream, &rejection, from, seat).await,
            Ok((title, place)) => {
                let caller = Caller { title, address: from, traceparent };
                self.accept(stream, &request, caller, place).await;
            }
        }
    }

    fn admit(&self, request: &AssociationRQ, from: IpAddr) -> Result<(AeTitle, OwnedSemaphorePermit), Rejection> {
        let title = self.listener.rules.judge(request, from)?;
        match Arc::clone(&self.associations).try_acquire_owned() {
            Ok(place) => Ok((title, place)),
            Err(_) => Err(Rejection::Full(title, self.listener.max_associations)),
        }
    }

    async fn accept(
        &self,
        mut stream: PduStream<TcpStream>,
        request: &AssociationRQ,
        caller: Caller,
        _place: OwnedSemaphorePermit,
    ) {
        let (results, contexts) = negotiate(&request.presentation_contexts);
        self.note_unusable(request, &contexts, &caller);
        let answer = AssociationAC {
            protocol_version: 1,
            calling_ae_title: request.calling_ae_title.clone(),
            called_ae_title: request.called_ae_title.clone(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: results,
            user_variables: vec![
                UserVariableItem::MaxLength(LONGEST_DATA),
                UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
                UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION.to_owned()),
            ],
        };
        if stream.write(&Pdu::AssociationAC(answer)).await.is_err() {
            return count("closed_early");
        }
        tracing::info!(source = %caller.title, contexts = contexts.len(), "association accepted");
        gauge!("dicom_associations_open").increment(1);
        let (intake, timeouts) = (Arc::clone(&self.listener.intake), self.listener.timeouts);
        let association = Association { stream, contexts, peer_limit: peer_limit(request), caller, intake, timeouts };
        let end = association.serve(&self.stop).await;
        gauge!("dicom_associations_open").decrement(1);
        tracing::info!(end = end.label(), "association ended");
        count(end.label());
    }

    /// A scanner that offers only what is not taken would fail silently at its own screen: say so here.
    fn note_unusable(&self, request: &AssociationRQ, contexts: &[Context], caller: &Caller) {
        let offered = &request.presentation_contexts;
        if offered.is_empty() || !contexts.is_empty() {
            return;
        }
        let taken: Vec<&str> = syntax::STORAGE.iter().map(|class| class.name).collect();
        let words = format!(
            "{} offered no kind of image in an encoding that this appliance takes; it takes {}.",
            caller.title,
            taken.join("; ")
        );
        self.listener.intake.refusals.note((self.listener.intake.world.now_ms)(), words);
    }

    async fn reject(
        &self,
        mut stream: PduStream<TcpStream>,
        rejection: &Rejection,
        from: IpAddr,
        seat: &CancellationToken,
    ) {
        let intake = &self.listener.intake;
        let words = rejection.words(&self.listener.rules.ae_title, from);
        tracing::warn!(reason = rejection.label(), words, "association rejected");
        intake.refusals.note((intake.world.now_ms)(), words);
        count(rejection.label());
        if stream.write(&Pdu::AssociationRJ(rejection.answer())).await.is_ok() {
            self.wait_for_close(stream, seat).await;
        }
    }

    async fn not_dicom(&self, stream: PduStream<TcpStream>, error: &PduError, from: IpAddr, seat: &CancellationToken) {
        if matches!(error, PduError::Socket(_)) {
            return count("closed_early");
        }
        let intake = &self.listener.intake;
        tracing::warn!(error = %error, "connection turned away");
        intake.refusals.note(
            (intake.world.now_ms)(),
            format!("A connection from {} was turned away: {error}.", from.to_canonical()),
        );
        self.turn_away(stream, "not_dicom", seat).await;
    }

    async fn turn_away(&self, mut stream: PduStream<TcpStream>, outcome: &'static str, seat: &CancellationToken) {
        count(outcome);
        // PS3.8 table 9-10, AA-1: an unexpected or unrecognised PDU before an association is an abort.
        let source = AbortRQSource::ServiceProvider(Provider::UnrecognizedPdu);
        if stream.write(&Pdu::AbortRQ { source }).await.is_ok() {
            self.wait_for_close(stream, seat).await;
        }
    }

    /// The peer closes first (PS3.8 9.2.3, state 13), within the ARTIM timeout and a second, or until its seat
    /// at the door is needed.
    async fn wait_for_close(&self, mut stream: PduStream<TcpStream>, seat: &CancellationToken) {
        let patience = self.listener.timeouts.artim.min(Duration::from_secs(1));
        let _ = seat.run_until_cancelled(tokio::time::timeout(patience, stream.drain())).await;
        stream.close().await;
    }
}

fn peer_limit(request: &AssociationRQ) -> u32 {
    let stated = request.user_variables.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(limit) => Some(*limit),
        _ => None,
    });
    stated.unwrap_or(0)
}

fn count(outcome: &'static str) {
    counter!("dicom_associations_total", "outcome" => outcome).increment(1);
}
