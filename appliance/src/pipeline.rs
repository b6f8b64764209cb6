//! From the journal to the outbox: takes what was acknowledged, oldest first, and concludes each image with exactly one
//! result. The journal is the queue; this room holds nothing that a restart would lose.

mod one;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::gauge;
use outbox::{Instance, InstanceId};
use reader::Reader;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vitals::health::Part;

use crate::journal::Journal;
use crate::output::Dispatch;
use crate::privacy::Privacy;
use crate::quarantine::Quarantine;
use crate::spans::Spans;
use crate::spool::Spool;
use crate::world::World;

/// How often the journal is asked although nobody told of an arrival: after an error, and as a safety net.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Memory for plain bytes in the reader's hands, MiB: twice the largest object, fifty radiographs. Larger ones wait for their
/// turn, in the order in which they came.
pub const PLAIN_MIB: u32 = 512;

/// What reading needs.
pub struct Pipeline {
    /// The reader.
    pub reader: Reader,
    /// Where images are taken from and results go.
    pub journal: Journal,
    /// Where files lie.
    pub spool: Spool,
    /// Where unreadable files are kept.
    pub quarantine: Quarantine,
    /// What may be told.
    pub privacy: Privacy,
    /// What the hospital's own systems are owed.
    pub dispatch: Dispatch,
    /// Told of what was concluded.
    pub spans: Spans,
    /// The site as configured.
    pub site: String,
    /// Clock and dice.
    pub world: World,
    /// Told of each new image.
    pub arrived: Arc<Notify>,
    /// Images in hand at the same time, 1 or more.
    pub in_hand: u32,
    /// [`PLAIN_MIB`] of memory.
    pub memory: Semaphore,
    /// Its health.
    pub health: Part,
}

/// The images in hand, so that none is taken twice.
#[derive(Clone, Default)]
struct InHand(Arc<Mutex<HashSet<InstanceId>>>);

/// One image's entry in it, until dropped: also where its task panicked.
struct Held(InHand, InstanceId);

impl Pipeline {
    /// Reads until `stop`, then finishes what is in hand.
    pub async fn run(self, stop: CancellationToken) {
        let pipeline = Arc::new(self);
        let seats = Arc::new(Semaphore::new(pipeline.in_hand as usize));
        let (in_hand, tasks) = (InHand::default(), TaskTracker::new());
        while !stop.is_cancelled() {
            let taken = pipeline.take_round(&seats, &in_hand, &tasks, &stop).await;
            gauge!("decoder_confined").set(if pipeline.reader.unconfined().is_none() { 1.0 } else { 0.0 });
            if taken == 0 {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = pipeline.arrived.notified() => {}
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Takes what is unread and not in hand; gives how many it took.
    async fn take_round(
        self: &Arc<Self>,
        seats: &Arc<Semaphore>,
        in_hand: &InHand,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> usize {
        // Before the journal is asked: what leaves between the two is concluded there, and what is listed here is skipped.
        let busy = in_hand.list();
        let unread = match self.journal.unread(2 * self.in_hand).await {
            Ok(unread) => unread,
            Err(error) => {
                self.health.down(&vitals::exit::chain(&error));
                return 0;
            }
        };
        let fresh: Vec<Instance> = unread.into_iter().filter(|image| !busy.contains(&image.id)).collect();
        let mut taken = 0;
        for image in fresh {
            // What was begun before and never ended may have brought the process down: it is read alone, so that it takes
            // no innocent image with it and the count of its attempts is its own.
            let places = if image.attempts > 0 { self.in_hand } else { 1 };
            let seat = stop.run_until_cancelled(Arc::clone(seats).acquire_many_owned(places)).await;
            let Some(Ok(seat)) = seat else { break };
            let (held, pipeline, stop) = (in_hand.hold(image.id), Arc::clone(self), stop.clone());
            tasks.spawn(async move {
                pipeline.read_one(image, &stop).await;
                drop((held, seat));
            });
            taken += 1;
        }
        taken
    }
}

impl InHand {
    fn hold(&self, id: InstanceId) -> Held {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Held(self.clone(), id)
    }

    fn list(&self) -> HashSet<InstanceId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}
