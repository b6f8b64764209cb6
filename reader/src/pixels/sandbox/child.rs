//! The child's side: lower the limits, give up every system call that decoding does not need, then read jobs until the parent closes the socket. Runs in its own process, says
//! nothing on standard error, and dies rather than guesses.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::confinement::confine;
use super::frame::{self, Job, Reply};
use crate::pixels::{Limits, Prepared, Unavailable, load, prepare};

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
    // Not the buffered standard input: a file travels with the very bytes that are read.
    let (mut input, mut output) = (UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?), io::stdout().lock());
    let Some(limits) = frame::read::<Limits>(&mut input)? else { return Ok(()) };
    if let Err(error) = lower_limits(&limits) {
        return frame::write(&mut output, &not_now("its limits could not be lowered", &error));
    }
    let unconfined = confine().err().map(|error| error.to_string());
    frame::write(&mut output, &Reply::Hello { version: env!("CARGO_PKG_VERSION").into(), unconfined })?;
    while let Some((Job { limits }, object)) = frame::read_with_file(&input)? {
        if let Err(error) = lower_limits(&limits) {
            return frame::write(&mut output, &not_now("its limits could not be lowered", &error));
        }
        let reply = answer(object, &limits, &mut output);
        frame::write(&mut output, &reply)?;
    }
    Ok(())
}

/// The last word on one object; its header is told in between.
fn answer(object: File, limits: &Limits, output: &mut impl io::Write) -> Reply {
    let started = Instant::now();
    let pixels = match load(object, limits) {
        Err(Unavailable::NotNow(error)) => return not_now("the stored file could not be read", &error),
        Err(Unavailable::Never(unreadable)) => Err(unreadable),
        Ok(bytes) => {
            // A parent that has gone takes no header, and then no result either: the next write ends this process.
            let Prepared { pixels, .. } = prepare(&bytes, limits, |about| {
                let _ = frame::write(output, &Reply::Header(Box::new(about.clone())));
            });
            pixels
        }
    };
    Reply::Done { pixels, decode_ms: started.elapsed().as_secs_f64() * 1e3 }
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
