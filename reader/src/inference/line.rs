//! The line of requests: callers push, seats take. One lock, held for queue operations only, never while a model runs.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::batcher::{Admission, BatchPolicy, Next, Priority, Queue};
use super::{InferError, Inference};

/// What a caller gets.
pub(super) type Answer = Result<Inference, InferError>;

/// One image on its way.
pub(super) struct Request {
    pub(super) image: Vec<u8>,
    pub(super) since: Instant,
    /// When its answer is wanted.
    pub(super) deadline: Option<Instant>,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What a seat gets when it asks.
pub(super) enum Taken {
    /// Compute these.
    Batch(Vec<Request>),
    /// Nothing to compute; look around.
    Nothing,
    /// Leave.
    Closed,
}

struct State {
    queue: Queue<Request>,
    closed: bool,
    calls: u64,
}

pub(super) struct Line {
    state: Mutex<State>,
    changed: Condvar,
    admission: watch::Sender<Admission>,
}

impl Line {
    pub(super) fn new(policy: BatchPolicy, capacity: usize) -> Self {
        let state = State { queue: Queue::new(policy, capacity), closed: false, calls: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new(), admission: watch::Sender::new(Admission::default()) }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Adds a request, or says why not.
    pub(super) fn push(&self, priority: Priority, request: Request) -> Result<(), InferError> {
        let mut state = self.lock();
        if state.closed {
            return Err(InferError::Stopped);
        }
        let capacity = state.queue.room_for(priority);
        let (since, deadline) = (request.since, request.deadline);
        state.queue.push(priority, since, deadline, request).map_err(|_| InferError::Full { capacity })?;
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a batch, for a call that is newer than `heard`, or for `longest`.
    pub(super) fn take(&self, heard: &mut u64, longest: Duration) -> Taken {
        let until = Instant::now() + longest;
        let mut state = self.lock();
        loop {
            if state.closed {
                return Taken::Closed;
            }
            let now = Instant::now();
            let due = match state.queue.next(now) {
                Next::Run(requests) => return Taken::Batch(requests),
                Next::Idle => until,
                Next::WaitUntil(due) => due.min(until),
            };
            if state.calls != *heard || now >= until {
                *heard = state.calls;
                return Taken::Nothing;
            }
            state = self.wait(state, due.saturating_duration_since(now));
        }
    }

    /// Waits without taking anything: until `longest` has passed or somebody calls. False once closed.
    pub(super) fn rest(&self, heard: &mut u64, longest: Duration) -> bool {
        let until = Instant::now() + longest;
        let mut state = self.lock();
        while !state.closed && state.calls == *heard && Instant::now() < until {
            state = self.wait(state, until.saturating_duration_since(Instant::now()));
        }
        *heard = state.calls;
        !state.closed
    }

    /// When a batch is full from now on, and how long it waits to become so.
    pub(super) fn follow(&self, policy: BatchPolicy) {
        self.lock().queue.follow(policy);
        self.call();
    }

    /// How much is let through from now on.
    pub(super) fn admit(&self, admission: Admission) {
        self.lock().queue.admit(admission);
        self.admission.send_replace(admission);
        self.call();
    }

    /// How much is let through, now and whenever it changes.
    pub(super) fn admission(&self) -> watch::Receiver<Admission> {
        self.admission.subscribe()
    }

    /// How long a batch took.
    pub(super) fn took(&self, time: Duration) {
        self.lock().queue.took(time);
    }

    /// Makes every seat look around.
    pub(super) fn call(&self) {
        self.lock().calls += 1;
        self.changed.notify_all();
    }

    /// Nobody is served any more; who waits is told so by the dropping of its request.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        drop(state.queue.drain());
        drop(state);
        self.changed.notify_all();
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The queue stays sound when a holder panics, because each operation on it is complete or not begun.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
