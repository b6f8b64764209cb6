//! Brings a fresh Debian 12 with Rust, Python 3, pip and Node to where Hilum builds and runs. It takes everything from
//! apt, PyPI and npm with their ordinary clients, asks for root only by saying so, and does nothing twice.

use crate::step::Steps;

mod dashboard;
mod debian;
mod onnxruntime;
mod python;
mod stamp;
mod tool_chains;

pub(crate) use python::program as python_program;
pub(crate) use stamp::{Ingredients, unless_fresh};

/// What the machine is set up for; the tests need all that the demo needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum For {
    /// `cargo xtask demo`.
    Demo,
    /// `cargo xtask test`.
    Test,
}

/// Installs what is missing.
///
/// # Errors
/// What is missing and can't be installed from here, with the command that installs it.
pub(crate) fn run(steps: &mut Steps, purpose: For) -> anyhow::Result<()> {
    tool_chains::check()?;
    debian::install(steps, purpose)?;
    onnxruntime::install(steps)?;
    dashboard::build(steps)?;
    if purpose == For::Test {
        dashboard::packages(steps, "tests/playwright")?;
        python::all(steps)?;
    }
    Ok(())
}
