//! What was measured as one Markdown text, which a terminal shows as well as a browser. It measures nothing.

use super::contestants::{Contestant, Size, TRIALS};
use super::figures::{Figures, Spread};
use super::footprint::{AtRest, Soak};
use super::machine::Facts;
use super::senders::SENDERS;
use super::{Ground, targets, tree};

/// Everything that was found.
pub(super) struct Report<'a> {
    pub(super) facts: Facts,
    pub(super) ground: &'a Ground,
    pub(super) figures: Figures,
    pub(super) footprint: AtRest,
    pub(super) soak: Option<Soak>,
}

impl Report<'_> {
    /// The whole text.
    pub(super) fn markdown(&self) -> String {
        let mut text = self.method();
        let target_rows: Vec<_> = self.ratio_rows().into_iter().chain(self.footprint_rows()).collect();
        text += &table(["Images", "What", "Reached: median (least to greatest)", "Asked", ""], &target_rows);
        text += "\nImages per second:\n\n";
        text += &table(
            ["Images", "Who", "Images/s: median", "least to greatest", "Processor ms an image"],
            &self.rate_rows(),
        );
        text += &self.memory();
        text += "\nMachine and versions:\n\n";
        let facts = self.facts.machine.iter().chain(&self.facts.versions);
        let facts: Vec<_> = facts.map(|(name, value)| [(*name).to_owned(), value.clone()]).collect();
        text += &table(["", ""], &facts);
        for failure in &self.figures.failures {
            text += &format!("\nNot measured: {failure}\n");
        }
        text
    }

    fn method(&self) -> String {
        let count = |size| self.ground.films.of(size).len();
        format!(
            "Rounds in one run: {}; in each every contestant once, one at a time, each round beginning with another; \
             started afresh on an empty folder, {} full-size or {} small images sent by {SENDERS} dcmtk storescu at once on \
             loopback, after a short warm-up. Time runs from the first success status to the last one, or to the last \
             committed result for the whole path. Ratios are taken within a round. ONNX Runtime alone: {} threads, batch \
             {}, {} session(s), which was the fastest here.\n\n",
            self.figures.rounds(),
            count(Size::Full),
            count(Size::Small),
            self.ground.threads,
            self.ground.layout.batch,
            self.ground.layout.sessions,
        )
    }

    fn ratio_rows(&self) -> Vec<[String; 5]> {
        let row = |target: &targets::Target| {
            let reached = target.reached(&self.figures);
            let met = reached.map(|spread| spread.median >= target.least);
            let reached = reached.map_or_else(|| "—".to_owned(), |spread| format!("{} ×", spread_words(spread, 2)));
            let verdict = targets::verdict(met).to_owned();
            [target.size.words().to_owned(), target.words.to_owned(), reached, target.asked(), verdict]
        };
        targets::TARGETS.iter().map(row).collect()
    }

    fn footprint_rows(&self) -> Vec<[String; 5]> {
        let minute = self.figures.rate((Size::Full, Contestant::Whole)).map(|rate| rate.times(60.0));
        let ready = self.footprint.ready_ms;
        let idle = tree::without_model(&self.footprint.idle);
        let row = |size: &str, what: &str, reached: Option<String>, asked: String, met: Option<bool>| {
            let reached = reached.unwrap_or_else(|| "—".to_owned());
            [size.to_owned(), what.to_owned(), reached, asked, targets::verdict(met).to_owned()]
        };
        let growth = self.soak.as_ref().map(Soak::growth_mib);
        let what =
            format!("growth over {} images, without the model", self.soak.as_ref().map_or(0, |soak| soak.images));
        vec![
            row(
                Size::Full.words(),
                "whole path, images a minute",
                minute.map(|rate| spread_words(rate, 0)),
                format!("> {:.0}", targets::IMAGES_A_MINUTE),
                minute.map(|rate| rate.median > targets::IMAGES_A_MINUTE),
            ),
            row(
                "",
                "idle memory without the model",
                Some(format!("{idle:.1} MiB")),
                format!("≤ {:.0} MiB", targets::IDLE_MIB),
                Some(idle <= targets::IDLE_MIB),
            ),
            row(
                Size::Small.words(),
                &what,
                growth.map(|mib| format!("{mib:+.1} MiB")),
                format!("≤ {:.0} MiB", targets::GROWTH_MIB),
                growth.map(|mib| mib <= targets::GROWTH_MIB),
            ),
            row(
                "",
                "from exec to the first C-ECHO success",
                Some(format!("{} ms", spread_words(ready, 0))),
                format!("≤ {:.0} ms", targets::READY_MS),
                Some(ready.median <= targets::READY_MS),
            ),
        ]
    }

    fn rate_rows(&self) -> Vec<[String; 5]> {
        let row = |trial: &(Size, Contestant)| {
            let (size, contestant) = *trial;
            let rate = self.figures.rate(*trial);
            let median = rate.map_or_else(|| "—".to_owned(), |rate| format!("{:.1}", rate.median));
            let range = rate.map_or_else(String::new, |rate| format!("{:.1} to {:.1}", rate.least, rate.greatest));
            let spent = self.figures.spent_ms(*trial).map_or_else(String::new, |ms| format!("{:.1}", ms.median));
            [size.words().to_owned(), contestant.words().to_owned(), median, range, spent]
        };
        TRIALS.iter().map(row).collect()
    }

    fn memory(&self) -> String {
        let mut text =
            format!("\nResident memory of each process, MiB, idle: {}.\n", tree::words(&self.footprint.idle));
        if let Some(soak) = &self.soak {
            let tenths = soak.without_model_mib.len().div_ceil(10).max(1);
            let shown: Vec<String> =
                soak.without_model_mib.iter().step_by(tenths).map(|mib| format!("{mib:.1}")).collect();
            text += &format!(
                "Over {} small images, without the model, at even distances: {}. At the end: {}.\n",
                soak.images,
                shown.join(", "),
                tree::words(&soak.end)
            );
        }
        text
    }
}

pub(super) fn spread_words(spread: Spread, digits: usize) -> String {
    let Spread { median, least, greatest } = spread;
    format!("{median:.digits$} ({least:.digits$} to {greatest:.digits$})")
}

/// A table whose columns are straight in a terminal, too.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = line(head) + &format!("| {} |\n", rule.join(" | "));
    for row in rows {
        text += &line(std::array::from_fn(|column| row[column].as_str()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_straight() {
        let text = table(["a", "b"], &[["÷ one".to_owned(), "2".to_owned()], ["3".to_owned(), "four".to_owned()]]);
        assert_eq!(text, "| a     | b    |\n| ----- | ---- |\n| ÷ one | 2    |\n| 3     | four |\n");
    }
}
