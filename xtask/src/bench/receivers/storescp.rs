//! dcmtk's storescp: a process for each association, files written as they come and never synced.

use std::path::Path;

use lab::process::{self, Process};
use lab::{place, ports};

use super::Receiver;

/// Starts it.
pub(super) fn start(folder: &Path) -> anyhow::Result<Receiver> {
    let (port, images) = (ports::free()?, folder.join("images"));
    place::make(&images)?;
    let mut command = process::command(Path::new("storescp"));
    command.args(["--fork", "--output-directory"]).arg(&images).arg(port.to_string());
    let mut process = Process::start("storescp", command, &folder.join("storescp.log"))?;
    super::wait_until_it_echoes(&mut process, port)?;
    // Named after the modality and the instance.
    Ok(Receiver { port, process, kept: Box::new(move || super::files_in(&images, "")), results: None })
}
