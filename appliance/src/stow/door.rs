//! The port: connections, TLS where there are papers for it, and their number bounded. One request per connection, so that
//! none is held open for nothing.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Limits;
use super::request::{Desk, Peer};
use crate::dicom::tls::{Acceptor, Identity};
use crate::dicom::transport::Connection;

/// Connections at the same time, most of them asking for nothing yet. Each costs a task and some 100 KiB.
const CONNECTIONS: usize = 64;
/// From the connection to the end of the handshake, and from there to the end of the request's head.
const WITHIN: Duration = Duration::from_secs(10);
/// Pause after the system refused to hand over a connection, so that running out of descriptors is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Answers until `stop`, then until every request in hand is answered.
pub(super) async fn serve(socket: TcpListener, tls: Option<Acceptor>, desk: Arc<Desk>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
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
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            desk.note(format!("The STOW port has {CONNECTIONS} connections open and takes no more at a time."));
            continue;
        };
        tasks.spawn(connection(stream, from, tls.clone(), Arc::clone(&desk), stop.clone(), place));
    }
    tasks.close();
    tasks.wait().await;
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    tls: Option<Acceptor>,
    desk: Arc<Desk>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let handshake = tokio::time::timeout(WITHIN, secure(stream, tls)).await;
    let (stream, identity) = match handshake.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(secured) => secured,
        Err(error) => {
            tracing::warn!(error = %error, "TLS handshake failed");
            let from = from.ip().to_canonical();
            return desk.note(format!(
                "A TLS connection from {from} to the STOW port failed: {error}. Its certificate must be signed by the \
                 authority of [dicom.tls] client_ca."
            ));
        }
    };
    let peer = Peer { address: from.ip(), identity };
    let service =
        service_fn(|request: Request<Incoming>| async { Ok::<_, Infallible>(desk.answer(request, &peer).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(WITHIN)
        .keep_alive(false)
        .max_buf_size(Limits::HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let end = tokio::select! {
        end = connection.as_mut() => end,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = end {
        tracing::debug!(error = %error, peer = %peer.address, "a store connection ended early");
    }
}

async fn secure(stream: TcpStream, tls: Option<Acceptor>) -> io::Result<(Connection, Option<Identity>)> {
    match tls {
        None => Ok((Box::new(stream), None)),
        Some(tls) => tls.accept(stream).await.map(|(connection, identity)| (connection, Some(identity))),
    }
}
