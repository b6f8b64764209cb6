//! `cargo xtask bench`: measures the product beside what people build today, in one run on one machine. The ratios are what
//! it is for; absolute figures mean little beside another machine's.
//!
//! ```text
//! films ─▶ rounds: each contestant once, in turn ─▶ figures ─▶ targets ─▶ report ─▶ terminal, docs/BENCHMARKS.md
//!          (contestants, senders, ceilings)         footprint ──┘
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::value_parser;
use lab::place;

use crate::setup::{self, For};
use crate::shell;
use crate::step::Steps;

mod ceilings;
mod contestants;
mod document;
mod figures;
mod films;
mod footprint;
pub(crate) mod machine;
mod outbox;
mod receivers;
mod report;
mod rounds;
mod senders;
mod targets;
mod tree;

/// What can be measured.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// The appliance beside ONNX Runtime alone, a Python pipeline, Orthanc and dcmtk
    Appliance(ApplianceArguments),
    /// The outbox: its cost with up to a million rows, and an urgent finding behind a backlog
    Outbox(outbox::OutboxArguments),
}

/// How the appliance is measured.
#[derive(clap::Args)]
pub(crate) struct ApplianceArguments {
    /// Each contestant is measured once in each round
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u8).range(1..=50))]
    rounds: u8,
    /// One round with few images: whether everything works
    #[arg(long)]
    quick: bool,
    /// Also send this many small images and watch the memory
    #[arg(long, default_value_t = 0, value_name = "IMAGES")]
    soak: u32,
    /// No further round is begun after so many minutes
    #[arg(long, default_value_t = 8)]
    minutes: u64,
    /// Measure only these, such as `whole`; for a profile, not for publishing
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<contestants::Contestant>,
    /// Write the figures to docs/BENCHMARKS.md
    #[arg(long, conflicts_with_all = ["only", "quick"])]
    write: bool,
    /// Measure programs that are built already instead of building a release
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// Everything that a measurement needs to know.
pub(crate) struct Ground {
    /// Where the measured programs lie.
    programs: PathBuf,
    /// Everything that is written while measuring lies here, and is removed after each measurement.
    folder: PathBuf,
    /// What is sent.
    films: films::Films,
    /// Cores, and so the threads that inference may use.
    threads: usize,
    /// How ONNX Runtime alone is fastest here.
    layout: ceilings::Layout,
}

/// Measures.
///
/// # Errors
/// Where something that is needed can't be had; one contestant's failure is told in the table instead.
pub(crate) fn run(bench: &Bench) -> anyhow::Result<ExitCode> {
    let arguments = match bench {
        Bench::Appliance(arguments) => arguments,
        Bench::Outbox(arguments) => return outbox::run(arguments),
    };
    let mut steps = Steps::default();
    setup::run(&mut steps, For::Test)?;
    let programs = programs(&mut steps, arguments.programs.as_deref())?;
    let began = Instant::now();
    let facts = machine::facts(&programs)?;
    facts.warn_if_busy();
    let ground = prepare(&mut steps, arguments, programs)?;
    let footprint = steps.run("ready and idle: time and memory", |line| footprint::at_rest(&ground, line))?;
    let limit = Duration::from_secs(60 * arguments.minutes);
    let rounds = if arguments.quick { 1 } else { arguments.rounds };
    let plan = rounds::Plan { rounds, only: arguments.only.clone(), until: began + limit };
    let figures = rounds::run(&mut steps, &ground, &plan);
    let soak = match arguments.soak {
        0 => None,
        images => Some(steps.run(&format!("{images} small images, memory watched"), |line| {
            footprint::soak(&ground, images as usize, line)
        })?),
    };
    let report = report::Report { facts, ground: &ground, figures, footprint, soak };
    let text = report.markdown();
    println!("\n{text}");
    if arguments.write {
        document::write(&place::root().join("docs/BENCHMARKS.md"), "appliance", &text)?;
    }
    // A missed target is a result; a contestant that could not be measured is not.
    Ok(if report.figures.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn programs(steps: &mut Steps, built: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = built {
        return Ok(folder.to_owned());
    }
    steps.run("cargo build --release, the appliance", |line| {
        let arguments = ["build", "--locked", "--release", "-p", "hilum-appliance", "--bin", "hilum-appliance"];
        shell::quietly("cargo build release", shell::cargo().args(arguments), line)
    })?;
    Ok(place::root().join("target/release"))
}

fn prepare(steps: &mut Steps, arguments: &ApplianceArguments, programs: PathBuf) -> anyhow::Result<Ground> {
    let films = films::collect(steps, &programs, arguments.quick)?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let layout = steps.run("ONNX Runtime alone: its best batch size", |_| ceilings::find_layout(&films, threads))?;
    Ok(Ground { programs, folder: place::fresh("bench")?, films, threads, layout })
}
