//! The port: connections, their handshakes, and their number bounded. It knows no operation.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{Desk, router};
use super::caller::Caller;

/// Connections at the same time; more wait in the system's queue. Each costs a task and some 100 KiB.
const CONNECTIONS: usize = 64;

/// From the connection to the end of the handshake, and from there to the end of the request's head.
const WITHIN: Duration = Duration::from_secs(10);

/// Longest that one connection lives: a device asks three things, each answered within a second.
const LIFE: Duration = Duration::from_secs(60);

/// Most bytes of a request's head.
const HEAD: usize = 16 * 1024;

/// Pause after the system refused to hand over a connection, so that running out of descriptors is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Answers until `stop`, then until every request in hand is answered.
pub async fn serve(socket: TcpListener, tls: TlsAcceptor, desk: Arc<Desk>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let tasks = TaskTracker::new();
    while let Some(Ok(place)) = stop.run_until_cancelled(Arc::clone(&places).acquire_owned()).await {
        let Some(accepted) = stop.run_until_cancelled(socket.accept()).await else { break };
        match accepted {
            Ok((stream, from)) => {
                tasks.spawn(connection(stream, from, tls.clone(), Arc::clone(&desk), stop.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the EST port could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    tls: TlsAcceptor,
    desk: Arc<Desk>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let address = from.ip().to_canonical();
    let stream = match tokio::time::timeout(WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return desk.handshake_failed(address, &error).await,
        Err(_) => return,
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let caller = Caller { address, certificate: shown.map(|certificate| certificate.to_vec()) };
    let service = TowerToHyperService::new(router(desk).layer(Extension(caller)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(WITHIN)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let end = tokio::select! {
        end = connection.as_mut() => end,
        () = enough(&stop) => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(WITHIN, connection).await {
                Ok(end) => end,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = end {
        tracing::debug!(%error, "a connection to the EST port ended early");
    }
}

/// The service stops, or the connection has lived long enough.
async fn enough(stop: &CancellationToken) {
    let _ = stop.run_until_cancelled(tokio::time::sleep(LIFE)).await;
}
