//! From a connection to an association, or to a refusal that says why: TLS where it is asked for, the first PDU within the
//! ARTIM timer, the rules, and the answer. It decides nothing itself.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dicom_ul::Pdu;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason as Provider, AbortRQSource, AssociationAC, AssociationRQ, UserVariableItem,
};
use metrics::{counter, gauge};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::acceptance::{APPLICATION_CONTEXT, Context, Peer, Rejection, further_items, negotiate};
use super::association::Association;
use super::commitment::Owed;
use super::listener::Listener;
use super::pdu_stream::{PduError, PduStream};
use super::store::Caller;
use super::tls::{Acceptor, Identity};
use super::transport::Connection;
use super::{AeTitle, syntax};
use crate::spans::Bringer;
use crate::spool::part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION};

/// Maximum length announced for P-DATA-TF PDUs, bytes (PS3.8 D.1): what dcmtk and most modalities use at most.
pub const LONGEST_DATA: u32 = 128 * 1024;

/// What is shared by all connections.
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) associations: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
}

/// Why a connection has no first PDU.
enum Unheard {
    Stopping,
    Displaced,
    Silent,
    Handshake(io::Error),
}

impl Door {
    pub(super) async fn connection(
        self: Arc<Self>,
        socket: TcpStream,
        from: SocketAddr,
        tls: Option<Acceptor>,
        seat: CancellationToken,
    ) {
        // Answers are small and each is awaited by the scanner.
        let _ = socket.set_nodelay(true);
        let traceparent = self.listener.intake.world.trace();
        let span = tracing::info_span!("association", trace = %traceparent, peer = %from.ip());
        self.negotiate(socket, from.ip(), tls, traceparent, &seat).instrument(span).await;
    }

    async fn negotiate(
        &self,
        socket: TcpStream,
        address: IpAddr,
        tls: Option<Acceptor>,
        traceparent: String,
        seat: &CancellationToken,
    ) {
        let (mut stream, identity) = match self.within_artim(secure(socket, tls), seat).await {
            Ok(Ok((connection, identity))) => {
                (PduStream::new(connection, LONGEST_DATA, self.listener.timeouts.idle), identity)
            }
            Ok(Err(error)) => return self.unheard(&Unheard::Handshake(error), address),
            Err(why) => return self.unheard(&why, address),
        };
        let request = match self.within_artim(stream.read(), seat).await {
            Ok(Ok(Some(Pdu::AssociationRQ(request)))) => request,
            Ok(Ok(Some(_))) => return self.turn_away(stream, "not_a_request", seat).await,
            Ok(Ok(None)) => return count("closed_early"),
            Ok(Err(error)) => return self.not_dicom(stream, &error, address, seat).await,
            Err(why) => return self.unheard(&why, address),
        };
        let peer = Peer { address, identity };
        match self.admit(&request, &peer) {
            Err(rejection) => self.reject(stream, &rejection, address, seat).await,
            Ok((title, place)) => {
                let called = self.listener.rules.borrow().ae_title.clone();
                let caller = Caller { title, called, address, traceparent };
                self.accept(stream, &request, caller, place).await;
            }
        }
    }

    /// The ARTIM timer runs from the connection to the whole first PDU; a handshake within TLS has it once more.
    async fn within_artim<T>(&self, work: impl Future<Output = T>, seat: &CancellationToken) -> Result<T, Unheard> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Unheard::Stopping),
            () = seat.cancelled() => Err(Unheard::Displaced),
            done = tokio::time::timeout(self.listener.timeouts.artim, work) => done.map_err(|_| Unheard::Silent),
        }
    }

    fn admit(&self, request: &AssociationRQ, from: &Peer) -> Result<(AeTitle, OwnedSemaphorePermit), Rejection> {
        let title = self.listener.rules.borrow().judge(request, from)?;
        match Arc::clone(&self.associations).try_acquire_owned() {
            Ok(place) => Ok((title, place)),
            Err(_) => Err(Rejection::Full(title, self.listener.max_associations)),
        }
    }

    async fn accept(
        &self,
        mut stream: PduStream<Connection>,
        request: &AssociationRQ,
        caller: Caller,
        _place: OwnedSemaphorePermit,
    ) {
        let (results, contexts) = negotiate(&request.presentation_contexts);
        self.note_unusable(request, &contexts, &caller);
        let mut user_variables = vec![
            UserVariableItem::MaxLength(LONGEST_DATA),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION.to_owned()),
        ];
        user_variables.extend(further_items(request, &contexts));
        let answer = AssociationAC {
            protocol_version: 1,
            calling_ae_title: request.calling_ae_title.clone(),
            called_ae_title: request.called_ae_title.clone(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: results,
            user_variables,
        };
        if stream.write(&Pdu::AssociationAC(answer)).await.is_err() {
            return count("closed_early");
        }
        tracing::info!(source = %caller.title, contexts = contexts.len(), "association accepted");
        gauge!("dicom_associations_open").increment(1);
        let (traceparent, began_ms) = (caller.traceparent.clone(), (self.listener.intake.world.now_ms)());
        let association = Association {
            stream,
            contexts,
            peer_limit: peer_limit(request),
            caller,
            intake: Arc::clone(&self.listener.intake),
            desk: self.listener.desk.clone(),
            owed: Owed::default(),
            timeouts: self.listener.timeouts,
        };
        let end = association.serve(&self.stop).await;
        self.listener.intake.spans.brought(Bringer::Association, &traceparent, began_ms);
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
        self.note(words);
    }

    fn note(&self, words: String) {
        self.listener.intake.refusals.note((self.listener.intake.world.now_ms)(), words);
    }

    /// Nothing of DICOM was heard: counted, and where it helps a technician, told.
    fn unheard(&self, why: &Unheard, from: IpAddr) {
        let from = from.to_canonical();
        match why {
            Unheard::Stopping => {}
            Unheard::Displaced => count("displaced"),
            Unheard::Silent => {
                count("artim_timeout");
                let seconds = self.listener.timeouts.artim.as_secs();
                self.note(format!(
                    "A connection from {from} asked for nothing within {seconds} s; if a scanner is there, look whether \
                     its port and its TLS setting are right."
                ));
            }
            Unheard::Handshake(error) => {
                tracing::warn!(error = %error, "TLS handshake failed");
                count("tls_handshake");
                self.note(format!(
                    "A TLS connection from {from} failed: {error}. Its certificate must be signed by the authority of \
                     [dicom.tls] client_ca, and it must speak TLS 1.2 or 1.3."
                ));
            }
        }
    }

    async fn reject(
        &self,
        mut stream: PduStream<Connection>,
        rejection: &Rejection,
        from: IpAddr,
        seat: &CancellationToken,
    ) {
        let words = rejection.words(&self.listener.rules.borrow().ae_title, from);
        tracing::warn!(reason = rejection.label(), words, "association rejected");
        self.note(words);
        count(rejection.label());
        if stream.write(&Pdu::AssociationRJ(rejection.answer())).await.is_ok() {
            self.wait_for_close(stream, seat).await;
        }
    }

    async fn not_dicom(&self, stream: PduStream<Connection>, error: &PduError, from: IpAddr, seat: &CancellationToken) {
        if matches!(error, PduError::Socket(_)) {
            return count("closed_early");
        }
        tracing::warn!(error = %error, "connection turned away");
        self.note(format!("A connection from {} was turned away: {error}.", from.to_canonical()));
        self.turn_away(stream, "not_dicom", seat).await;
    }

    async fn turn_away(&self, mut stream: PduStream<Connection>, outcome: &'static str, seat: &CancellationToken) {
        count(outcome);
        // PS3.8 table 9-10, AA-1: an unexpected or unrecognised PDU before an association is an abort.
        let source = AbortRQSource::ServiceProvider(Provider::UnrecognizedPdu);
        if stream.write(&Pdu::AbortRQ { source }).await.is_ok() {
            self.wait_for_close(stream, seat).await;
        }
    }

    /// The peer closes first (PS3.8 9.2.3, state 13), within the ARTIM timeout and a second, or until its seat
    /// at the door is needed.
    async fn wait_for_close(&self, mut stream: PduStream<Connection>, seat: &CancellationToken) {
        let patience = self.listener.timeouts.artim.min(Duration::from_secs(1));
        let _ = seat.run_until_cancelled(tokio::time::timeout(patience, stream.drain())).await;
        stream.close().await;
    }
}

/// The connection as it is, or after the handshake, with who the peer is by its certificate.
async fn secure(socket: TcpStream, tls: Option<Acceptor>) -> io::Result<(Connection, Option<Identity>)> {
    match tls {
        None => Ok((Box::new(socket), None)),
        Some(tls) => tls.accept(socket).await.map(|(connection, identity)| (connection, Some(identity))),
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
