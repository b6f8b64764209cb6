//! From pairs of readings to messages for the cloud: one window after the other, never an image, never a single probability.
//! What the candidate said reaches nobody else: not the PACS, not the reviewer.

use std::time::Duration;

use outbox::Priority;
use reader::finding::Finding;
use reader::inference::{Engine, Pair};
use tokio_util::sync::CancellationToken;
use wire::codec;
use wire::ids::MessageId;
use wire::topics::Up;

use super::tally::Tally;
use crate::journal::{Journal, Message};
use crate::world::World;

/// How long a window is open at most: fine enough to see a day's course, and 144 messages of some hundred bytes a day.
const WINDOW_MS: i64 = 600_000;

/// How often it is looked whether a window is to be closed.
const GLANCE: Duration = Duration::from_secs(1);

/// Counts pairs and queues windows.
pub struct Watcher {
    /// Where pairs come from, and how many images got none.
    pub engine: Engine,
    /// Where windows go.
    pub journal: Journal,
    /// Clock and dice.
    pub world: World,
}

impl Watcher {
    /// Counts until `stop`, and queues what it has then.
    pub async fn run(self, stop: CancellationToken) {
        let Some(mut pairs) = self.engine.pairs() else { return };
        let (mut open, mut missed) = (None::<Tally>, 0);
        loop {
            let pair = tokio::select! {
                () = stop.cancelled() => None,
                pair = tokio::time::timeout(GLANCE, pairs.recv()) => Some(pair),
            };
            match pair {
                None | Some(Ok(None)) => break,
                Some(Ok(Some(pair))) => self.count(&pair, &mut open, &mut missed).await,
                Some(Err(_)) if self.engine.is_shadowed() && !self.is_old(open.as_ref()) => {}
                // A window ends with its time, and as soon as nobody watches any more and no pair comes.
                Some(Err(_)) => self.close(open.take(), &mut missed).await,
            }
        }
        while let Ok(pair) = pairs.try_recv() {
            self.count(&pair, &mut open, &mut missed).await;
        }
        self.close(open, &mut missed).await;
    }

    fn is_old(&self, open: Option<&Tally>) -> bool {
        open.is_some_and(|open| (self.world.now_ms)() - open.since_ms() >= WINDOW_MS)
    }

    async fn count(&self, pair: &Pair, open: &mut Option<Tally>, missed: &mut u64) {
        let other = open.as_ref().is_some_and(|open| !open.is_of(&pair.active_model, &pair.candidate_model));
        if other || self.is_old(open.as_ref()) {
            self.close(open.take(), missed).await;
        }
        let tally = open.get_or_insert_with(|| Tally::new(&pair.active_model, &pair.candidate_model));
        let active = Finding::new(pair.active, &pair.active_model.rule);
        let candidate = Finding::new(pair.candidate, &pair.candidate_model.rule);
        tally.add((self.world.now_ms)(), &active, &candidate);
    }

    /// Queues a window. Where that fails it is lost, which is logged: statistics are worth no retry beside findings.
    async fn close(&self, tally: Option<Tally>, missed: &mut u64) {
        let now_missed = self.engine.shadow_missed();
        let Some(window) = tally.and_then(|tally| tally.window(now_missed.saturating_sub(*missed))) else { return };
        *missed = now_missed;
        let payload = match codec::encode(&window) {
            Ok(payload) => payload,
            Err(error) => {
                tracing::error!(error = %error, "a shadow window could not be encoded and is lost");
                return;
            }
        };
        let message =
            Message { id: MessageId(self.world.uuid()), kind: Up::Shadow, priority: Priority::Backlog, payload };
        if let Err(error) = self.journal.post((self.world.now_ms)(), message).await {
            tracing::warn!(error = vitals::exit::chain(&error), "a shadow window could not be queued and is lost");
        }
    }
}
