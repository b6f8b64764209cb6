//! Which NVIDIA device this machine has, as its own driver says. It never guesses: no driver, no tests.

use std::fs;
use std::io;
use std::process::Command;

/// A device that the checks may run on.
pub(crate) struct Board {
    /// As the driver or the device tree names it.
    pub(crate) name: String,
    /// Driver or L4T release.
    pub(crate) driver: String,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) struct Refusal(String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "this machine has no usable NVIDIA GPU ({}); these checks prove nothing anywhere else: \
             run them on the device itself, with its driver installed",
            self.0
        )
    }
}

/// A discrete GPU by `nvidia-smi`, else a Jetson by its device tree.
pub(crate) fn detect() -> Result<Board, Refusal> {
    discrete().or_else(|why| jetson().ok_or(why))
}

fn discrete() -> Result<Board, Refusal> {
    let asked = Command::new("nvidia-smi").args(["--query-gpu=name,driver_version", "--format=csv,noheader"]).output();
    let output = match asked {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Refusal("nvidia-smi is not installed".into())),
        Err(e) => return Err(Refusal(format!("nvidia-smi cannot be started: {e}"))),
        Ok(output) if !output.status.success() => return Err(Refusal("nvidia-smi finds no device".into())),
        Ok(output) => output,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().and_then(|line| line.split_once(", "));
    let (name, driver) = first.ok_or_else(|| Refusal("nvidia-smi lists no device".into()))?;
    Ok(Board { name: name.trim().to_owned(), driver: driver.trim().to_owned() })
}

/// Jetson boards up to JetPack 5 have no nvidia-smi; the device tree names the board.
fn jetson() -> Option<Board> {
    let model = fs::read_to_string("/proc/device-tree/model").ok()?;
    let release = fs::read_to_string("/etc/nv_tegra_release").ok()?;
    let name = model.trim_end_matches('\0').trim().to_owned();
    let driver = release.lines().next()?.trim_start_matches("# ").to_owned();
    name.contains("NVIDIA").then_some(Board { name, driver })
}
