//! How many inference processes there are, how many threads each has and how many images it takes at once, where the
//! configuration leaves it open. Pure.
//!
//! On a GPU one process fills it, with batches. On a CPU threads that share out one image wait for each other, so each
//! core has a process of its own that takes one image after the other: ONNX Runtime alone is fastest so, too, as
//! docs/BENCHMARKS.md shows.

use std::num::NonZero;
use std::thread::available_parallelism;

use reader::model::ProviderChoice;

/// Processes at most where nobody says otherwise: each holds a model of its own, some 150 MiB, and no hospital's scanners
/// fill more.
const MOST_PROCESSES: usize = 4;

/// Images at once on a GPU: eight take little longer than one.
const GPU_BATCH: usize = 8;

/// What the configuration says of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Inference processes.
    pub workers: Option<usize>,
    /// Threads of each; 0 shares the cores out.
    pub threads: usize,
    /// Images in a batch.
    pub max_batch: Option<usize>,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Inference processes, 1 or more.
    pub workers: usize,
    /// Threads of each, 1 or more.
    pub threads: usize,
    /// Images in a batch, 1 or more.
    pub max_batch: usize,
}

/// What `asked` comes to on this machine.
#[must_use]
pub fn here(asked: Asked, provider: ProviderChoice) -> Layout {
    let cores = available_parallelism().map_or(1, NonZero::get);
    layout(asked, cores, provider.may_meet_a_gpu())
}

fn layout(asked: Asked, cores: usize, gpu: bool) -> Layout {
    let usual = if gpu { 1 } else { cores.clamp(1, MOST_PROCESSES) };
    let workers = asked.workers.unwrap_or(usual);
    let share = (cores / workers).max(1);
    Layout {
        workers,
        threads: if asked.threads == 0 { share } else { asked.threads },
        max_batch: asked.max_batch.unwrap_or(if gpu { GPU_BATCH } else { 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_core_has_its_process_and_a_gpu_has_one() {
        let open = Asked::default();
        let asked = |workers, threads, max_batch| Asked { workers: Some(workers), threads, max_batch: Some(max_batch) };
        for (asked, cores, gpu, expected) in [
            (open, 1, false, (1, 1, 1)),
            (open, 2, false, (2, 1, 1)),
            (open, 4, false, (4, 1, 1)),
            (open, 16, false, (4, 4, 1)),
            (open, 8, true, (1, 8, 8)),
            (asked(1, 0, 4), 4, false, (1, 4, 4)),
            (asked(3, 0, 1), 2, false, (3, 1, 1)),
            (asked(2, 5, 16), 4, true, (2, 5, 16)),
        ] {
            let Layout { workers, threads, max_batch } = layout(asked, cores, gpu);
            assert_eq!((workers, threads, max_batch), expected, "{asked:?} {cores} {gpu}");
        }
    }
}
