//! `fuzz`: libFuzzer around the parsers of outside bytes, one target after the other. It builds the crate `fuzz` with the
//! counters that libFuzzer is guided by, runs it politely, and says with which bytes a promise was broken.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use lab::place;

use crate::shell;
use crate::step::Steps;

/// Longest time for one input, seconds: the slowest seed takes some milliseconds, and at this niceness a busy machine takes breaks.
const PATIENCE_S: u64 = 120;

/// How it runs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each target runs
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// Only this one; a folder of fuzz/corpus
    #[arg(long)]
    target: Option<String>,
    /// Write the seeds anew, each by the code that makes such a message in the product, and run nothing
    #[arg(long)]
    seeds: bool,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    /// Places in the code that were reached.
    coverage: u64,
    /// Places, ways to them and comparisons in them that were told apart.
    features: u64,
}

/// Runs it.
///
/// # Errors
/// What could not be built or run, and the first finding: its bytes, and how to see it again.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let corpus = place::root().join("fuzz/corpus");
    if arguments.seeds {
        let mut cargo = shell::cargo();
        cargo.args(["run", "--locked", "--package", "hilum-fuzz", "--example", "seeds", "--"]).arg(&corpus);
        shell::aloud("the seeds", &mut cargo)?;
        return Ok(ExitCode::SUCCESS);
    }
    let targets = chosen(&corpus, arguments.target.as_deref())?;
    let mut steps = Steps::default();
    steps.run("the fuzzer, with counters in our own crates", |line| {
        let mut cargo = shell::cargo();
        cargo.args(["build", "--locked", "--color=never", "--package", "hilum-fuzz", "--bin", "hilum-fuzz"]);
        cargo.args(["--features", "libfuzzer"]).env("RUSTC_WORKSPACE_WRAPPER", place::root().join("fuzz/instrument"));
        shell::quietly("cargo build of the fuzzer", &mut cargo, line)
    })?;
    let mut told = Vec::new();
    for target in &targets {
        let title = format!("{target}, {} min", arguments.minutes);
        let figures = steps.run(&title, |line| {
            let log = format!("fuzz {target}");
            let ended = shell::quietly(&log, &mut fuzzer(target, &corpus, arguments.minutes)?, line);
            let said = std::fs::read_to_string(shell::log(&log)?).context("the fuzzer's words cannot be read")?;
            ended.map_err(|_| anyhow::anyhow!(finding(target, &said)))?;
            Ok(Figures::of(&said))
        })?;
        told.push((target, figures));
    }
    println!("\n| Target | Executions | Coverage | Features | Findings |\n|---|---:|---:|---:|---:|");
    for (target, Figures { executions, coverage, features }) in told {
        println!("| {target} | {executions} | {coverage} | {features} | 0 |");
    }
    Ok(ExitCode::SUCCESS)
}

/// The targets, each a folder of the corpus.
fn chosen(corpus: &Path, only: Option<&str>) -> anyhow::Result<Vec<String>> {
    let folders = std::fs::read_dir(corpus).with_context(|| format!("{} cannot be listed", corpus.display()))?;
    let mut targets: Vec<String> = folders.filter_map(|folder| folder.ok()?.file_name().into_string().ok()).collect();
    targets.sort();
    let Some(only) = only else { return Ok(targets) };
    if !targets.iter().any(|target| target == only) {
        bail!("there is no target {only}; there are {}", targets.join(", "));
    }
    Ok(vec![only.to_owned()])
}

/// What it finds worth keeping goes to the workshop; the repository's corpus is only read.
fn fuzzer(target: &str, corpus: &Path, minutes: u64) -> anyhow::Result<Command> {
    let (kept, found) = (folder(target, "corpus")?, folder(target, "findings")?);
    // For who works on this machine meanwhile.
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(program()).env("HILUM_FUZZ_TARGET", target);
    command.args([format!("-max_total_time={}", 60 * minutes), format!("-timeout={PATIENCE_S}")]);
    command.arg(format!("-artifact_prefix={}/", found.display()));
    // What `Figures` reads at the end, and no line for each new function.
    command.args(["-print_final_stats=1", "-print_funcs=0"]).arg(kept).arg(corpus.join(target));
    command.current_dir(place::root()).env("RUST_BACKTRACE", "1");
    Ok(command)
}

fn program() -> PathBuf {
    place::root().join("target/debug/hilum-fuzz")
}

fn folder(target: &str, what: &str) -> anyhow::Result<PathBuf> {
    let folder = place::workshop().join("fuzz").join(target).join(what);
    place::make(&folder)?;
    Ok(folder)
}

/// What is to be said of a finding.
fn finding(target: &str, said: &str) -> String {
    let what = said.lines().find(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    let Some(file) = said.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, file)| file)
    else {
        return format!("{target} ended without a finding: {}", what.unwrap_or("see its log"));
    };
    format!(
        "{target}: {}\nsee it again:  HILUM_FUZZ_TARGET={target} {} {file}\nonce it is mended, put the file into \
         fuzz/corpus/{target}: the tests replay it from then on",
        what.unwrap_or("a promise was broken"),
        program().display()
    )
}

impl Figures {
    /// From libFuzzer's last words.
    fn of(said: &str) -> Self {
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let executions = said.lines().find_map(|line| line.split_once("number_of_executed_units:"));
        let last = said.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: ")).unwrap_or_default();
        let after = |name: &str| number(last.split_once(name).and_then(|(_, rest)| rest.split_whitespace().next()));
        Self {
            executions: number(executions.map(|(_, count)| count)),
            coverage: after(" cov: "),
            features: after(" ft: "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of a run of libFuzzer of LLVM 20.
    const SAID: &str = "#4096\tpulse  cov: 90 ft: 120 corp: 9/2Kb exec/s: 2048 rss: 60Mb\n\
        #8192\tDONE   cov: 101 ft: 160 corp: 12/3Kb lim: 4096 exec/s: 2048 rss: 61Mb\n\
        Done 8192 runs in 4 second(s)\n\
        stat::number_of_executed_units: 8192\n";

    #[test]
    fn the_figures_are_those_of_the_end() {
        assert_eq!(Figures::of(SAID), Figures { executions: 8192, coverage: 101, features: 160 });
    }

    #[test]
    fn a_finding_says_how_to_see_it_again() {
        let said = "thread '<unnamed>' panicked at fuzz/src/wire.rs:9:5:\nartifact_prefix='/f/'; Test unit written to /f/crash-1\n";
        let words = finding("wire", said);
        assert!(words.contains("HILUM_FUZZ_TARGET=wire") && words.contains("hilum-fuzz /f/crash-1"), "{words}");
        assert!(words.contains("panicked at fuzz/src/wire.rs") && words.contains("fuzz/corpus/wire"), "{words}");
    }

    #[test]
    fn every_folder_of_the_corpus_is_a_target_and_a_name_that_is_none_is_refused() {
        let corpus = place::root().join("fuzz/corpus");
        assert!(chosen(&corpus, None).unwrap().contains(&"pdu".to_owned()));
        assert_eq!(chosen(&corpus, Some("est")).unwrap(), ["est"]);
        assert!(chosen(&corpus, Some("nothing")).unwrap_err().to_string().contains("pdu"));
    }
}
