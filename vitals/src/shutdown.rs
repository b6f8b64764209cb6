//! The end of a service: SIGTERM or SIGINT becomes a token that every room watches. It never ends the process itself.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Gives the token that is cancelled on the first SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// Where the operating system lets no handler be set.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop; finishing what was begun");
        cancelled.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("asked to stop twice; leaving at once, and what was not acknowledged is sent again");
        // 128 + SIGINT, what a shell reports for an interrupted program. Nothing durable depends on destructors.
        #[allow(clippy::disallowed_methods, reason = "a second signal means now; a durable state needs no farewell")]
        std::process::exit(130);
    });
    Ok(token)
}
