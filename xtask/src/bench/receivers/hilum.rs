//! The appliance, configured as the lab configures it, in the programs that are measured.

use std::path::Path;
use std::time::Instant;

use anyhow::bail;
use lab::hospital::{Hospital, HospitalPlan};
use lab::process::{self, Process};
use lab::{api, journal, ports};

use super::Receiver;

/// A running appliance.
pub(in crate::bench) struct Hilum {
    pub(in crate::bench) receiver: Receiver,
    /// Milliseconds from exec to the first C-ECHO success.
    pub(in crate::bench) ready_ms: f64,
}

impl Hilum {
    /// Starts it. Without `reading` it has no model: it takes images in, durable and journalled, and would read them once a
    /// model is installed.
    pub(in crate::bench) fn start(programs: &Path, folder: &Path, reading: bool) -> anyhow::Result<Self> {
        let mut plan = HospitalPlan::new(folder, "bench", ports::free()?)?;
        if !reading {
            plan.bundle = folder.join("no-model-installed");
        }
        let (port, http) = (plan.dicom_port, plan.appliance_port);
        let hospital = Hospital::prepare(plan, [7; 32], [8; 32])?;
        let mut command = process::command(&programs.join("hilum-appliance"));
        command.args(["serve", "--config"]).arg(hospital.appliance_config());
        let began = Instant::now();
        let mut process = Process::start("hilum-appliance", command, &folder.join("hilum-appliance.log"))?;
        super::wait_until_it_echoes(&mut process, port)?;
        let ready_ms = began.elapsed().as_secs_f64() * 1e3;
        if reading {
            process.wait_until(|| api::is_ready(http))?;
        }
        let outbox = hospital.outbox();
        let receiver = Receiver {
            port,
            process,
            kept: Box::new(move || Ok(journal::entries(&outbox)?.len())),
            results: reading.then(|| Box::new(move || read(http)) as super::Count),
        };
        Ok(Self { receiver, ready_ms })
    }
}

/// Images whose result is committed. An image that was answered in another way than by the model's reading would make the
/// figure a lie.
fn read(http: u16) -> anyhow::Result<usize> {
    let (_, metrics) = api::text(&format!("http://127.0.0.1:{http}/metrics"))?;
    let (mut read, mut others) = (0, 0);
    for line in metrics.lines().filter(|line| line.starts_with("predictions_total{")) {
        let count = line.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
        if line.contains("status=\"read\"") { read += count } else { others += count }
    }
    if others > 0 {
        bail!("{others} images were not read by the model");
    }
    Ok(read)
}
