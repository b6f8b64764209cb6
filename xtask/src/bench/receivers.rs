//! The programs that images are sent to, started afresh for each trial on a private port and in a folder of their own, and
//! how a trial goes: the same for all.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use lab::process::Process;

use super::Ground;
use super::contestants::{Contestant, Size};
use super::figures::Pace;
use super::{senders, tree};

mod hilum;
mod orthanc;
mod pipeline;
mod storescp;

pub(super) use hilum::Hilum;

/// How many there are of something now.
type Count = Box<dyn Fn() -> anyhow::Result<usize>>;

/// A program that receives.
pub(super) struct Receiver {
    /// Where it listens on 127.0.0.1.
    pub(super) port: u16,
    /// It.
    pub(super) process: Process,
    /// Images that it has kept.
    pub(super) kept: Count,
    /// Results that it has committed; `None` where it does not read.
    pub(super) results: Option<Count>,
}

/// How long results may take after the last image was taken. The slowest contestant reads a few images a second.
const RESULTS: Duration = Duration::from_secs(120);

/// Between two looks at the number of results: well under one image's time.
const PAUSE: Duration = Duration::from_millis(5);

/// One trial of a contestant that receives. `folder` is empty and its own.
///
/// # Errors
/// Where it does not start, refuses an image, loses one or answers one otherwise than by reading it.
pub(super) fn pace(ground: &Ground, contestant: Contestant, size: Size, folder: &Path) -> anyhow::Result<Pace> {
    let mut receiver = match contestant {
        Contestant::Whole => Hilum::start(&ground.programs, folder, true)?.receiver,
        Contestant::Ingest => Hilum::start(&ground.programs, folder, false)?.receiver,
        Contestant::Pipeline => pipeline::start(folder, ground.threads)?,
        Contestant::Orthanc => orthanc::start(folder)?,
        Contestant::Storescp => storescp::start(folder)?,
        Contestant::WriteAndSync | Contestant::Runtime => bail!("{contestant:?} receives nothing"),
    };
    let measured = measure(&mut receiver, ground, size);
    measured.map_err(|error| anyhow!("{error:#}; the end of its log:\n{}", receiver.process.last_words()))
}

/// A few images before the clock starts, so that nobody's first-time costs count; then all of them.
fn measure(receiver: &mut Receiver, ground: &Ground, size: Size) -> anyhow::Result<Pace> {
    let (warm_up, films) = (ground.films.warm_up(size), ground.films.of(size));
    senders::send(receiver.port, warm_up)?;
    wait_for_results(receiver, warm_up.len())?;
    let spent_before = tree::spent(receiver.process.id());
    let sent = senders::send(receiver.port, films)?;
    let results = wait_for_results(receiver, warm_up.len() + films.len())?;
    let spent = tree::spent(receiver.process.id()) - spent_before;
    let kept = (receiver.kept)()?;
    if kept != warm_up.len() + films.len() {
        bail!("{} images were taken and {kept} are kept", warm_up.len() + films.len());
    }
    // From the first success on, so one image fewer.
    let took = results.unwrap_or(sent.last).duration_since(sent.first);
    Ok(Pace {
        images_per_second: (films.len() - 1) as f64 / took.as_secs_f64(),
        spent_ms: Some(spent * 1e3 / films.len() as f64),
    })
}

/// When the last result was there; `None` where the receiver does not read.
pub(super) fn wait_for_results(receiver: &mut Receiver, wanted: usize) -> anyhow::Result<Option<Instant>> {
    let Some(results) = &receiver.results else { return Ok(None) };
    let end = Instant::now() + RESULTS;
    loop {
        let there = results()?;
        if there >= wanted {
            return Ok(Some(Instant::now()));
        }
        if let Some(status) = receiver.process.ended()? {
            bail!("it ended by itself ({status})");
        }
        if Instant::now() > end {
            bail!("{there} of {wanted} results after {} s", RESULTS.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}

/// Waits until a C-ECHO is answered.
fn wait_until_it_echoes(process: &mut Process, port: u16) -> anyhow::Result<()> {
    process.wait_until(|| senders::echoes(port))
}

/// Files directly in a folder.
fn files_in(folder: &Path, ending: &str) -> anyhow::Result<usize> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("{} cannot be listed", folder.display()))?;
    Ok(listed.flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(ending)).count())
}
