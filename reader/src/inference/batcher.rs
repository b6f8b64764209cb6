//! Who goes next, and when a batch leaves: a pure queue that is told the time. No threads, no session.
//!
//! A batch leaves when it is full, when its oldest request has waited `max_delay`, or at once when an urgent one waits. It
//! takes urgent before live before backlog, each in order of arrival; but the first place of every [`FAIR_EVERY`]th batch
//! belongs to the oldest request of all. So a request with k older ones before it leaves within `FAIR_EVERY · (k + 1)`
//! batches, whatever else arrives: nothing starves.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Every fourth batch: a backlog keeps at least a quarter of a batch-of-one machine, and urgent work at least three quarters.
pub const FAIR_EVERY: u32 = 4;

/// How urgent a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A study marked urgent: does not wait for company.
    Urgent,
    /// As it comes from the scanner.
    Live,
    /// What had piled up: after a restart, an outage or a re-read.
    Backlog,
}

const CLASSES: usize = 3;

/// When a batch is full, and how long it waits to become so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPolicy {
    /// Images at most in one batch, 1 or more.
    pub max_batch: usize,
    /// The longest that a request waits for company.
    pub max_delay: Duration,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// Run these; 1 to `max_batch` of them.
    Run(Vec<T>),
    /// Ask again at this time, or when something arrives.
    WaitUntil(Instant),
    /// Nothing waits.
    Idle,
}

struct Waiting<T> {
    sequence: u64,
    since: Instant,
    item: T,
}

/// A bounded queue in three classes.
pub struct Queue<T> {
    policy: BatchPolicy,
    capacity: usize,
    classes: [VecDeque<Waiting<T>>; CLASSES],
    arrivals: u64,
    batches: u32,
}

impl<T> Queue<T> {
    /// An empty queue for at most `capacity` requests.
    #[must_use]
    pub fn new(policy: BatchPolicy, capacity: usize) -> Self {
        let policy = BatchPolicy { max_batch: policy.max_batch.max(1), ..policy };
        let classes = std::array::from_fn(|_| VecDeque::new());
        Self { policy, capacity: capacity.max(1), classes, arrivals: 0, batches: 0 }
    }

    /// Requests waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.classes.iter().map(VecDeque::len).sum()
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Requests that may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds a request, or gives it back when the queue is full.
    pub fn push(&mut self, priority: Priority, now: Instant, item: T) -> Result<(), T> {
        if self.len() >= self.capacity {
            return Err(item);
        }
        let sequence = self.arrivals;
        self.arrivals += 1;
        self.classes[priority as usize].push_back(Waiting { sequence, since: now, item });
        Ok(())
    }

    /// The decision at `now`.
    pub fn next(&mut self, now: Instant) -> Next<T> {
        let Some(oldest) = self.classes.iter().filter_map(|class| class.front()).map(|w| w.since).min() else {
            return Next::Idle;
        };
        let due = oldest + self.policy.max_delay;
        let urgent = !self.classes[Priority::Urgent as usize].is_empty();
        if urgent || self.len() >= self.policy.max_batch || now >= due {
            Next::Run(self.take())
        } else {
            Next::WaitUntil(due)
        }
    }

    /// All that wait, for a queue that closes.
    pub fn drain(&mut self) -> Vec<T> {
        self.classes.iter_mut().flat_map(|class| class.drain(..)).map(|waiting| waiting.item).collect()
    }

    fn take(&mut self) -> Vec<T> {
        self.batches = (self.batches + 1) % FAIR_EVERY;
        let mut batch = Vec::with_capacity(self.policy.max_batch);
        if self.batches == 0 {
            batch.extend(self.take_oldest());
        }
        for class in &mut self.classes {
            let free = self.policy.max_batch - batch.len();
            let count = free.min(class.len());
            batch.extend(class.drain(..count).map(|waiting| waiting.item));
        }
        batch
    }

    fn take_oldest(&mut self) -> Option<T> {
        let fronts = self.classes.iter_mut().filter(|class| !class.is_empty());
        let class = fronts.min_by_key(|class| class.front().map_or(u64::MAX, |waiting| waiting.sequence))?;
        class.pop_front().map(|waiting| waiting.item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DELAY: Duration = Duration::from_millis(5);

    fn queue(max_batch: usize, capacity: usize) -> Queue<u32> {
        Queue::new(BatchPolicy { max_batch, max_delay: DELAY }, capacity)
    }

    fn priority() -> impl Strategy<Value = Priority> {
        prop_oneof![Just(Priority::Urgent), Just(Priority::Live), Just(Priority::Backlog)]
    }

    #[test]
    fn a_lone_request_waits_for_company_and_no_longer() {
        let start = Instant::now();
        let mut queue = queue(4, 10);
        assert_eq!(queue.next(start), Next::Idle);
        queue.push(Priority::Live, start, 1).unwrap();
        assert_eq!(queue.next(start), Next::WaitUntil(start + DELAY));
        assert_eq!(queue.next(start + DELAY), Next::Run(vec![1]));
    }

    #[test]
    fn urgent_goes_at_once_and_first() {
        let start = Instant::now();
        let mut queue = queue(4, 10);
        queue.push(Priority::Backlog, start, 1).unwrap();
        queue.push(Priority::Live, start, 2).unwrap();
        queue.push(Priority::Urgent, start, 3).unwrap();
        assert_eq!(queue.next(start), Next::Run(vec![3, 2, 1]));
    }

    #[test]
    fn a_full_queue_gives_the_request_back() {
        let start = Instant::now();
        let mut queue = queue(4, 2);
        queue.push(Priority::Live, start, 1).unwrap();
        queue.push(Priority::Live, start, 2).unwrap();
        assert_eq!(queue.push(Priority::Urgent, start, 3), Err(3));
        assert_eq!(queue.drain(), [1, 2]);
        assert!(queue.is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_batch_is_too_large(
            arrivals in proptest::collection::vec(priority(), 0..200), max_batch in 1usize..9,
        ) {
            let start = Instant::now();
            let mut queue = queue(max_batch, 200);
            let mut out = Vec::new();
            for (n, priority) in arrivals.iter().enumerate() {
                queue.push(*priority, start, n as u32).unwrap();
                if n % 3 == 0 && let Next::Run(batch) = queue.next(start) {
                    prop_assert!((1..=max_batch).contains(&batch.len()));
                    out.extend(batch);
                }
            }
            while let Next::Run(batch) = queue.next(start + DELAY) {
                prop_assert!((1..=max_batch).contains(&batch.len()));
                out.extend(batch);
            }
            out.sort_unstable();
            prop_assert_eq!(out, (0..arrivals.len() as u32).collect::<Vec<_>>());
        }

        #[test]
        fn a_backlog_request_leaves_within_its_bound(older in 0u32..20, max_batch in 1usize..9) {
            let start = Instant::now();
            let mut queue = queue(max_batch, 10_000);
            for n in 0..=older {
                queue.push(Priority::Backlog, start, n).unwrap();
            }
            // A storm: more urgent arrivals before each batch than a batch can take.
            for _ in 0..FAIR_EVERY * (older + 1) {
                for _ in 0..=max_batch {
                    queue.push(Priority::Urgent, start, 1_000_000).unwrap();
                }
                if let Next::Run(batch) = queue.next(start) && batch.contains(&older) {
                    return Ok(());
                }
            }
            prop_assert!(false, "request {older} was starved");
        }
    }
}
