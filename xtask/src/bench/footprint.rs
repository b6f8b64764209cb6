//! What the appliance takes while nothing comes, how soon it is there, and whether its memory stays flat over many images.

use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use lab::place;

use super::contestants::Size;
use super::figures::Spread;
use super::receivers::{self, Hilum};
use super::tree::{self, Held};
use super::{Ground, films, rounds, senders};

/// Starts that are timed.
const STARTS: usize = 5;

/// After the model is ready, until memory is looked at: what was only needed to start is given back by then.
const REST: Duration = Duration::from_secs(3);

/// Images that are sent between two looks at the memory.
const PORTION: usize = 500;

/// At rest.
pub(super) struct AtRest {
    /// From exec to the first C-ECHO success, milliseconds.
    pub(super) ready_ms: Spread,
    /// Every process of the idle service.
    pub(super) idle: Vec<Held>,
}

/// Memory over many images.
pub(super) struct Soak {
    /// Images sent and read.
    pub(super) images: usize,
    /// Memory without the model after each portion, MiB.
    pub(super) without_model_mib: Vec<f64>,
    /// Every process at the end.
    pub(super) end: Vec<Held>,
}

impl Soak {
    /// What was added after the first tenth, MiB.
    pub(super) fn growth_mib(&self) -> f64 {
        let samples = &self.without_model_mib;
        let early = samples.get(samples.len() / 10).copied().unwrap_or_default();
        samples.last().copied().unwrap_or_default() - early
    }
}

/// Starts it some times, and looks at it when it has nothing to do.
pub(super) fn at_rest(ground: &Ground, line: &ProgressBar) -> anyhow::Result<AtRest> {
    let (mut ready, mut idle) = (Vec::new(), Vec::new());
    for start in 1..=STARTS {
        line.set_message(format!("start {start} of {STARTS}"));
        let running = Fresh::start(ground)?;
        ready.push(running.hilum.ready_ms);
        if start == STARTS {
            std::thread::sleep(REST);
            idle = tree::memory(running.hilum.receiver.process.id());
        }
    }
    Ok(AtRest { ready_ms: Spread::of(&ready).context("no start was timed")?, idle })
}

/// Sends `images` different small images and looks at the memory after each portion.
pub(super) fn soak(ground: &Ground, images: usize, line: &ProgressBar) -> anyhow::Result<Soak> {
    let mut running = Fresh::start(ground)?;
    let folder = running.folder.join("films");
    let drawn = ground.films.warm_up(Size::Small);
    let mut without_model_mib = Vec::new();
    for first in (0..images).step_by(PORTION) {
        line.set_message(format!("{first} of {images}"));
        place::make(&folder)?;
        let count = PORTION.min(images - first);
        let mut files = Vec::with_capacity(count);
        for (turn, film) in drawn.iter().enumerate() {
            files.extend(films::copies(film, &folder, (first..first + count).skip(turn).step_by(drawn.len()))?);
        }
        senders::send(running.hilum.receiver.port, &files)?;
        receivers::wait_for_results(&mut running.hilum.receiver, first + count)?;
        without_model_mib.push(tree::without_model(&tree::memory(running.hilum.receiver.process.id())));
        std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    let end = tree::memory(running.hilum.receiver.process.id());
    Ok(Soak { images, without_model_mib, end })
}

/// A service in a fresh folder; both are gone when it is dropped.
struct Fresh<'a> {
    hilum: Hilum,
    folder: std::path::PathBuf,
    ground: &'a Ground,
}

impl<'a> Fresh<'a> {
    fn start(ground: &'a Ground) -> anyhow::Result<Self> {
        let folder = ground.folder.join("alone");
        place::make(&folder)?;
        Ok(Self { hilum: Hilum::start(&ground.programs, &folder, true)?, folder, ground })
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        // Whatever of this fails is met again, and told, by the next trial.
        let _ = self.hilum.receiver.process.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
        let _ = rounds::settle(self.ground);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_counts_from_the_first_tenth_on() {
        let soak = |without_model_mib: Vec<f64>| Soak { images: 0, without_model_mib, end: Vec::new() };
        let mut samples = vec![40.0; 20];
        (samples[0], samples[1], samples[19]) = (20.0, 30.0, 43.0);
        assert!((soak(samples).growth_mib() - 3.0).abs() < 1e-9);
        assert!(soak(vec![5.0]).growth_mib().abs() < 1e-9);
    }
}
