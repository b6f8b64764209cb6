//! What can be asked for, and which room does it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::setup::For;
use crate::step::Steps;
use crate::{bench, demo, fuzz, setup, test, torture};

/// Hilum's developer commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the whole chain on this machine: scanner, device, cloud, dashboard
    Demo(DemoArguments),
    /// Install what the tests need, and run every test there is
    Test {
        /// Run only some of the Rust tests, with the services they need: arguments for nextest, such as `-p e2e review`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "NEXTEST ARGUMENTS")]
        only: Vec<String>,
    },
    /// Measure the product beside what people build today
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Kill, cut and fill everything while images come, and count what became of each
    Torture(torture::Arguments),
    /// Throw mutated bytes at every parser of outside bytes
    Fuzz(fuzz::Arguments),
    /// Install what is missing, and nothing else
    Setup {
        /// Only what the demo needs
        #[arg(long)]
        demo: bool,
    },
}

/// How the demo runs.
#[derive(clap::Args)]
pub(crate) struct DemoArguments {
    /// Leave when every image's result is in the cloud; exit status 1 if one is missing
    #[arg(long)]
    pub once: bool,
    /// Read your own images instead of synthetic ones: DICOM, PNG or JPEG, folders included
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// How many synthetic radiographs to draw
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    pub count: u16,
    /// Seed of the synthetic radiographs
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Also write the table as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Compare with a table of predictions, such as models/pneumonia-cxr/test_predictions.csv
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Use another model bundle
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// What could not be done, and what to do about it.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test { only } => test::run(&only),
        Command::Bench { what } => bench::run(&what),
        Command::Torture(arguments) => torture::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Setup { demo } => {
            let purpose = if demo { For::Demo } else { For::Test };
            setup::run(&mut Steps::default(), purpose)?;
            println!("✓ everything that is needed is there");
            Ok(ExitCode::SUCCESS)
        }
    }
}
