//! The child's side: lower the limits, then read jobs until the parent closes the pipe. Runs in its own process, says
//! nothing on standard error, and dies rather than guesses.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::frame::{self, Job, Reply};
use crate::pixels::{Limits, prepare};

/// Serves jobs from standard input to standard output until it is closed: the body of the hidden subcommand that
/// [`super::SandboxConfig::args`] names. It never returns an error to a person; its parent draws the conclusions.
#[must_use]
pub fn child_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let Some(limits) = frame::read::<Limits>(&mut input)? else { return Ok(()) };
    if let Err(error) = lower_limits(&limits) {
        return frame::write(&mut output, &not_now("its limits could not be lowered", &error));
    }
    frame::write(&mut output, &Reply::Hello { version: env!("CARGO_PKG_VERSION").into() })?;
    while let Some(Job { path, limits }) = frame::read(&mut input)? {
        if let Err(error) = lower_limits(&limits) {
            return frame::write(&mut output, &not_now("its limits could not be lowered", &error));
        }
        if let Err(error) = look(&path) {
            frame::write(&mut output, &not_now("the stored file could not be read", &error))?;
            continue;
        }
        // A parent that has gone takes no header, and then no result either: the write below ends this process.
        let prepared = prepare(&path, &limits, |about| {
            let _ = frame::write(&mut output, &Reply::Header(Box::new(about.clone())));
        });
        frame::write(&mut output, &Reply::Done { pixels: prepared.pixels, decode_ms: prepared.decode_ms })?;
    }
    Ok(())
}

/// Whether the file can be read at all. One that is missing can be answered for good; any other error is the machine's.
fn look(path: &Path) -> io::Result<()> {
    let read = File::open(path).and_then(|mut file| file.read(&mut [0; 132]));
    match read {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The kind of an error has no path in it.
fn not_now(what: &str, error: &io::Error) -> Reply {
    Reply::NotNow { what: format!("{what}: {}", error.kind()) }
}

/// Address space for good, processor time from now on; no core dump, which would hold a patient's image.
fn lower_limits(limits: &Limits) -> io::Result<()> {
    let fixed = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Core, fixed(0))?;
    setrlimit(Resource::As, fixed(limits.memory_bytes))?;
    let spent = clock_gettime(ClockId::ProcessCPUTime).tv_sec.unsigned_abs();
    // RLIMIT_CPU counts the whole life of the process in seconds, so each job's budget is put on top; the hard limit stays.
    let budget = limits.cpu.max(Duration::from_secs(1)).as_secs_f64().ceil() as u64;
    let maximum = getrlimit(Resource::Cpu).maximum;
    setrlimit(Resource::Cpu, Rlimit { current: Some(spent + budget), maximum })?;
    Ok(())
}
