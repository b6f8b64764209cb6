//! From the journal to the outbox: takes what was acknowledged, what just came before what had piled up, and concludes each
//! image with exactly one result. The journal is the queue; this room holds nothing that a restart would lose.

mod one;
mod turns;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;
use outbox::{Instance, InstanceId};
use reader::Reader;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vitals::health::Part;

use crate::journal::{Journal, JournalError};
use crate::output::Dispatch;
use crate::privacy::Privacy;
use crate::quarantine::Quarantine;
use crate::spans::Spans;
use crate::spool::Spool;
use crate::world::World;
use one::Ended;
use turns::{BACKLOG_AFTER_MS, Turns};

/// How often the journal is asked although nobody told of an arrival: after an error, and as a safety net.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Shortest time between two looks at the journal that found nothing to take up.
const LOOK_AGAIN_AT_LEAST: Duration = Duration::from_millis(100);

/// Rows of the journal in one look; those in hand or put aside are passed over.
const PAGE: u32 = 64;

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

/// What the images in hand share.
#[derive(Clone)]
struct Hands {
    seats: Arc<Semaphore>,
    turns: Arc<Mutex<Turns>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One image in hand, until dropped: also where its task panicked.
struct Held(Hands, InstanceId);

impl Pipeline {
    /// Reads until `stop`, then finishes what is in hand.
    pub async fn run(self, stop: CancellationToken) {
        let pipeline = Arc::new(self);
        let hands = Hands {
            seats: Arc::new(Semaphore::new(pipeline.in_hand as usize)),
            turns: Arc::new(Mutex::new(Turns::new(Instant::now()))),
            tasks: TaskTracker::new(),
            stop,
        };
        let mut admission = pipeline.reader.engine().admission();
        while !hands.stop.is_cancelled() {
            let taken = pipeline.take_round(&hands).await;
            gauge!("decoder_confined").set(if pipeline.reader.unconfined().is_none() { 1.0 } else { 0.0 });
            if taken == 0 {
                tokio::select! {
                    () = hands.stop.cancelled() => {}
                    () = pipeline.arrived.notified() => {}
                    Ok(()) = admission.changed() => {}
                    () = tokio::time::sleep(hands.rest()) => {}
                }
            }
        }
        hands.tasks.close();
        hands.tasks.wait().await;
    }

    /// Takes up as many images as there are free seats; gives how many it took.
    async fn take_round(self: &Arc<Self>, hands: &Hands) -> usize {
        let Some(seat) = hands.seats(1).await else { return 0 };
        let mut free = vec![seat];
        free.extend(std::iter::from_fn(|| Arc::clone(&hands.seats).try_acquire_owned().ok()));
        let next = match self.next(hands, free.len()).await {
            Ok(next) => next,
            Err(error) => {
                self.health.down(&vitals::exit::chain(&error));
                return 0;
            }
        };
        let taken = next.len();
        for image in next {
            // What was begun before and never ended may have brought the process down: it is read alone, so that it takes
            // no innocent image with it and the count of its attempts is its own.
            let seat = if image.attempts > 0 {
                free.clear();
                hands.seats(self.in_hand).await
            } else {
                match free.pop() {
                    Some(seat) => Some(seat),
                    None => hands.seats(1).await,
                }
            };
            let Some(seat) = seat else { break };
            self.begin(image, seat, hands);
        }
        taken
    }

    /// The images whose turn it is. What is held back because the device is too hot is not taken in hand: there it would keep
    /// the seats from what is not.
    async fn next(&self, hands: &Hands, seats: usize) -> Result<Vec<Instance>, JournalError> {
        // Before the journal is asked: what leaves between the two is concluded there, and what is listed here is skipped.
        let busy = hands.turns().in_hand();
        let backlog = self.reader.engine().admission().borrow().backlog;
        let since = (self.world.now_ms)().saturating_sub(BACKLOG_AFTER_MS);
        let mut live = Vec::new();
        for page in 0.. {
            let rows = self.journal.unread_since(since, page * PAGE, PAGE).await?;
            if !hands.gather(rows, &busy, seats, &mut live) {
                break;
            }
        }
        let (mut oldest, mut after, mut more) = (Vec::new(), None, backlog);
        while more {
            let rows = self.journal.unread(after, PAGE).await?;
            after = rows.last().map(|image| image.id);
            more = hands.gather(rows, &busy, seats, &mut oldest);
        }
        Ok(hands.turns().next(live, oldest, seats))
    }

    fn begin(self: &Arc<Self>, image: Instance, seat: OwnedSemaphorePermit, hands: &Hands) {
        let id = image.id;
        let tries = hands.turns().take(id);
        let (held, pipeline) = (Held(hands.clone(), id), Arc::clone(self));
        hands.tasks.spawn(async move {
            match pipeline.read_one(image, tries, &held.0.stop).await {
                Ended::Concluded => {
                    let mut turns = held.0.turns();
                    turns.concluded(id);
                    // While another image waits for the machine to give it back, its reason stands.
                    if turns.is_well() {
                        pipeline.health.up();
                    }
                }
                Ended::Failed { refused } => held.0.turns().failed(id, refused, Instant::now()),
                Ended::Left => {}
            }
            drop((held, seat));
        });
    }
}

impl Hands {
    /// So many seats; `None` at a stop.
    async fn seats(&self, count: u32) -> Option<OwnedSemaphorePermit> {
        let seats = Arc::clone(&self.seats).acquire_many_owned(count);
        self.stop.run_until_cancelled(seats).await?.ok()
    }

    /// Adds those of `rows` that may be taken up; true where there may be more of them, and more are wanted.
    fn gather(&self, rows: Vec<Instance>, busy: &HashSet<InstanceId>, wanted: usize, into: &mut Vec<Instance>) -> bool {
        let (full, now) = (rows.len() == PAGE as usize, Instant::now());
        let turns = self.turns();
        into.extend(rows.into_iter().filter(|image| !busy.contains(&image.id) && turns.is_free(image, now)));
        full && into.len() < wanted
    }

    /// How long there may be nothing to do.
    fn rest(&self) -> Duration {
        let due = self.turns().next_due().map(|due| due.saturating_duration_since(Instant::now()));
        due.map_or(LOOK_AGAIN, |due| due.clamp(LOOK_AGAIN_AT_LEAST, LOOK_AGAIN))
    }

    /// Each change of it is complete or not begun, also where its holder panics.
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.turns().release(self.1);
    }
}
