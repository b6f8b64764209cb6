//! Who goes next, and when a batch leaves: a pure queue that is told the time. No threads, no session.
//!
//! A batch leaves when it is full, when its oldest request has waited `max_delay`, or at once when an urgent one waits or
//! one whose deadline would be missed by waiting. It takes those first, then urgent before live before backlog, each in
//! order of arrival; but the first place of every [`FAIR_EVERY`]th batch belongs to the oldest request of all. So a request
//! with k older ones before it leaves within `FAIR_EVERY · (k + 1)` batches, whatever else arrives: nothing starves, but
//! for the backlog while [`Admission`] holds it back.

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

/// How much is let through: less when the device is too hot. What is held back waits; nothing is refused by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Images at most in one batch, on top of the policy's bound; 1 or more.
    pub max_batch: usize,
    /// Whether the backlog is read.
    pub backlog: bool,
}

impl Default for Admission {
    fn default() -> Self {
        Self { max_batch: usize::MAX, backlog: true }
    }
}

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
    deadline: Option<Instant>,
    item: T,
}

/// A bounded queue in three classes.
pub struct Queue<T> {
    policy: BatchPolicy,
    capacity: usize,
    classes: [VecDeque<Waiting<T>>; CLASSES],
    arrivals: u64,
    batches: u32,
    admission: Admission,
    batch_time: Duration,
}

impl<T> Queue<T> {
    /// An empty queue for at most `capacity` requests.
    #[must_use]
    pub fn new(policy: BatchPolicy, capacity: usize) -> Self {
        let policy = BatchPolicy { max_batch: policy.max_batch.max(1), ..policy };
        let classes = std::array::from_fn(|_| VecDeque::new());
        let (capacity, admission) = (capacity.max(1), Admission::default());
        Self { policy, capacity, classes, arrivals: 0, batches: 0, admission, batch_time: Duration::ZERO }
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

    /// Requests that may wait when one of this class comes: the backlog fills half of the queue at most and what comes live
    /// seven eighths, so that there is a place for an urgent one.
    #[must_use]
    pub fn room_for(&self, priority: Priority) -> usize {
        let kept_free = match priority {
            Priority::Urgent => 0,
            Priority::Live => self.capacity / 8,
            Priority::Backlog => self.capacity / 2,
        };
        self.capacity - kept_free
    }

    /// Adds a request, which wants its answer by `deadline`, or gives it back when there is no room for its class.
    pub fn push(&mut self, priority: Priority, now: Instant, deadline: Option<Instant>, item: T) -> Result<(), T> {
        if self.len() >= self.room_for(priority) {
            return Err(item);
        }
        let sequence = self.arrivals;
        self.arrivals += 1;
        self.classes[priority as usize].push_back(Waiting { sequence, since: now, deadline, item });
        Ok(())
    }

    /// When a batch is full from now on, and how long it waits to become so.
    pub fn follow(&mut self, policy: BatchPolicy) {
        self.policy = BatchPolicy { max_batch: policy.max_batch.max(1), ..policy };
    }

    /// How much is let through from now on.
    pub fn admit(&mut self, admission: Admission) {
        self.admission = Admission { max_batch: admission.max_batch.max(1), ..admission };
    }

    /// How long a batch took, so that deadlines are seen in time: the slowest of late counts, and is forgotten by an eighth
    /// with every batch.
    pub fn took(&mut self, time: Duration) {
        self.batch_time = time.max(self.batch_time - self.batch_time / 8);
    }

    /// The decision at `now`.
    pub fn next(&mut self, now: Instant) -> Next<T> {
        let (largest, open) = (self.largest(), self.open());
        let Some(oldest) = open.iter().filter_map(|class| class.front()).map(|w| w.since).min() else {
            return Next::Idle;
        };
        let waiting: usize = open.iter().map(VecDeque::len).sum();
        let urgent = !open[Priority::Urgent as usize].is_empty();
        let due = open.iter().flatten().filter_map(|waiting| self.latest_start(waiting)).min();
        let due = due.map_or(oldest + self.policy.max_delay, |due| due.min(oldest + self.policy.max_delay));
        if urgent || waiting >= largest || now >= due { Next::Run(self.take(now)) } else { Next::WaitUntil(due) }
    }

    /// All that wait, for a queue that closes.
    pub fn drain(&mut self) -> Vec<T> {
        self.classes.iter_mut().flat_map(|class| class.drain(..)).map(|waiting| waiting.item).collect()
    }

    /// Images in the largest batch for now.
    fn largest(&self) -> usize {
        self.policy.max_batch.min(self.admission.max_batch)
    }

    /// The classes that are let through for now.
    fn open(&self) -> &[VecDeque<Waiting<T>>] {
        if self.admission.backlog { &self.classes } else { &self.classes[..Priority::Backlog as usize] }
    }

    fn open_mut(&mut self) -> &mut [VecDeque<Waiting<T>>] {
        if self.admission.backlog { &mut self.classes } else { &mut self.classes[..Priority::Backlog as usize] }
    }

    /// When a request has to leave: its own batch takes its time, and one may just have begun before it.
    fn latest_start(&self, waiting: &Waiting<T>) -> Option<Instant> {
        waiting.deadline.map(|deadline| deadline.checked_sub(2 * self.batch_time).unwrap_or(waiting.since))
    }

    fn take(&mut self, now: Instant) -> Vec<T> {
        self.batches = (self.batches + 1) % FAIR_EVERY;
        let largest = self.largest();
        let mut batch = Vec::with_capacity(largest.min(self.len()));
        if self.batches == 0 {
            batch.extend(self.take_oldest());
        }
        self.take_pressing(now, largest, &mut batch);
        for class in self.open_mut() {
            let count = (largest - batch.len()).min(class.len());
            batch.extend(class.drain(..count).map(|waiting| waiting.item));
        }
        batch
    }

    fn take_oldest(&mut self) -> Option<T> {
        let fronts = self.open_mut().iter_mut().filter(|class| !class.is_empty());
        let class = fronts.min_by_key(|class| class.front().map_or(u64::MAX, |waiting| waiting.sequence))?;
        class.pop_front().map(|waiting| waiting.item)
    }

    /// What would be late if it stayed, the earliest deadline first.
    fn take_pressing(&mut self, now: Instant, largest: usize, batch: &mut Vec<T>) {
        let pressing = |waiting: &Waiting<T>| self.latest_start(waiting).is_some_and(|latest| now >= latest);
        let sequences = |class: &VecDeque<Waiting<T>>| -> Vec<(Option<Instant>, u64)> {
            class
                .iter()
                .filter(|waiting| pressing(waiting))
                .map(|waiting| (waiting.deadline, waiting.sequence))
                .collect()
        };
        let mut first: Vec<_> = self.open().iter().flat_map(sequences).collect();
        first.sort_unstable();
        for (_, sequence) in first.into_iter().take(largest - batch.len()) {
            for class in self.open_mut() {
                let at = class.iter().position(|waiting| waiting.sequence == sequence);
                batch.extend(at.and_then(|at| class.remove(at)).map(|waiting| waiting.item));
            }
        }
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

    #[test]
    fn another_policy_holds_for_what_waits_already() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut queue = Queue::new(BatchPolicy { max_batch: 4, max_delay: ms(10) }, 8);
        queue.push(Priority::Live, start, None, 1).unwrap();
        queue.push(Priority::Live, start, None, 2).unwrap();
        assert_eq!(queue.next(start), Next::WaitUntil(start + ms(10)));
        queue.follow(BatchPolicy { max_batch: 4, max_delay: ms(30) });
        assert_eq!(queue.next(start), Next::WaitUntil(start + ms(30)));
        queue.follow(BatchPolicy { max_batch: 1, max_delay: ms(30) });
        assert_eq!(queue.next(start), Next::Run(vec![1]));
    }

    fn priority() -> impl Strategy<Value = Priority> {
        prop_oneof![Just(Priority::Urgent), Just(Priority::Live), Just(Priority::Backlog)]
    }

    #[test]
    fn a_lone_request_waits_for_company_and_no_longer() {
        let start = Instant::now();
        let mut queue = queue(4, 10);
        assert_eq!(queue.next(start), Next::Idle);
        queue.push(Priority::Live, start, None, 1).unwrap();
        assert_eq!(queue.next(start), Next::WaitUntil(start + DELAY));
        assert_eq!(queue.next(start + DELAY), Next::Run(vec![1]));
    }

    #[test]
    fn urgent_goes_at_once_and_first() {
        let start = Instant::now();
        let mut queue = queue(4, 10);
        queue.push(Priority::Backlog, start, None, 1).unwrap();
        queue.push(Priority::Live, start, None, 2).unwrap();
        queue.push(Priority::Urgent, start, None, 3).unwrap();
        assert_eq!(queue.next(start), Next::Run(vec![3, 2, 1]));
    }

    #[test]
    fn a_full_queue_gives_the_request_back() {
        let start = Instant::now();
        let mut queue = queue(4, 2);
        queue.push(Priority::Live, start, None, 1).unwrap();
        queue.push(Priority::Live, start, None, 2).unwrap();
        assert_eq!(queue.push(Priority::Urgent, start, None, 3), Err(3));
        assert_eq!(queue.drain(), [1, 2]);
        assert!(queue.is_empty());
    }

    #[test]
    fn the_backlog_leaves_room_for_what_comes_live_and_that_for_what_is_urgent() {
        let (start, mut queue) = (Instant::now(), queue(1, 16));
        let fill = |queue: &mut Queue<u32>, priority| {
            (0..20).filter(|n| queue.push(priority, start, None, *n).is_ok()).count()
        };
        assert_eq!(fill(&mut queue, Priority::Backlog), 8);
        assert_eq!(fill(&mut queue, Priority::Live), 6);
        assert_eq!(fill(&mut queue, Priority::Backlog), 0);
        assert_eq!(fill(&mut queue, Priority::Urgent), 2);
        assert_eq!(queue.len(), 16);
    }

    #[test]
    fn what_would_be_late_leaves_first() {
        let ms = Duration::from_millis;
        let (start, mut queue) = (Instant::now(), queue(2, 20));
        queue.took(ms(10));
        queue.push(Priority::Backlog, start, Some(start + ms(40)), 1).unwrap();
        // Two batches of 10 ms before its deadline, but no later than its longest wait for company.
        assert_eq!(queue.next(start), Next::WaitUntil(start + DELAY));
        queue.push(Priority::Backlog, start, Some(start + ms(22)), 2).unwrap();
        queue.push(Priority::Urgent, start, None, 3).unwrap();
        queue.push(Priority::Urgent, start, None, 4).unwrap();
        queue.push(Priority::Live, start, Some(start + ms(21)), 5).unwrap();
        assert_eq!(queue.next(start + ms(2)), Next::Run(vec![5, 2]));
        assert_eq!(queue.next(start + ms(2)), Next::Run(vec![3, 4]));
        assert_eq!(queue.next(start + ms(3)), Next::WaitUntil(start + DELAY));
    }

    #[test]
    fn a_slow_batch_is_remembered_for_a_while() {
        let mut queue = queue(1, 4);
        for (took, remembered) in [(80, 80), (1, 70), (90, 90), (1, 78)] {
            queue.took(Duration::from_millis(took));
            assert_eq!(queue.batch_time.as_millis(), remembered);
        }
    }

    #[test]
    fn a_hot_device_computes_less_and_holds_the_backlog_back() {
        let (start, mut queue) = (Instant::now(), queue(4, 20));
        for n in 0..4 {
            queue.push(Priority::Backlog, start, None, n).unwrap();
        }
        queue.admit(Admission { max_batch: 1, backlog: false });
        assert_eq!(queue.next(start + DELAY), Next::Idle);
        queue.push(Priority::Live, start, None, 10).unwrap();
        queue.push(Priority::Live, start, None, 11).unwrap();
        assert_eq!(queue.next(start), Next::Run(vec![10]));
        assert_eq!(queue.next(start), Next::Run(vec![11]));
        assert_eq!(queue.next(start + DELAY), Next::Idle);
        queue.admit(Admission::default());
        assert_eq!(queue.next(start), Next::Run(vec![0, 1, 2, 3]));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_batch_is_too_large(
            arrivals in proptest::collection::vec(priority(), 0..200), max_batch in 1usize..9,
        ) {
            let start = Instant::now();
            let mut queue = queue(max_batch, 400);
            let mut out = Vec::new();
            for (n, priority) in arrivals.iter().enumerate() {
                queue.push(*priority, start, None, n as u32).unwrap();
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
                queue.push(Priority::Backlog, start, None, n).unwrap();
            }
            // A storm: more urgent arrivals before each batch than a batch can take.
            for _ in 0..FAIR_EVERY * (older + 1) {
                for _ in 0..=max_batch {
                    queue.push(Priority::Urgent, start, None, 1_000_000).unwrap();
                }
                if let Next::Run(batch) = queue.next(start) && batch.contains(&older) {
                    return Ok(());
                }
            }
            prop_assert!(false, "request {older} was starved");
        }
    }
}
