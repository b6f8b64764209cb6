//! One started program: its log in a file, its end certain. It never waits for ever and leaves nothing running.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::patience::{self, STOP};

/// Lines of a log that are shown when its program failed: enough for an error and what led to it.
const TAIL: usize = 12;

/// A running program; it is asked to stop, and then made to, when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// A program to be started, whose end is bound to this process: if this one is killed, so is it.
///
/// It gets a process group of its own, so that Ctrl-C reaches only this process, which then stops the others in order.
#[must_use]
pub fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).process_group(0).stdin(Stdio::null());
    command
}

/// Sends `signal` to processes by their numbers as `/proc` writes them; gives how many were there. One that has just ended by
/// itself is not.
///
/// # Errors
/// Where one is no number, or not ours.
pub fn signal(signal: Signal, processes: &[String]) -> anyhow::Result<usize> {
    let mut reached = 0;
    for process in processes {
        let process = process.parse().ok().and_then(Pid::from_raw).context("a process has a number")?;
        match kill_process(process, signal) {
            Err(rustix::io::Errno::SRCH) => {}
            other => {
                other.with_context(|| format!("signalling process {process:?}"))?;
                reached += 1;
            }
        }
    }
    Ok(reached)
}

/// Runs a program to its end and gives what it wrote to stdout.
///
/// # Errors
/// Where it can't be started, or fails; then with what it wrote to stderr.
pub fn finish<S: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = S>) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    if !output.status.success() {
        bail!("{} failed ({}): {}", program.display(), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} did not answer with text", program.display()))
}

impl Process {
    /// Starts `command` with stdout and stderr appended to `log`.
    ///
    /// # Errors
    /// Where the log can't be written or the program can't be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("the log {} cannot be written", log.display()))?;
        let both = file.try_clone().with_context(|| format!("the log {} cannot be shared", log.display()))?;
        let child = command.stdout(file).stderr(both).spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number, for whoever wants to look at it in /proc.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it logs.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its exit status, once it has one.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("{} cannot be watched", self.name))
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    /// Where it ends instead, or takes too long; both with the end of its log.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let (name, log) = (self.name.clone(), self.log.clone());
        let waited = patience::until(&format!("{name} to be ready"), patience::START, || match self.ended()? {
            Some(status) => bail!("{name} ended while it started ({status})"),
            None => Ok(ready().then_some(())),
        });
        waited.with_context(|| format!("the end of {}:\n{}", log.display(), tail(&log, TAIL)))
    }

    /// Sends SIGHUP: to most services, "read your files again".
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::HUP)
            .with_context(|| format!("{} cannot be sent a signal", self.name))
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().with_context(|| format!("{} cannot be killed", self.name))?;
        self.child.wait().with_context(|| format!("{} cannot be waited for", self.name))?;
        Ok(())
    }

    /// Asks it to stop, and gives its exit status.
    ///
    /// # Errors
    /// Where it does not stop within [`STOP`]; it is killed then.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.stop_within(STOP)
    }

    /// [`Self::stop`] with another grace.
    ///
    /// # Errors
    /// Where it does not stop in time; it is killed then.
    pub fn stop_within(&mut self, grace: Duration) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} has no process id", self.name))?;
        // It may end between the question above and this signal; the wait below tells.
        let _ = kill_process(pid, Signal::TERM);
        let what = format!("{} to stop", self.name);
        let stopped = patience::until(&what, grace, || self.ended());
        if stopped.is_err() {
            self.kill()?;
        }
        stopped
    }

    /// Sends it a signal such as SIGSTOP.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} has no process id", self.name))?;
        kill_process(pid, signal).with_context(|| format!("{} takes no signal", self.name))
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        tail(&self.log, TAIL)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody is left to tell: `stop` has killed it where it did not stop.
        let _ = self.stop();
    }
}

/// The last `lines` of a file.
#[must_use]
pub fn tail(file: &Path, lines: usize) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Process) {
        let folder = tempfile::tempdir().unwrap();
        let mut sh = command(Path::new("/bin/sh"));
        sh.args(["-c", script]);
        let process = Process::start("a shell", sh, &folder.path().join("log")).unwrap();
        (folder, process)
    }

    #[test]
    fn one_that_ends_too_early_is_told_with_its_last_words() {
        let (_folder, mut process) = shell("echo 'no such model' >&2; exit 3");
        let words = format!("{:#}", process.wait_until(|| false).unwrap_err());
        assert!(words.contains("no such model") && words.contains("exit status: 3"), "{words}");
    }

    #[test]
    fn one_that_does_not_listen_is_killed_after_the_grace() {
        let (_folder, mut process) = shell("trap '' TERM; echo up; while :; do sleep 1; done");
        let log = process.log().to_owned();
        process.wait_until(|| tail(&log, 1) == "up").unwrap();
        assert!(process.stop_within(Duration::from_millis(300)).is_err());
        assert!(process.ended().unwrap().is_some());
    }

    #[test]
    fn one_that_listens_ends_by_itself() {
        let (_folder, mut process) = shell("trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done");
        let log = process.log().to_owned();
        process.wait_until(|| tail(&log, 1) == "up").unwrap();
        assert_eq!(process.stop().unwrap().code(), Some(7));
    }
}
