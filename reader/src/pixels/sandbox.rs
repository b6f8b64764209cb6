//! Hostile bytes are parsed in a child process that can be lost. A pool of such children: each lowers its own limits and
//! gives up its system calls before it touches a byte, gets one open file at a time and answers with the prepared image; one that dies, hangs or answers garbage
//! is killed and replaced, and the worst that a file has cost is itself.
//!
//! The API blocks: call it from `tokio::task::spawn_blocking` or a thread.

mod child;
mod confinement;
pub mod frame;
mod process;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

pub use child::child_main;

use super::{Limits, Prepared};
use process::Worker;

/// How to start children, and how many.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// The program, mostly the service's own executable.
    pub program: PathBuf,
    /// Arguments that make it call [`child_main`].
    pub args: Vec<String>,
    /// Children at most, 1 or more. Each may take [`Limits::memory_bytes`].
    pub workers: usize,
    /// What one file may cost.
    pub limits: Limits,
}

/// Why an image could not be prepared *this time*: nothing is known of the image.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The program could not be started.
    #[error("the decoding process {program} could not be started; check that the file exists and may be executed")]
    Start {
        /// Which.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It started, and did not say what a decoding process says.
    #[error("{program} did not answer as a decoding process; install all programs of one release together")]
    NotAWorker {
        /// Which.
        program: PathBuf,
    },
    /// It was killed, and not by us.
    #[error(
        "the decoding process was killed from outside, most likely because the machine ran out of memory; free some, the \
         image will be read again"
    )]
    Killed,
    /// The machine did not give it what it needs.
    #[error("the decoding process could not work ({what}); look at the disk's health and the service's permissions")]
    Machine {
        /// What was refused, without a path.
        what: String,
    },
    /// It was told to stop from outside.
    #[error(
        "the decoding process was stopped from outside, most likely by the service's shutdown; the image will be read again"
    )]
    Stopped,
}

/// A pool of decoding processes.
pub struct Sandbox {
    config: SandboxConfig,
    pool: Mutex<Pool>,
    returned: Condvar,
    unconfined: OnceLock<String>,
}

struct Pool {
    idle: Vec<Worker>,
    busy: usize,
}

impl Sandbox {
    /// A pool that starts its children when they are first needed.
    #[must_use]
    pub fn new(config: SandboxConfig) -> Self {
        let config = SandboxConfig { workers: config.workers.max(1), ..config };
        Self {
            config,
            pool: Mutex::new(Pool { idle: Vec::new(), busy: 0 }),
            returned: Condvar::new(),
            unconfined: OnceLock::new(),
        }
    }

    /// Why the system calls of its children are not filtered, where they are not; known from the first child on. They work
    /// all the same, under their limits of memory and time.
    #[must_use]
    pub fn unconfined(&self) -> Option<&str> {
        self.unconfined.get().map(String::as_str)
    }

    /// Prepares `object`, an open file of Part 10 bytes, in a child, from its first byte on wherever it stands; blocks while
    /// all children are busy, then at most `limits.wall` and a second. It needs not be open for writing, nor have a name.
    pub fn prepare(&self, object: &File) -> Result<Prepared, SandboxError> {
        let seat = self.take_seat();
        let mut worker = match seat.worker {
            Some(worker) => worker,
            None => self.start().inspect_err(|_| self.leave(None))?,
        };
        let outcome = worker.prepare(object, &self.config.limits);
        self.leave(worker.reusable().then_some(worker));
        outcome
    }

    fn start(&self) -> Result<Worker, SandboxError> {
        let worker = Worker::start(&self.config)?;
        if let Some(why) = &worker.unconfined
            && self.unconfined.set(why.clone()).is_ok()
        {
            tracing::warn!(why, "decoding processes run without a filter of system calls: use a kernel with seccomp");
        }
        Ok(worker)
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free place; brings an idle child that still lives if there is one.
    fn take_seat(&self) -> Seat {
        let mut pool = self.lock();
        while pool.busy >= self.config.workers {
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        pool.busy += 1;
        let worker = std::iter::from_fn(|| pool.idle.pop()).find_map(|mut worker| worker.alive().then_some(worker));
        Seat { worker }
    }

    fn leave(&self, worker: Option<Worker>) {
        let mut pool = self.lock();
        pool.busy -= 1;
        pool.idle.extend(worker);
        drop(pool);
        self.returned.notify_one();
    }
}

struct Seat {
    worker: Option<Worker>,
}

/// How long a child may take to say hello: it only has to be loaded from disk.
const START_TIMEOUT: Duration = Duration::from_secs(10);
