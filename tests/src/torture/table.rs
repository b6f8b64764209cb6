//! A run's outcome as people read it: Markdown, which a terminal shows as well. It hides nothing.

use std::fmt::Write;

use super::Outcome;

/// Offending images whose history is shown.
const SHOWN: usize = 10;

impl Outcome {
    /// Images, faults, results.
    #[must_use]
    pub fn table(&self) -> String {
        let (record, verdict) = (&self.record, &self.verdict);
        let mut text = String::from("| Images | |\n|---|---:|\n");
        let mut row = |what: &str, count: u64| text.push_str(&format!("| {what} | {count} |\n"));
        row("sent", record.sent() as u64);
        row("acknowledged", record.acknowledged() as u64);
        row("**acknowledged and lost**", verdict.lost.len() as u64);
        row("**with more than one result**", verdict.duplicated.len() as u64);
        row("**results of images that were never sent**", verdict.invented.len() as u64);
        row("with exactly one result", verdict.once as u64);
        row("of them not acknowledged: the word was lost, not the image", verdict.unpromised as u64);
        record.refusals.iter().for_each(|(status, count)| row(&format!("answered {status}"), *count));
        verdict.outcomes.iter().for_each(|(outcome, count)| row(&format!("results: {outcome}"), *count));
        text.push_str("\n| Fault | Whom, where | Times |\n|---|---|---:|\n");
        for ((kind, whom), count) in &record.faults {
            let _ = writeln!(text, "| {kind} | {whom} | {count} |");
        }
        let _ = writeln!(text, "| **kills in all** | | {} |", record.kills());
        let drained = self.drained.map_or("it got stuck".to_owned(), |time| format!("{} s", time.as_secs()));
        let _ = write!(
            text,
            "\nFaults for {} s, then everything was left alone until nothing waited: {drained}.",
            self.troubled.as_secs()
        );
        if !self.missed.is_empty() {
            let names: Vec<_> = self.missed.iter().map(|point| point.name()).collect();
            let _ = write!(text, " Nobody died at: {}.", names.join(", "));
        }
        if !self.disk {
            text.push_str(" The disk was not filled: that takes root.");
        }
        text
    }

    /// The history of what offends.
    #[must_use]
    pub fn offences(&self) -> String {
        let verdict = &self.verdict;
        let mut text = format!(
            "lost {}, duplicated {}, invented {}; everything that happened: {}\n",
            verdict.lost.len(),
            verdict.duplicated.len(),
            verdict.invented.len(),
            self.history.display()
        );
        let lines = std::fs::read_to_string(&self.history).unwrap_or_default();
        let lost = verdict.lost.iter().map(|one| ("lost", one));
        let twice = verdict.duplicated.iter().map(|one| ("twice", one));
        for (what, instance) in lost.chain(twice).take(SHOWN) {
            let _ = writeln!(text, "{what}: {instance}");
            for line in lines.lines().filter(|line| line.contains(instance.as_str())) {
                let _ = writeln!(text, "  {line}");
            }
        }
        text
    }
}
