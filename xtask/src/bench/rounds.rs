//! Round after round, each contestant once in each, nobody beside another. A failed trial is told and the next one begins.

use std::time::Instant;

use anyhow::Context;
use indicatif::ProgressBar;
use lab::{place, process};

use super::contestants::{Contestant, Size, order};
use super::figures::{Figures, Pace};
use super::{Ground, ceilings, receivers};
use crate::step::Steps;

/// How many rounds, and when no further one begins.
pub(super) struct Plan {
    pub(super) rounds: u8,
    /// Whom to measure; all where none is named.
    pub(super) only: Vec<Contestant>,
    pub(super) until: Instant,
}

/// Measures all rounds.
pub(super) fn run(steps: &mut Steps, ground: &Ground, plan: &Plan) -> Figures {
    let mut figures = Figures::default();
    for round in 0..plan.rounds {
        if round > 0 && Instant::now() >= plan.until {
            println!("  the time is up: {round} of {} rounds were measured (see --minutes)", plan.rounds);
            break;
        }
        figures.begin_round();
        let title = format!("round {} of {}", round + 1, plan.rounds);
        // A round does not fail: its trials may.
        let _ = steps.run(&title, |line| {
            let order = order(round.into(), &plan.only);
            for (done, &trial) in order.iter().enumerate() {
                line.set_message(format!("{} of {}: {} {}", done + 1, order.len(), trial.0.words(), trial.1.words()));
                measure(ground, trial, &mut figures, line);
            }
            Ok(())
        });
    }
    figures
}

fn measure(ground: &Ground, (size, contestant): (Size, Contestant), figures: &mut Figures, line: &ProgressBar) {
    let words = format!("{}, {}", contestant.words().replace('*', ""), size.words());
    match measure_alone(ground, contestant, size) {
        Ok(pace) => {
            line.suspend(|| println!("  {:>7.1} images/s  {words}", pace.images_per_second));
            figures.keep((size, contestant), pace);
        }
        Err(error) => {
            line.suspend(|| println!("  failed: {words}: {error:#}"));
            let cause = error.root_cause().to_string();
            let cause = cause.lines().next().unwrap_or_default();
            figures.failures.push(format!("round {}: {words}: {cause}", figures.rounds()));
        }
    }
}

/// In a folder of its own; nothing of it is left on the disk or on its way there when the next one begins.
fn measure_alone(ground: &Ground, contestant: Contestant, size: Size) -> anyhow::Result<Pace> {
    let folder = ground.folder.join("trial");
    place::make(&folder)?;
    let pace = match contestant {
        Contestant::WriteAndSync => ceilings::write_and_sync(ground.films.of(size), &folder).map(ceiling),
        Contestant::Runtime => ceilings::runtime(ground).map(ceiling),
        _ => receivers::pace(ground, contestant, size, &folder),
    };
    std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    settle(ground)?;
    pace
}

fn ceiling(images_per_second: f64) -> Pace {
    Pace { images_per_second, spent_ms: None }
}

/// Waits until the file system has nothing left to write.
pub(super) fn settle(ground: &Ground) -> anyhow::Result<()> {
    process::finish("sync".as_ref(), ["--file-system".as_ref(), ground.folder.as_os_str()]).map(drop)
}
