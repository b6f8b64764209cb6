//! Where devices enrol over the network: EST (RFC 7030) on a TLS 1.3 port of its own. It speaks; [`crate::enrolment`]
//! decides.
//!
//! A device without a certificate brings a token, in HTTP's Basic scheme (section 3.2.3) or as a bearer token; one with a
//! certificate shows it in the handshake (section 3.3.2). Not offered: `serverkeygen`, since a device makes its own keys, and
//! `fullcmc`.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::enrolment::Registrar;

pub mod answer;
pub mod caller;
pub mod port;
pub mod tls;

/// Says what this room measures, once a recorder is there.
pub fn describe_metrics() {
    metrics::describe_counter!(
        "est_requests_total",
        "Requests of devices for certificates and papers, by operation and outcome"
    );
    metrics::describe_counter!(
        "est_handshakes_refused_total",
        "TLS connections to the EST port that were refused, by reason"
    );
}

/// Answers on `listener` until `stop`.
pub fn start(
    listener: TcpListener,
    tls: TlsAcceptor,
    registrar: Arc<Registrar>,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let desk = Arc::new(answer::Desk::new(registrar));
    tokio::spawn(port::serve(listener, tls, desk, stop))
}
