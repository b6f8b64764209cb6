//! The parent's side of one inference process: start it, hear what it is, give it batches, wait no longer than allowed.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frame::{self, Answer, Ready, Setup, Word};
use super::{BUILDING, WorkerConfig, batch_deadline};
use crate::inference::OpenError;
use crate::inference::runner::{Fault, Ran, Runner, Stop};
use crate::model::{ModelInfo, ProviderChoice};

/// Variables that the child keeps, by how they begin: where libraries lie, and what drivers and runtimes read. The rest of
/// the environment, with whatever the service manager put there for the parent, is not the child's business.
const KEPT: [&str; 8] = ["LD_LIBRARY_PATH", "PATH", "HOME", "TMPDIR", "CUDA_", "NVIDIA_", "ORT_", "TZ"];

/// How often a wait looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(200);

/// Time for a killed process to be gone: it takes milliseconds unless its driver hangs.
const DYING: Duration = Duration::from_secs(2);

/// A running inference process; it is killed when dropped.
pub(in crate::inference) struct Process {
    child: Child,
    stream: UnixStream,
    model: Arc<ModelInfo>,
    allowed: Duration,
    batches: u64,
    stop: Stop,
}

impl Process {
    /// Starts a process and waits until it has proved the model; `tell` hears each step.
    pub(in crate::inference) fn start(
        config: &WorkerConfig,
        setup: &Setup,
        stop: &Stop,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Process { program: config.program.clone(), source };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let child = command(config, theirs).spawn().map_err(failed)?;
        // From here on the child is killed where this function leaves early.
        let mut process = Unproven { child: Some(child) };
        // On a machine without an NVIDIA driver nothing is built.
        let builds = setup.session.provider != ProviderChoice::Cuda && setup.session.provider.may_meet_a_gpu();
        let silence = config.start_within + if builds { BUILDING } else { Duration::ZERO };
        let mut patience = Patience { stream: &ours, deadline: Instant::now() + silence, stop };
        let ready = match hear(&mut patience, setup, silence, tell) {
            Ok(Ok(ready)) => ready,
            Ok(Err(words)) => return Err(OpenError::Refused(words)),
            Err(error) => return Err(unready(config, &error)),
        };
        if ready.version != env!("CARGO_PKG_VERSION") || !ready.warm_ms.is_finite() {
            return Err(OpenError::NotAWorker { program: config.program.clone() });
        }
        let warm = Duration::from_secs_f64(ready.warm_ms.clamp(0.0, 3.6e6) / 1e3);
        let allowed = batch_deadline(warm, config.batch_floor);
        let child = process.child.take().ok_or_else(|| OpenError::NotAWorker { program: config.program.clone() })?;
        Ok(Self { child, stream: ours, model: Arc::new(ready.model), allowed, batches: 0, stop: stop.clone() })
    }
}

/// Says what to load and listens until the child is ready or refuses.
fn hear(
    patience: &mut Patience<'_>,
    setup: &Setup,
    silence: Duration,
    tell: &mut dyn FnMut(&str),
) -> io::Result<Result<Ready, String>> {
    frame::write(patience, setup)?;
    loop {
        match frame::read(patience)? {
            Word::Progress(step) => tell(&step),
            Word::Ready(ready) => return Ok(Ok(*ready)),
            Word::Refused(words) => return Ok(Err(words)),
        }
        patience.deadline = Instant::now() + silence;
    }
}

impl Runner for Process {
    fn model(&self) -> &Arc<ModelInfo> {
        &self.model
    }

    fn run(&mut self, images: &[&[u8]]) -> Result<Ran, Fault> {
        let started = Instant::now();
        self.batches += 1;
        let mut patience = Patience { stream: &self.stream, deadline: started + self.allowed, stop: &self.stop };
        let answer = frame::write_batch(&mut patience, self.batches, images)
            .and_then(|()| frame::read_answer(&mut patience, self.batches, images.len()));
        let total_ms = started.elapsed().as_secs_f64() * 1e3;
        match answer {
            Ok(Answer::Outputs { outputs, compute_ms }) => {
                let compute_ms = compute_ms.clamp(0.0, total_ms);
                Ok(Ran { outputs, compute_ms, transfer_ms: total_ms - compute_ms })
            }
            Ok(Answer::Failed(words)) => Err(Fault::Failed(words)),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::TimedOut => Fault::Hung(self.allowed),
                io::ErrorKind::InvalidData => Fault::Nonsense(error.to_string()),
                io::ErrorKind::ConnectionAborted => Fault::Stopped,
                _ => Fault::Died,
            }),
        }
    }

    fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        crate::inference::recycling::resident_bytes(&status)
    }

    fn batches(&self) -> u64 {
        self.batches
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A child that has not yet proved itself.
struct Unproven {
    child: Option<Child>,
}

impl Drop for Unproven {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            end(child);
        }
    }
}

/// It holds nothing that needs an orderly end. Killing fails only where it has ended meanwhile.
fn end(child: &mut Child) {
    let _ = child.kill();
    // A process that its driver holds in the kernel does not die of it, and nobody may wait for that; the worst that stays
    // is its entry in the process table.
    let until = Instant::now() + DYING;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn command(config: &WorkerConfig, socket: UnixStream) -> Command {
    let mut command = Command::new(&config.program);
    command
        .args(&config.args)
        .env_clear()
        .envs(kept(std::env::vars_os()))
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        // Its log goes where ours goes. A process group of its own: Ctrl-C in a terminal is for the parent to act on.
        .process_group(0);
    command
}

fn kept(all: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (OsString, OsString)> {
    let keeps = |name: &OsStr| KEPT.iter().any(|start| name.as_encoded_bytes().starts_with(start.as_bytes()));
    all.filter(move |(name, _)| keeps(name))
}

fn unready(config: &WorkerConfig, error: &io::Error) -> OpenError {
    let program = config.program.clone();
    match error.kind() {
        io::ErrorKind::TimedOut => OpenError::Silent { seconds: config.start_within.as_secs() },
        io::ErrorKind::ConnectionAborted => OpenError::Stopped,
        io::ErrorKind::InvalidData => OpenError::NotAWorker { program },
        _ => OpenError::Ended,
    }
}

/// A stream that is waited on until a deadline, or until nobody wants to wait any more (`ConnectionAborted`).
struct Patience<'a> {
    stream: &'a UnixStream,
    deadline: Instant,
    stop: &'a Stop,
}

impl Patience<'_> {
    fn attempt(&self, mut once: impl FnMut(&mut &UnixStream) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if self.stop.is_asked() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // A timeout of zero would mean for ever.
            let wait = Some(left.min(GLANCE).max(Duration::from_millis(1)));
            self.stream.set_read_timeout(wait)?;
            self.stream.set_write_timeout(wait)?;
            match once(&mut &*self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

impl Read for Patience<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.attempt(|stream| stream.read(buffer))
    }
}

impl Write for Patience<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.attempt(|stream| stream.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_sees_drivers_variables_and_no_others() {
        let all =
            ["LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "WATCHDOG_USEC"];
        let all = all.map(|name| (OsString::from(name), OsString::from("x")));
        let names: Vec<_> = kept(all.into_iter()).map(|(name, _)| name).collect();
        assert_eq!(names, ["LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"]);
    }

    #[test]
    fn a_silent_stream_is_waited_on_until_the_deadline_or_the_stop() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let stop = Stop::default();
        let mut patience = Patience { stream: &ours, deadline: Instant::now() + Duration::from_millis(5), stop: &stop };
        assert_eq!(patience.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        patience.deadline += Duration::from_secs(3600);
        stop.ask();
        assert_eq!(patience.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
}
