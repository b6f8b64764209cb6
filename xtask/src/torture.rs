//! `torture`: the lab's fault harness for as long as one likes. It builds the programs that can be told where to die, runs,
//! prints what came of it, and says no where a promise was broken.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use lab::postgres::{self, Postgres};
use lab::torture::{self, Measure, Outcome, Torture};
use lab::{place, process};

use crate::setup::{self, For};
use crate::shell;
use crate::step::Steps;
use crate::{bench, demo};

/// Where `--write` puts the table, between these two lines.
const DOCUMENT: &str = "docs/RELIABILITY.md";

/// New images in a second: a little over the 5,000 in ten minutes that a run is to send.
const PACE: f64 = 9.5;

/// How it runs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long faults are made; it waits after that until nothing is owed any more
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// The same seed gives the same plan
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take away what the broker stored at every restart, and not at every second one
    #[arg(long)]
    wipe_broker: bool,
    /// Put the table into docs/RELIABILITY.md
    #[arg(long)]
    write: bool,
}

/// Runs it.
///
/// # Errors
/// What could not be built or started, and where the harness itself failed.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::default();
    // PostgreSQL beside it; where there is none, its start says what to install.
    setup::run(&mut steps, For::Demo)?;
    build(&mut steps)?;
    demo::build(&mut steps)?;
    let logs = place::workshop().join("logs");
    place::make(&logs)?;
    let postgres = steps.run("PostgreSQL on a private port", |_| Postgres::start(&logs.join("postgres.log")))?;
    let measure = Measure {
        seed: arguments.seed,
        time: Duration::from_secs(60 * arguments.minutes),
        wipe_broker: arguments.wipe_broker,
    };
    let folder = torture::folder("torture-long")?;
    let database = postgres::fresh_database_on(&postgres.address)?;
    let run = Torture { folder: folder.clone(), database, measure, pace: PACE };
    println!("seed {}, {} min of faults; what happens: {}", measure.seed, arguments.minutes, folder.display());
    // Before, since who works on meanwhile moves on.
    let commit = process::finish(Path::new("git"), ["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let outcome = run.run()?;
    println!("\n{}\n", outcome.table());
    let good = outcome.verdict.is_kept() && outcome.drained.is_some();
    if !good {
        println!("✗ seed {}: {}", measure.seed, outcome.offences());
        return Ok(ExitCode::FAILURE);
    }
    if arguments.write {
        write(arguments, commit.trim(), &outcome)?;
    }
    torture::clear(&folder)?;
    println!("✓ {} images acknowledged, each exactly one result", outcome.record.acknowledged());
    Ok(ExitCode::SUCCESS)
}

/// The programs that can be told where to die, put into a folder of their own. The build folder is left with them, too: whoever
/// calls this builds the others next.
pub(crate) fn build(steps: &mut Steps) -> anyhow::Result<()> {
    steps.run("the three programs with fail points", |line| {
        let mut cargo = shell::cargo();
        cargo.args(["build", "--locked", "--color=never", "--features"]);
        cargo.arg(place::PROGRAMS.map(|program| format!("{program}/fail-points")).join(","));
        cargo.args(place::PROGRAMS.iter().flat_map(|program| ["--bin", program]));
        shell::quietly("cargo build with fail points", &mut cargo, line)?;
        place::PROGRAMS.iter().try_for_each(|program| put_aside(program))
    })
}

/// A second name for the same bytes; cargo replaces its own with the next build.
fn put_aside(program: &str) -> anyhow::Result<()> {
    place::make(&place::armed_programs())?;
    let (from, to) = (place::root().join("target/debug").join(program), place::armed_programs().join(program));
    let beside = to.with_extension("new");
    // A new one that an interrupted run left.
    let _ = std::fs::remove_file(&beside);
    // In one step, for whoever is starting it at this moment.
    let linked = std::fs::hard_link(&from, &beside).and_then(|()| std::fs::rename(&beside, &to));
    // Where both were the same bytes already, the rename did nothing (rename(2)).
    let _ = std::fs::remove_file(&beside);
    linked.with_context(|| format!("{} cannot be put aside", from.display()))
}

/// The table and how it came about, into the document.
fn write(arguments: &Arguments, commit: &str, outcome: &Outcome) -> anyhow::Result<()> {
    let machine = bench::machine::in_a_line();
    let wiped = if arguments.wipe_broker { " --wipe-broker" } else { "" };
    let mark = if arguments.wipe_broker { "wiped" } else { "run" };
    let text = format!(
        "`cargo xtask torture --minutes {} --seed {}{wiped}`, commit {commit}, {machine}\n\n{}",
        arguments.minutes,
        arguments.seed,
        outcome.table()
    );
    let path = place::root().join(DOCUMENT);
    let document = std::fs::read_to_string(&path).with_context(|| format!("{DOCUMENT} cannot be read"))?;
    place::write(&path, between(&document, mark, &text)?)
}

/// Replaces what stands between the two marks of that name.
fn between(document: &str, mark: &str, text: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- {mark}: begin -->"), format!("<!-- {mark}: end -->"));
    let halves = document.split_once(&begin).and_then(|(head, rest)| Some((head, rest.split_once(&end)?.1)));
    let Some((head, tail)) = halves else { bail!("{DOCUMENT} has no marks {begin} and {end}") };
    Ok(format!("{head}{begin}\n{text}\n{end}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let document = "a\n<!-- run: begin -->\nold\n<!-- run: end -->\nb";
        assert_eq!(between(document, "run", "new").unwrap(), "a\n<!-- run: begin -->\nnew\n<!-- run: end -->\nb");
        assert!(between(document, "other", "new").is_err());
    }
}
