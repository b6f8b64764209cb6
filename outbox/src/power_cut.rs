//! For tests: a process of its own that ends after a named step, as by a power cut. What it does until then is the test's.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells the process which step, by its place in a list, and which database.
const VICTIM: &str = "HILUM_OUTBOX_VICTIM";

/// What POSIX numbers the signal of `abort`.
const SIGABRT: i32 = 6;

/// Runs the ignored test `victim`, by its whole name, until it ends after the step at this place.
pub(crate) fn die(victim: &str, path: &Path, step: usize) {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--ignored", "--exact", victim]);
    let ended = process.env(VICTIM, format!("{step} {}", path.display())).output().unwrap();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{ended:?}");
}

/// In the victim: the database, and what ends the process once that step is done. None where nobody asked it to die.
pub(crate) fn order<S: Copy + PartialEq>(steps: &[S]) -> Option<(PathBuf, impl FnMut(S))> {
    let order = std::env::var(VICTIM).ok()?;
    let (step, path) = order.split_once(' ').unwrap();
    let step = steps[step.parse::<usize>().unwrap()];
    let end = move |done| {
        if done == step {
            std::process::abort();
        }
    };
    Some((path.into(), end))
}
