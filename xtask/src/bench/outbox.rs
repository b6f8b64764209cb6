//! `cargo xtask bench outbox`: whether the outbox costs the same however much waits in it, what its promises cost beside a bare
//! SQLite loop, and whether an urgent finding overtakes a backlog. Ratios within one run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::value_parser;
use lab::house::{House, HousePlan};
use lab::postgres::Postgres;
use lab::{place, process};

use super::figures::Spread;
use super::{document, machine, report, targets};
use crate::setup::{self, For};
use crate::shell;
use crate::step::Steps;

/// Results that wait before the urgent ones.
const BACKLOG: &str = "100000";

/// Urgent results, one after the other, with an empty queue and with the backlog.
const SAMPLES: &str = "25";

/// What a commit is held against: one table, 32 inserts and a commit with FULL sync.
const BARE: [(&str, &str); 3] = [
    ("messages", "bare SQLite: the same messages with unique ids, encrypted as well"),
    ("payloads", "bare SQLite: payloads alone, encrypted as well"),
    ("plain", "bare SQLite: payloads alone, not encrypted"),
];

/// How the outbox is measured.
#[derive(clap::Args)]
pub(crate) struct OutboxArguments {
    /// Each case is measured once in each round
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u8).range(1..=200))]
    rounds: u8,
    /// Write the figures to docs/BENCHMARKS.md
    #[arg(long)]
    write: bool,
    /// Measure a program that is built already (it lies in DIR/examples) instead of building a release
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// One figure of the program.
struct Line {
    what: String,
    case: String,
    value: f64,
}

/// Measures.
///
/// # Errors
/// Where something that is needed can't be had.
pub(super) fn run(arguments: &OutboxArguments) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::default();
    setup::run(&mut steps, For::Demo)?;
    let program = build(&mut steps, arguments.programs.as_deref())?;
    let facts = machine::outbox_facts();
    facts.warn_if_busy();
    let folder = place::fresh("bench-outbox")?;
    let rounds = arguments.rounds.to_string();
    let mut lines = steps.run("append and lease with 0 to 1,000,000 rows", |_| {
        measure(&program, &["depth", &folder.display().to_string(), &rounds])
    })?;
    lines.extend(steps.run("group commit beside bare loops", |_| {
        measure(&program, &["group", &folder.display().to_string(), &rounds])
    })?);
    std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    lines.extend(steps.run("an urgent finding before and behind 100,000 results", |_| overtake(&program))?);
    let text = markdown(&lines, &facts, arguments.rounds)?;
    println!("\n{text}");
    if arguments.write {
        document::write(&place::root().join("docs/BENCHMARKS.md"), "outbox", &text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn build(steps: &mut Steps, built: Option<&Path>) -> anyhow::Result<PathBuf> {
    steps.run("cargo build, sync-agent and gateway", |line| {
        let arguments = ["build", "--locked", "-p", "hilum-sync-agent", "-p", "cloud-gateway", "--bins"];
        shell::quietly("cargo build", shell::cargo().args(arguments), line)
    })?;
    if let Some(folder) = built {
        return Ok(folder.join("examples/cost"));
    }
    steps.run("cargo build --release, the outbox", |line| {
        let arguments = ["build", "--locked", "--release", "-p", "hilum-outbox", "--example", "cost"];
        shell::quietly("cargo build release", shell::cargo().args(arguments), line)
    })?;
    Ok(place::root().join("target/release/examples/cost"))
}

fn measure(program: &Path, arguments: &[&str]) -> anyhow::Result<Vec<Line>> {
    let said = process::finish(program, arguments)?;
    said.lines().map(|line| parse(line).with_context(|| format!("the program said \"{line}\""))).collect()
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let (what, case) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Line { what, case, value: words.next()?.parse().ok()? })
}

/// A device without an appliance, a real broker, a real gateway with PostgreSQL.
fn overtake(program: &Path) -> anyhow::Result<Vec<Line>> {
    let folder = place::fresh("bench-overtake")?;
    let server = Postgres::start(&folder.join("postgres.log"))?;
    let plan = HousePlan {
        folder: folder.clone(),
        database: Some(server.address.clone()),
        dashboard_port: None,
        device: "bench-1".to_owned(),
    };
    let mut house = House::prepare(&plan, |_| ())?;
    house.cloud.start()?;
    house.hospital.start_agent()?;
    let outbox = house.hospital.outbox().display().to_string();
    let mut lines = measure(program, &["urgent", &outbox, SAMPLES, "1"])?;
    house.hospital.stop_agent()?;
    measure(program, &["fill", &outbox, BACKLOG])?;
    house.hospital.start_agent()?;
    lines.extend(measure(program, &["urgent", &outbox, SAMPLES, "2"])?);
    drop(house);
    drop(server);
    std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    Ok(lines)
}

fn values(lines: &[Line], what: &str, case: &str) -> Vec<f64> {
    lines.iter().filter(|line| line.what == what && line.case == case).map(|line| line.value).collect()
}

/// Round by round, since neighbours in time share the machine's mood.
fn ratio(lines: &[Line], what: &str, ours: &str, theirs: &str) -> Option<Spread> {
    let (ours, theirs) = (values(lines, what, ours), values(lines, what, theirs));
    Spread::of(&ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect::<Vec<f64>>())
}

fn markdown(lines: &[Line], facts: &machine::Facts, rounds: u8) -> anyhow::Result<String> {
    let left = values(lines, "left", "2").first().copied().context("the backlog was not measured")?;
    let mut text = format!(
        "{rounds} rounds in one run, each case once in each, each round beginning with another, each log written round \
         once before; a figure is the median of 9 \
         commits or leases of 32 small results, and ratios are taken within a round. The urgent finding is one at a time, {SAMPLES} \
         with an empty queue and {SAMPLES} behind {BACKLOG} results ({left:.0} were still waiting after the last), from its commit \
         to its receipt in the outbox, over mosquitto with TLS and a gateway on PostgreSQL, built without optimisation.\n\n"
    );
    let mut rows = Vec::new();
    for (what, words) in [("append", "a commit of 32 messages"), ("lease", "a lease of 32 messages")] {
        for (case, name) in [("10000", "10,000"), ("100000", "100,000"), ("1000000", "1,000,000")] {
            rows.push(row(&format!("{words}: {name} rows ÷ empty"), ratio(lines, what, case, "0"), 1.25));
        }
    }
    for (case, words) in BARE {
        let bare = ratio(lines, "group", "outbox", case);
        rows.push(row(&format!("a commit of 32 messages ÷ {words}"), bare, 2.0));
    }
    rows.push(row("an urgent finding's receipt: behind 100,000 ÷ empty", ratio(lines, "urgent", "2", "1"), 2.0));
    text += &report::table(["What", "Reached: median (least to greatest)", "Asked", ""], &rows);
    text += "\nMilliseconds:\n\n";
    let cases = [
        ("append", "0", "commit of 32, empty"),
        ("append", "1000000", "commit of 32, 1,000,000 rows"),
        ("lease", "0", "lease of 32, empty"),
        ("lease", "1000000", "lease of 32, 1,000,000 rows"),
        ("group", "messages", BARE[0].1),
        ("group", "payloads", BARE[1].1),
        ("group", "plain", BARE[2].1),
        ("urgent", "1", "urgent finding to its receipt, empty"),
        ("urgent", "2", "urgent finding to its receipt, behind the backlog"),
    ];
    let absolute = cases.map(|(what, case, words)| {
        let spread = Spread::of(&values(lines, what, case)).map(|spread| report::spread_words(spread, 2));
        [words.to_owned(), spread.unwrap_or_else(|| "—".to_owned())]
    });
    text += &report::table(["What", "median (least to greatest)"], &absolute);
    text += "\nMachine and versions:\n\n";
    let facts = facts.machine.iter().chain(&facts.versions);
    let facts: Vec<_> = facts.map(|(name, value)| [(*name).to_owned(), value.clone()]).collect();
    text += &report::table(["", ""], &facts);
    Ok(text)
}

fn row(words: &str, reached: Option<Spread>, most: f64) -> [String; 4] {
    let verdict = targets::verdict(reached.map(|spread| spread.median <= most)).to_owned();
    let reached = reached.map_or_else(|| "—".to_owned(), |spread| format!("{} ×", report::spread_words(spread, 2)));
    [words.to_owned(), reached, format!("≤ {most}"), verdict]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_neighbours() {
        let said = "group outbox 2\ngroup plain 1\ngroup outbox 9\ngroup plain 3\nappend 0 5";
        let lines: Vec<Line> = said.lines().map(|line| parse(line).unwrap()).collect();
        let spread = ratio(&lines, "group", "outbox", "plain").unwrap();
        assert_eq!((spread.least, spread.median, spread.greatest), (2.0, 2.5, 3.0));
        assert!(ratio(&lines, "lease", "0", "0").is_none() && parse("append 0").is_none());
    }
}
