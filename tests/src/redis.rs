//! A real Redis on a private port that keeps nothing.

use std::path::Path;

use crate::ports;
use crate::process::{self, Process};

/// Environment variable that names a running server to every test: `redis://HOST:PORT`.
pub const VARIABLE: &str = "HILUM_TEST_REDIS";

/// A running server.
#[derive(Debug)]
pub struct Redis {
    /// `redis://127.0.0.1:PORT`.
    pub address: String,
    _process: Process,
}

impl Redis {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start(log: &Path) -> anyhow::Result<Self> {
        let port = ports::free()?;
        let mut command = process::command(Path::new("redis-server"));
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        let mut process = Process::start("redis-server", command, log)?;
        process.wait_until(|| ports::answers(port))?;
        Ok(Self { address: format!("redis://127.0.0.1:{port}"), _process: process })
    }
}
