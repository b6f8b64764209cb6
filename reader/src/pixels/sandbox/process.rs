//! The parent's side of one child: start it, give it a job, wait no longer than allowed, and judge how it ended.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::frame::{self, Job, Reply};
use super::{START_TIMEOUT, SandboxConfig, SandboxError};
use crate::pixels::{About, Limits, Prepared, Unreadable};

/// Jobs after which a child is replaced: what a codec leaks or fragments stays bounded, at the cost of one start (some
/// milliseconds) in this many images.
const JOBS_PER_CHILD: u32 = 500;

pub(super) struct Worker {
    process: Child,
    jobs_out: UnixStream,
    replies: Receiver<Reply>,
    jobs: u32,
    spoiled: bool,
    /// Why its system calls are not filtered, where they are not.
    pub(super) unconfined: Option<String>,
}

impl Worker {
    pub(super) fn start(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let program = || config.program.clone();
        let failed = |source| SandboxError::Start { program: program(), source };
        // A socket, because only a socket can carry an open file.
        let (jobs_out, jobs_in) = UnixStream::pair().map_err(failed)?;
        let mut process = Command::new(&config.program)
            .args(&config.args)
            // No environment, no terminal, a process group of its own: Ctrl-C in a terminal is for the parent to act on.
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(jobs_in)))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let Some(stdout) = process.stdout.take() else {
            return Err(failed(std::io::Error::other("no pipe")));
        };
        let replies = listen(stdout).map_err(failed)?;
        let mut worker = Self { process, jobs_out, replies, jobs: 0, spoiled: false, unconfined: None };
        // A failed write means that it is gone, which the missing hello tells.
        let _ = frame::write(&mut worker.jobs_out, &config.limits);
        match worker.replies.recv_timeout(START_TIMEOUT) {
            Ok(Reply::Hello { version, unconfined }) if version == env!("CARGO_PKG_VERSION") => Ok({
                worker.unconfined = unconfined;
                worker
            }),
            Ok(Reply::NotNow { what }) => Err(SandboxError::Machine { what }),
            _ => Err(SandboxError::NotAWorker { program: program() }),
        }
    }

    /// May take another job.
    pub(super) fn reusable(&self) -> bool {
        !self.spoiled && self.jobs < JOBS_PER_CHILD
    }

    /// Has not died while it was idle.
    pub(super) fn alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    pub(super) fn prepare(&mut self, object: &File, limits: &Limits) -> Result<Prepared, SandboxError> {
        let started = Instant::now();
        self.jobs += 1;
        // A failed write means that the child is gone, which the wait below finds out and judges.
        let _ = frame::write_with_file(&self.jobs_out, &Job { limits: *limits }, object);
        let mut about = None;
        let (pixels, decode_ms) = match self.wait(started + limits.wall, &mut about) {
            Waited::Done(pixels, decode_ms) => (*pixels, decode_ms),
            Waited::NotNow(what) => return Err(SandboxError::Machine { what }),
            Waited::Late => {
                self.end();
                (Err(Unreadable::DecoderTimeout), elapsed_ms(started))
            }
            Waited::Gone => (Err(judge(self.end())?), elapsed_ms(started)),
        };
        Ok(Prepared { about, pixels, decode_ms })
    }

    fn wait(&self, deadline: Instant, about: &mut Option<About>) -> Waited {
        loop {
            match self.replies.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Reply::Header(header)) if about.is_none() => *about = Some(*header),
                Ok(reply) if !reply.is_sound() => return Waited::Gone,
                Ok(Reply::Done { pixels, decode_ms }) => return Waited::Done(Box::new(pixels), decode_ms),
                Ok(Reply::NotNow { what }) => return Waited::NotNow(what),
                Err(RecvTimeoutError::Timeout) => return Waited::Late,
                // Out of turn, impossible, or no more: not the child that was started.
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return Waited::Gone,
            }
        }
    }

    /// Kills what still runs and tells how it ended, if by itself.
    fn end(&mut self) -> Option<ExitStatus> {
        self.spoiled = true;
        // It closed its pipe a moment before it is reported dead; give the kernel that moment.
        let deadline = Instant::now() + Duration::from_secs(1);
        while Instant::now() < deadline && self.jobs > 0 {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            if !self.closing() {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // Fails only where it has ended meanwhile.
        let _ = self.process.kill();
        let _ = self.process.wait();
        None
    }

    /// Its pipe is closed, so it is on its way out.
    fn closing(&self) -> bool {
        matches!(self.replies.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It holds nothing that needs an orderly end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

enum Waited {
    Done(Box<Result<crate::pixels::Pixels, Unreadable>>, f64),
    NotNow(String),
    Late,
    Gone,
}

/// What a death says of the image, or that it says nothing.
fn judge(status: Option<ExitStatus>) -> Result<Unreadable, SandboxError> {
    let signal = status.and_then(|s| s.signal());
    let is = |s: Signal| signal == Some(s.as_raw());
    if is(Signal::XCPU) {
        Ok(Unreadable::DecoderTimeout)
    } else if is(Signal::TERM) || is(Signal::INT) || is(Signal::HUP) {
        Err(SandboxError::Stopped)
    } else if is(Signal::KILL) {
        // Our own kill is no status here; this one came from the kernel's want of memory or from a person.
        Err(SandboxError::Killed)
    } else {
        Ok(Unreadable::DecoderCrashed)
    }
}

/// Reads replies on a thread of its own, because a pipe cannot be waited on with a time limit. Ends with the pipe.
fn listen(mut stdout: ChildStdout) -> std::io::Result<Receiver<Reply>> {
    // A job has two replies; a child that says more is stopped by the full channel and then by the clock.
    let (sender, receiver) = sync_channel(2);
    thread::Builder::new().name("decoder-replies".into()).spawn(move || {
        while let Ok(Some(reply)) = frame::read(&mut stdout) {
            if sender.send(reply).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
