//! One request from its head to its answer: the address, who sends, the limits, and its body into objects. It keeps nothing
//! between two requests.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName, RETRY_AFTER};
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use metrics::counter;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::Limits;
use super::answer::{Answer, Failure};
use super::clients::Clients;
use super::media_type::MediaType;
use super::multipart::{Event, Malformed, Multipart};
use super::object::{Batch, Receiving};
use crate::dicom::tls::Identity;
use crate::dicom::{AeTitle, Uid};
use crate::intake::{Intake, Origin};
use crate::spans::Bringer;

/// How long the rest of a refused body is read and thrown away: a sender that is cut off while it writes does not read why.
const PARTING: Duration = Duration::from_secs(2);
/// When a full disk may have been seen to, seconds.
const RETRY_DISK_S: &str = "120";
/// When a place may be free, seconds.
const RETRY_BUSY_S: &str = "5";

/// What all requests share.
pub(super) struct Desk {
    clients: watch::Sender<Arc<Clients>>,
    limits: Limits,
    intake: Arc<Intake>,
    places: Semaphore,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) identity: Option<Identity>,
}

/// Why a request is refused as a whole.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there is nothing here but /studies and /studies/{{study}}")]
    NotFound,
    #[error("objects are stored with POST; nothing else is served")]
    Method,
    #[error("no [[stow.client]] has the token or the certificate that it shows")]
    Unknown,
    #[error("the study in the address is not a UID")]
    Study,
    #[error(
        "its Content-Type must be multipart/related; type=\"application/dicom\"; boundary=…, without a Content-Encoding"
    )]
    MediaType,
    #[error("its body is larger than {0} MiB; send fewer objects at a time or raise [stow] max_body_mib")]
    TooLarge(u64),
    #[error("it holds more than {0} objects; send fewer at a time")]
    TooMany(usize),
    #[error("as many requests as [stow] max_requests allows are being answered; it may come again in some seconds")]
    Busy,
    #[error("nothing came for {0} s within its body")]
    Silent(u64),
    #[error("its body broke off")]
    BrokenOff,
    #[error("its body cannot be understood: {0}")]
    Malformed(#[from] Malformed),
    #[error("its body holds no object")]
    Empty,
}

impl Desk {
    pub(super) fn new(clients: watch::Sender<Arc<Clients>>, limits: Limits, intake: Arc<Intake>) -> Self {
        Self { clients, limits, intake, places: Semaphore::new(limits.requests) }
    }

    /// Notes what a technician should see.
    pub(super) fn note(&self, words: String) {
        self.intake.refusals.note((self.intake.world.now_ms)(), words);
    }

    /// Answers one request, and counts it.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: &Peer) -> Response<Full<Bytes>> {
        let response = self.answered(request, peer).await;
        let status = response.status();
        counter!("stow_requests_total", "status" => status.as_str().to_owned()).increment(1);
        tracing::info!(peer = %peer.address, status = status.as_u16(), "store request answered");
        response
    }

    async fn answered(&self, request: Request<Incoming>, peer: &Peer) -> Response<Full<Bytes>> {
        let (head, mut body) = request.into_parts();
        let response = match self.admit(&head.method, head.uri.path(), &head.headers, &body, peer) {
            Ok((batch, multipart, _place)) => self.store(&batch, multipart, &mut body, peer).await,
            // Having asked first, it does not send what is refused.
            Err(refused) if head.headers.contains_key(EXPECT) => return self.refuse(&refused, peer),
            Err(refused) => self.refuse(&refused, peer),
        };
        if !body.is_end_stream() {
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            let _ = tokio::time::timeout(PARTING, rest).await;
        }
        response
    }

    /// Everything that can be decided before the first byte of the body; who sends comes first.
    fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &Incoming,
        peer: &Peer,
    ) -> Result<(Batch, Multipart, SemaphorePermit<'_>), Refused> {
        let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let clients = Arc::clone(&self.clients.borrow());
        let source = clients.known(peer.identity.as_ref(), shown).ok_or(Refused::Unknown)?;
        let study = study(path)?;
        if method != Method::POST {
            return Err(Refused::Method);
        }
        let multipart = multipart(headers).ok_or(Refused::MediaType)?;
        if body.size_hint().lower() > self.limits.body {
            return Err(Refused::TooLarge(self.limits.body >> 20));
        }
        let place = self.places.try_acquire().map_err(|_| Refused::Busy)?;
        let origin = Origin { source: source.clone(), traceparent: self.intake.world.trace() };
        Ok((Batch { intake: Arc::clone(&self.intake), origin, study }, multipart, place))
    }

    async fn store(
        &self,
        batch: &Batch,
        mut multipart: Multipart,
        body: &mut Incoming,
        peer: &Peer,
    ) -> Response<Full<Bytes>> {
        let mut answer = Answer::default();
        let began_ms = (self.intake.world.now_ms)();
        let read = self.read(batch, &mut multipart, body, &mut answer).await;
        self.intake.spans.brought(Bringer::Request, &batch.origin.traceparent, began_ms);
        match read {
            // What is stored stays stored, and its sender is told so; the answer names what is not.
            Err(refused) if !answer.has_stored() => self.refuse(&refused, peer),
            Err(refused) => {
                self.refuse(&refused, peer);
                reply(StatusCode::ACCEPTED, &answer)
            }
            Ok(()) => {
                let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::CONFLICT);
                let mut response = reply(status, &answer);
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_DISK_S));
                }
                response
            }
        }
    }

    /// The whole body, within its limits; every object that became whole is in `answer`, and the one that did not.
    async fn read(
        &self,
        batch: &Batch,
        multipart: &mut Multipart,
        body: &mut Incoming,
        answer: &mut Answer,
    ) -> Result<(), Refused> {
        let mut receiving = None;
        let read = self.objects(batch, multipart, body, answer, &mut receiving).await;
        if let Some(unfinished) = receiving {
            Receiving::cut_short(unfinished, answer);
        }
        read
    }

    async fn objects(
        &self,
        batch: &Batch,
        multipart: &mut Multipart,
        body: &mut Incoming,
        answer: &mut Answer,
        receiving: &mut Option<Receiving>,
    ) -> Result<(), Refused> {
        let mut taken = 0;
        let mut last = false;
        while let Some(piece) = self.piece(body).await? {
            taken += piece.len() as u64;
            if taken > self.limits.body {
                return Err(Refused::TooLarge(self.limits.body >> 20));
            }
            multipart.push(&piece);
            while let Some(event) = multipart.tell()? {
                match event {
                    Event::Begin(_) if answer.len() == self.limits.parts => {
                        return Err(Refused::TooMany(self.limits.parts));
                    }
                    Event::Begin(kind) => *receiving = Some(Receiving::begin(kind.as_ref())),
                    Event::Data(bytes) => {
                        if let Some(receiving) = receiving {
                            receiving.take(batch, &bytes).await;
                        }
                    }
                    Event::End => self.finish(batch, receiving.take(), answer).await,
                    Event::Last => last = true,
                }
            }
        }
        match (last, answer.len()) {
            (false, _) => Err(Refused::BrokenOff),
            (true, 0) => Err(Refused::Empty),
            (true, _) => Ok(()),
        }
    }

    async fn finish(&self, batch: &Batch, receiving: Option<Receiving>, answer: &mut Answer) {
        let Some(receiving) = receiving else { return };
        if let Some(failure) = receiving.finish(batch, answer).await {
            self.tell(&batch.origin.source, failure);
        }
    }

    fn tell(&self, source: &AeTitle, failure: Failure) {
        let (code, words) = failure.told();
        tracing::warn!(source = %source, reason = format!("0x{code:04X}"), words, "store refused");
        self.note(format!("An object from {source} over HTTP was refused: {words}."));
    }

    /// The next piece of the body; `None` at its end.
    async fn piece(&self, body: &mut Incoming) -> Result<Option<Bytes>, Refused> {
        loop {
            let next = tokio::time::timeout(self.limits.idle, body.frame()).await;
            match next.map_err(|_| Refused::Silent(self.limits.idle.as_secs()))? {
                None => return Ok(None),
                Some(Err(_)) => return Err(Refused::BrokenOff),
                Some(Ok(frame)) => {
                    // Trailers are of no use here.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn refuse(&self, refused: &Refused, peer: &Peer) -> Response<Full<Bytes>> {
        let from = peer.address.to_canonical();
        tracing::warn!(peer = %from, why = %refused, "store request refused");
        self.note(format!("A store request over HTTP from {from} was refused: {refused}."));
        let mut response = Response::new(Full::from(format!("{refused}\n")));
        let (status, header) = refused.status();
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl Refused {
    fn status(&self) -> (StatusCode, Option<(HeaderName, &'static str)>) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, None),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, Some((ALLOW, "POST"))),
            Self::Unknown => (StatusCode::UNAUTHORIZED, Some((WWW_AUTHENTICATE, "Bearer"))),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            Self::TooLarge(_) | Self::TooMany(_) => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, Some((RETRY_AFTER, RETRY_BUSY_S))),
            Self::Silent(_) => (StatusCode::REQUEST_TIMEOUT, None),
            Self::Study | Self::BrokenOff | Self::Malformed(_) | Self::Empty => (StatusCode::BAD_REQUEST, None),
        }
    }
}

/// The study that an address names, where it names one.
fn study(path: &str) -> Result<Option<Uid>, Refused> {
    match path.strip_prefix("/studies") {
        Some("") => Ok(None),
        Some(rest) => match rest.strip_prefix('/') {
            Some(study) if !study.contains('/') => study.parse().map(Some).map_err(|_| Refused::Study),
            _ => Err(Refused::NotFound),
        },
        None => Err(Refused::NotFound),
    }
}

/// The parser for a body of the one kind that is taken.
fn multipart(headers: &HeaderMap) -> Option<Multipart> {
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let kind = MediaType::parse(headers.get(CONTENT_TYPE)?.to_str().ok()?)?;
    let dicom = kind.parameter("type").is_some_and(|kind| kind.eq_ignore_ascii_case("application/dicom"));
    let boundary = kind.parameter("boundary")?;
    (plain && dicom && kind.name == "multipart/related").then(|| Multipart::new(boundary)).flatten()
}

fn reply(status: StatusCode, answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.json().to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/dicom+json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_names_a_study_or_none() {
        assert!(matches!(study("/studies"), Ok(None)));
        assert_eq!(study("/studies/1.2.3").unwrap().unwrap().as_str(), "1.2.3");
        for nothing in ["/", "", "/studiesx", "/studies/1.2/series", "/instances", "/studies/1.2/"] {
            assert!(matches!(study(nothing), Err(Refused::NotFound)), "{nothing}");
        }
        for bad in ["/studies/", "/studies/..", "/studies/a", "/studies/1..2", "/studies/1.2%00"] {
            assert!(matches!(study(bad), Err(Refused::Study)), "{bad}");
        }
    }
}
