//! Receivers of results, written in Python on the packages that such systems are written with (`tests/dicom`): each puts what
//! it took into a folder.

use std::path::{Path, PathBuf};

use crate::process::{self, Process};
use crate::{place, ports};

/// Starts a receiver on 127.0.0.1 and waits until it answers. With `papers`, which are its certificate, its key and the authority
/// of its clients, it speaks TLS alone.
///
/// # Errors
/// Where it does not come up.
pub fn start(script: &str, port: u16, folder: &Path, papers: &[PathBuf]) -> anyhow::Result<Process> {
    place::make(folder)?;
    let mut command = process::command(&place::python("dicom"));
    command.arg(place::root().join("tests/dicom").join(script)).arg(port.to_string()).arg(folder).args(papers);
    let mut started = Process::start(script, command, &folder.with_extension("log"))?;
    started.wait_until(|| ports::answers(port))?;
    Ok(started)
}
