//! The ports: accept connections, in the clear and within TLS, and keep their number bounded. One task per connection;
//! whatever a peer does costs its own task and no other.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Timeouts;
use super::acceptance::Rules;
use super::commitment::Desk;
use super::door::Door;
use super::tls::Acceptor;
use crate::intake::Intake;

/// Connections that may be negotiating, apart from accepted associations: the newest ones. Each costs a task and some
/// kilobytes. A crowd that says nothing so makes room for who comes next, and a scanner's negotiation, which takes
/// milliseconds, is over long before this many others have come.
const NEGOTIATING: usize = 64;

/// Pause after the system refused to hand over a connection, so that running out of descriptors is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A DICOM storage service class provider.
pub struct Listener {
    /// Who may call.
    pub rules: watch::Sender<Rules>,
    /// Where objects go.
    pub intake: Arc<Intake>,
    /// Where storage commitment is asked and reported.
    pub desk: Desk,
    /// Associations at the same time.
    pub max_associations: usize,
    /// See [`Timeouts`].
    pub timeouts: Timeouts,
}

/// Where connections come in.
pub struct Ports {
    /// In the clear.
    pub plain: TcpListener,
    /// Within TLS.
    pub secured: Option<(TcpListener, Acceptor)>,
}

impl Listener {
    /// Serves until `stop`, then until every association has finished what it had begun.
    pub async fn serve(self, ports: Ports, stop: CancellationToken) {
        let mut seats = VecDeque::<CancellationToken>::new();
        let associations = Arc::new(Semaphore::new(self.max_associations));
        let door = Arc::new(Door { listener: self, associations, stop: stop.clone() });
        let tasks = TaskTracker::new();
        while let Some(accepted) = stop.run_until_cancelled(ports.accept()).await {
            let (stream, from, tls) = match accepted {
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
            tasks.spawn(Arc::clone(&door).connection(stream, from, tls, seat));
        }
        tasks.close();
        tasks.wait().await;
    }
}

impl Ports {
    async fn accept(&self) -> std::io::Result<(TcpStream, SocketAddr, Option<Acceptor>)> {
        let Some((secured, acceptor)) = &self.secured else {
            return self.plain.accept().await.map(|(stream, from)| (stream, from, None));
        };
        tokio::select! {
            accepted = self.plain.accept() => accepted.map(|(stream, from)| (stream, from, None)),
            accepted = secured.accept() => accepted.map(|(stream, from)| (stream, from, Some(acceptor.clone()))),
        }
    }
}
