//! One line for each thing that is done: what, a sign of life while it runs, how long it took. On a terminal the line
//! moves; in a log each step is one line when it ends.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The steps of one command, in order.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<Done>,
}

/// A step that ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// What it was.
    pub title: String,
    /// How long it took.
    pub took: Duration,
    /// Whether it went well.
    pub passed: bool,
}

/// How often the sign of life moves.
const BEAT: Duration = Duration::from_millis(120);

/// Columns of the title in the closing table.
const TITLE: usize = 52;

impl Steps {
    /// Does `work` under a moving line; `work` may say what it is doing now.
    ///
    /// # Errors
    /// The work's own.
    pub(crate) fn run<T>(
        &mut self,
        title: &str,
        work: impl FnOnce(&ProgressBar) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let line = ProgressBar::new_spinner().with_style(style()).with_prefix(title.to_owned());
        line.enable_steady_tick(BEAT);
        let start = Instant::now();
        let result = work(&line);
        line.finish_and_clear();
        self.note(title, start.elapsed(), result.is_ok());
        result
    }

    /// Does `work` whose output goes straight to the terminal.
    ///
    /// # Errors
    /// The work's own.
    pub(crate) fn run_aloud<T>(&mut self, title: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        println!("▸ {title}");
        let start = Instant::now();
        let result = work();
        self.note(title, start.elapsed(), result.is_ok());
        result
    }

    /// [`Self::run`], whose error is told here and now, so that other steps may follow.
    pub(crate) fn attempt(&mut self, title: &str, work: impl FnOnce(&ProgressBar) -> anyhow::Result<()>) {
        if let Err(error) = self.run(title, work) {
            eprintln!("{error:#}");
        }
    }

    /// [`Self::run_aloud`], whose error is told here and now.
    pub(crate) fn attempt_aloud(&mut self, title: &str, work: impl FnOnce() -> anyhow::Result<()>) {
        if let Err(error) = self.run_aloud(title, work) {
            eprintln!("{error:#}");
        }
    }

    /// Whether there was a step, and none that failed.
    pub(crate) fn all_passed(&self) -> bool {
        !self.done.is_empty() && self.done.iter().all(|done| done.passed)
    }

    fn note(&mut self, title: &str, took: Duration, passed: bool) {
        println!("{}", row(title, took, passed));
        self.done.push(Done { title: title.to_owned(), took, passed });
    }

    /// Prints all of it once more, and a last line that tools read.
    pub(crate) fn print_summary(&self) {
        println!();
        for done in &self.done {
            println!("{}", row(&done.title, done.took, done.passed));
        }
        let passed = self.done.iter().filter(|done| done.passed).count();
        println!("\n{passed} passed, {} failed", self.done.len() - passed);
    }
}

fn row(title: &str, took: Duration, passed: bool) -> String {
    let mark = if passed { '✓' } else { '✗' };
    format!("{mark} {title:<TITLE$} {:>7.1} s", took.as_secs_f64())
}

fn style() -> ProgressStyle {
    // The template is a constant of ours; the default style is as good where indicatif refuses it.
    ProgressStyle::with_template("{spinner} {prefix}  {elapsed:>4}  {wide_msg:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_failed_is_counted_and_its_error_kept() {
        let mut steps = Steps::default();
        steps.run("good", |_| Ok(())).unwrap();
        let error = steps.run("bad", |_| anyhow::bail!("no")).map(|()| "fine").unwrap_err();
        assert_eq!(error.to_string(), "no");
        assert_eq!(steps.done.iter().map(|done| done.passed).collect::<Vec<_>>(), [true, false]);
    }
}
