//! Reports that an association owes its own peer: which is due when, and which one is being answered. It never touches a
//! socket.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::provider::Claim;

/// From the request's answer to its report on the same association. Some scanners listen for it there; others release as
/// soon as the request is answered and take a report that crosses their release for an error. Those do it within
/// milliseconds, and a technician does not notice a second.
const PAUSE: Duration = Duration::from_secs(1);

/// What is owed on one association.
#[derive(Default)]
pub(crate) struct Owed {
    waiting: VecDeque<(Instant, u8, Claim)>,
    /// The report that went out, by its message: one at a time, as negotiated (PS3.7 D.3.3.3).
    out: Option<(u16, Claim)>,
    last_message: u16,
}

impl Owed {
    /// A request was answered with success on this presentation context at `now`.
    pub(crate) fn add(&mut self, context: u8, claim: Claim, now: Instant) {
        self.waiting.push_back((now + PAUSE, context, claim));
    }

    /// Until a report may go out; for ever where none may.
    pub(crate) async fn due(&self) {
        match (&self.out, self.waiting.front()) {
            (None, Some((due, ..))) => tokio::time::sleep_until(*due).await,
            _ => std::future::pending().await,
        }
    }

    /// The report that goes out now: its presentation context and its message id.
    pub(crate) fn begin(&mut self) -> Option<(u8, u16, &Claim)> {
        let (_, context, claim) = self.waiting.pop_front()?;
        self.last_message = self.last_message.wrapping_add(1);
        let (message, claim) = self.out.insert((self.last_message, claim));
        Some((context, *message, claim))
    }

    /// The report that this response answers.
    pub(crate) fn answered(&mut self, message: u16) -> Option<Claim> {
        self.out.take_if(|(id, _)| *id == message).map(|(_, claim)| claim)
    }
}
