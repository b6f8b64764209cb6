//! The child's side: load and prove the model, then answer batches until the parent goes. The only process that loads
//! ONNX Runtime.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, nice, setrlimit};

use super::frame::{self, Answer, IMAGE, Ready, Setup, Word};
use crate::model::{LoadError, Loaded};

/// Runs of the largest batch before the first image: the first allocates and chooses kernels, the second is measured.
const WARM_UPS: u32 = 2;

/// Politeness of a candidate in shadow, 0 to 19: the most.
const YIELDING: i32 = 19;

/// Serves the parent at the other end of standard input: the body of the hidden subcommand that
/// [`super::WorkerConfig::args`] names. It says nothing to a person; its parent draws the conclusions.
#[must_use]
pub fn child_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // A core dump would hold patients' images.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let setup: Setup = frame::read(&mut &stream)?;
    if setup.yielding {
        nice(YIELDING)?;
    }
    leave_with_the_parent(stream.try_clone()?)?;
    match open(&setup, |step| frame::write(&mut &stream, &Word::Progress(step.to_owned()))) {
        Err(Unopened::Refused(error)) => frame::write(&mut &stream, &Word::Refused(words(&error))),
        Err(Unopened::Gone(error)) => Err(error),
        Ok((mut loaded, ready)) => {
            frame::write(&mut &stream, &Word::Ready(Box::new(ready)))?;
            answer_batches(&stream, &mut loaded)
        }
    }
}

enum Unopened {
    Refused(LoadError),
    Gone(io::Error),
}

impl From<LoadError> for Unopened {
    fn from(error: LoadError) -> Self {
        Self::Refused(error)
    }
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

fn open(setup: &Setup, mut tell: impl FnMut(&str) -> io::Result<()>) -> Result<(Loaded, Ready), Unopened> {
    tell(
        "verifying the model bundle, loading it and reading its golden radiographs; \
         TensorRT builds its engines here the first time, which takes minutes",
    )?;
    let mut loaded = Loaded::open(&setup.bundle, &setup.trust, &setup.site, &setup.library, &setup.session)?;
    tell("warming the model up")?;
    let batch = vec![[0u8; IMAGE]; setup.session.max_batch.max(1)];
    // Each size of batch allocates its buffers at its first run, and GPU providers choose kernels for it.
    for images in 1..batch.len() {
        loaded.run(&batch[..images])?;
    }
    let mut warm_ms = 0.0;
    for _ in 0..WARM_UPS {
        let started = Instant::now();
        loaded.run(&batch)?;
        warm_ms = elapsed_ms(started);
    }
    loaded.proved()?;
    let ready = Ready { version: env!("CARGO_PKG_VERSION").to_owned(), model: loaded.info.clone(), warm_ms };
    Ok((loaded, ready))
}

fn answer_batches(stream: &UnixStream, loaded: &mut Loaded) -> io::Result<()> {
    let (mut from, mut to) = (stream, stream);
    let mut images = Vec::new();
    while let Some(id) = frame::read_batch(&mut from, &mut images)? {
        let started = Instant::now();
        let answer = match loaded.run(&images.chunks(IMAGE).collect::<Vec<_>>()) {
            Ok(outputs) => Answer::Outputs { outputs, compute_ms: elapsed_ms(started) },
            Err(error) => Answer::Failed(words(&error)),
        };
        frame::write_answer(&mut to, id, &answer)?;
    }
    Ok(())
}

/// Ends this process when the parent's end is closed, also in the middle of a batch: nobody waits for its answer, and a
/// driver that hangs must not keep an orphan alive.
#[allow(clippy::disallowed_methods, reason = "this process holds nothing that must be closed in order")]
fn leave_with_the_parent(stream: UnixStream) -> io::Result<()> {
    let watch = move || {
        // No events asked for: only the hang-up, which is always told, ends the wait; a signal begins it anew.
        while poll(&mut [PollFd::new(&stream, PollFlags::empty())], None).is_err() {}
        std::process::exit(0);
    };
    thread::Builder::new().name("parent".into()).spawn(watch).map(|_| ())
}

/// An error with its causes, in one line.
fn words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
