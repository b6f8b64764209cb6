//! The inference process: a child that owns ONNX Runtime, the session and whatever a provider leaks. The parent's side
//! ([`process`]), the child's side ([`child`]) and what they say to each other ([`frame`]).
//!
//! A provider that crashes, hangs or grows takes this process with it and nothing else; its batch is run again by the next.

mod child;
pub mod frame;
mod process;

use std::path::PathBuf;
use std::time::Duration;

pub use child::child_main;
pub(super) use frame::Setup;
pub(super) use process::Process;

/// How an inference process is started and how long it is waited for.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The program; it must end up in [`child_main`].
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Longest silence while it loads the model: each step that it tells of begins the time anew. Where TensorRT may build
    /// engines, [`BUILDING`] is added.
    pub start_within: Duration,
    /// The least time that a batch gets; see [`batch_deadline`].
    pub batch_floor: Duration,
}

impl WorkerConfig {
    /// Limits for a machine that does other work, too. Two minutes without a word is far over any step on the CPU and over
    /// the opening of a CUDA session.
    /// Ten seconds for a batch that takes a tenth of one is a hang and no delay.
    #[must_use]
    pub fn new(program: PathBuf, args: Vec<String>) -> Self {
        Self { program, args, start_within: Duration::from_secs(120), batch_floor: Duration::from_secs(10) }
    }
}

/// What the building of a model's TensorRT engines may take: ten minutes were seen on small boards, and three times that is
/// a hang.
pub(super) const BUILDING: Duration = Duration::from_secs(1800);

/// How much slower than in its warm-up a batch may be before the process counts as hung: other work on the machine and
/// a throttled GPU make it several times slower, a hang makes it endless.
const SLOWER: u32 = 20;

/// How long a batch may take: [`SLOWER`] times as long as the largest batch took in the warm-up, and not less than `floor`.
#[must_use]
pub fn batch_deadline(warm: Duration, floor: Duration) -> Duration {
    (warm * SLOWER).max(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gets_its_floor_or_many_times_its_warm_up() {
        let ms = Duration::from_millis;
        for (warm, floor, deadline) in [(ms(5), ms(1000), ms(1000)), (ms(100), ms(1000), ms(2000))] {
            assert_eq!(batch_deadline(warm, floor), deadline);
        }
    }
}
