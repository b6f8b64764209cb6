//! For tests: a process of its own, which does what the test says and ends as that says: after a named step as by a power cut, or
//! in order.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Tells the process which step, by its place in a list, and which database.
const VICTIM: &str = "HILUM_OUTBOX_VICTIM";

/// What POSIX numbers the signal of `abort`.
const SIGABRT: i32 = 6;

/// Runs the ignored test `victim`, by its whole name, until it ends after the step at this place.
pub(crate) fn die(victim: &str, path: &Path, step: usize) {
    let ended = run(victim, path, step);
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{ended:?}");
}

/// Runs the ignored test `other`, by its whole name, to its end.
pub(crate) fn beside(other: &str, path: &Path) {
    let ended = run(other, path, 0);
    assert!(ended.status.success(), "{ended:?}");
}

fn run(test: &str, path: &Path, step: usize) -> Output {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--ignored", "--exact", test]);
    process.env(VICTIM, format!("{step} {}", path.display())).output().unwrap()
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
