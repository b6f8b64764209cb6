//! Runs other people's programs: quietly with a log and a moving line, or aloud. It decides nothing about the result.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use lab::{place, process};

/// Lines of a log that are shown when a program failed.
const TAIL: usize = 30;

/// Runs `command`, shows its latest line behind the step's, and keeps everything in `target/hilum/logs/{name}.log`.
///
/// # Errors
/// Where it can't be started or fails; then with the end of its log and where the rest is.
pub(crate) fn quietly(name: &str, command: &mut Command, line: &ProgressBar) -> anyhow::Result<()> {
    let path = log(name)?;
    let mut file = File::create(&path).with_context(|| format!("the log {} cannot be written", path.display()))?;
    let both = file.try_clone().with_context(|| format!("the log {} cannot be shared", path.display()))?;
    // cargo, npm and apt tell their progress on different streams; the one that is shown is stderr for cargo only.
    let by_stderr = command.get_program().to_string_lossy().ends_with("cargo");
    let (output, error) =
        if by_stderr { (Stdio::from(both), Stdio::piped()) } else { (Stdio::piped(), Stdio::from(both)) };
    let program = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdin(Stdio::null()).stdout(output).stderr(error).spawn();
    let mut child = spawned.with_context(|| format!("{program} cannot be started; is it installed?"))?;
    let stream: Option<Box<dyn std::io::Read>> = if by_stderr {
        child.stderr.take().map(|s| Box::new(s) as _)
    } else {
        child.stdout.take().map(|s| Box::new(s) as _)
    };
    if let Some(stream) = stream {
        // A line that is no text ends the showing, not the program: its status below tells how it went.
        for text in BufReader::new(stream).lines().map_while(Result::ok) {
            line.set_message(text.trim().to_owned());
            writeln!(file, "{text}").with_context(|| format!("the log {} cannot be written", path.display()))?;
        }
    }
    let status = child.wait().with_context(|| format!("{program} cannot be waited for"))?;
    if !status.success() {
        bail!("{name} failed ({status}). The end of {}:\n{}", path.display(), process::tail(&path, TAIL));
    }
    Ok(())
}

/// Runs `command` with its output on this terminal.
///
/// # Errors
/// Where it can't be started or fails.
pub(crate) fn aloud(name: &str, command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("{program} cannot be started; is it installed?"))?;
    if !status.success() {
        bail!("{name} failed ({status}); its words are above");
    }
    Ok(())
}

/// Whether a program runs to a good end; its words don't matter.
#[must_use]
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// This workspace's cargo, with the tool chain that runs us.
#[must_use]
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(place::root());
    // Cargo sets these for us, and an inner cargo would take them for its own, rebuilding what depends on them.
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("CARGO_PKG_")) {
        command.env_remove(key);
    }
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    command
}

/// A program found on `PATH` or in `/usr/sbin`, which is on no ordinary user's.
#[must_use]
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// Where [`quietly`] keeps a program's words.
///
/// # Errors
/// Where the folder cannot be made.
pub(crate) fn log(name: &str) -> anyhow::Result<PathBuf> {
    let folder = place::workshop().join("logs");
    place::make(&folder)?;
    Ok(folder.join(format!("{}.log", name.replace([' ', '/'], "-"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_with_its_last_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo working; echo 'disk full' >&2; exit 4"]);
        let words = quietly("test of the shell", &mut command, &ProgressBar::hidden()).unwrap_err().to_string();
        assert!(words.contains("disk full") && words.contains("exit status: 4") && words.contains(".log"), "{words}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let words = aloud("x", &mut Command::new("hilum-no-such-program")).unwrap_err().to_string();
        assert!(words.contains("hilum-no-such-program") && words.contains("installed"), "{words}");
        assert!(find("sh").is_some() && find("hilum-no-such-program").is_none());
    }
}
