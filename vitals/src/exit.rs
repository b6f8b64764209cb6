//! The last words of a program that failed: one sentence, its causes, a status. It never logs: stderr is for people.

use std::error::Error;
use std::process::ExitCode;

/// Exit status for everything that failed.
const FAILED: u8 = 1;

/// Prints what went wrong with its whole chain of causes, and gives the status to return from `main`.
#[must_use]
pub fn failed(program: &str, error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("{program}: {}", chain(error));
    ExitCode::from(FAILED)
}

/// An error and its causes on one line, each said once.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Many libraries repeat their cause in their own sentence.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the spool")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn every_cause_is_said_once() {
        let error = Outer(std::io::Error::other("no such folder"));
        assert_eq!(chain(&error), "cannot open the spool: no such folder");
    }
}
