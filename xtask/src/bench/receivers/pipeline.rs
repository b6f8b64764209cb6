//! What people build today, in Python: `peers/pipeline.py`, which says what it promises and what it leaves out.

use std::path::Path;

use anyhow::Context;
use lab::process::{self, Process};
use lab::{place, ports};

use super::Receiver;

/// Receiving processes. On two cores a second one only takes time from the readers.
const RECEIVERS: usize = 1;

/// Starts it with one reading process for each core, one thread of inference in each.
pub(super) fn start(folder: &Path, cores: usize) -> anyhow::Result<Receiver> {
    let port = ports::free()?;
    let log = folder.join("pipeline.log");
    let mut command = process::command(&place::python("dicom"));
    command.arg(place::root().join("xtask/src/bench/peers/pipeline.py"));
    command.args(["--port", &port.to_string(), "--receivers", &RECEIVERS.to_string(), "--readers", &cores.to_string()]);
    command.arg("--folder").arg(folder).arg("--model").arg(place::bundle().join("model.onnx"));
    let mut process = Process::start("pipeline.py", command, &log)?;
    super::wait_until_it_echoes(&mut process, port)?;
    let images = folder.join("images");
    Ok(Receiver {
        port,
        process,
        kept: Box::new(move || super::files_in(&images, ".dcm")),
        results: Some(Box::new(move || results(&log))),
    })
}

/// One line for each.
fn results(log: &Path) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(log).with_context(|| format!("{} cannot be read", log.display()))?;
    Ok(text.lines().filter(|line| *line == "result").count())
}
