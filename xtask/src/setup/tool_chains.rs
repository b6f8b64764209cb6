//! What must be there before: Python 3 with pip, and Node. It installs nothing.

use std::process::Command;

use anyhow::{Context, bail};

/// Oldest Node that the dashboard's packages run on, major and minor.
const NODE: (u32, u32) = (20, 19);

/// Looks for them.
///
/// # Errors
/// The first that is missing, and where it comes from.
pub(crate) fn check() -> anyhow::Result<()> {
    if version("python3", &["-c", "import pip"]).is_err() {
        bail!("python3 with pip is missing; on Debian: sudo apt-get install python3 python3-pip");
    }
    let text =
        version("node", &["--version"]).context("Node is missing; install Node 20.19 or newer from nodejs.org")?;
    let mut numbers = text.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < NODE {
        bail!("Node {} is too old for the dashboard's packages; install {}.{} or newer", text.trim(), NODE.0, NODE.1);
    }
    version("npm", &["--version"]).context("npm is missing; it comes with Node")?;
    Ok(())
}

fn version(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("no {program} on PATH"))?;
    if !output.status.success() {
        bail!("{program} fails: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
