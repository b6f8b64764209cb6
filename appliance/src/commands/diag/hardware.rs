//! What the machine is made of, from the kernel's own files.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Config;
use crate::health::machine::Machine;

/// A card without a driver that keeps it awake takes seconds to answer first; one that hangs is left out.
const PATIENCE: Duration = Duration::from_secs(10);

/// `system` is the root of the machine's files, `/`.
pub(super) fn found(system: &Path, config: Option<&Config>) -> Value {
    let read = |file: &str| fs::read_to_string(system.join(file)).unwrap_or_default();
    let (cpu, memory) = (read("proc/cpuinfo"), read("proc/meminfo"));
    let state_dir = config.map_or(Path::new("/"), |config| &config.device.state_dir);
    let machine = Machine::measure(&state_dir.join("spool"), system);
    let library = config.and_then(|config| fs::metadata(&config.model.onnxruntime).ok());
    json!({
        "processor": field(&cpu, "model name"),
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "memory": field(&memory, "MemTotal"),
        "memory_available": field(&memory, "MemAvailable"),
        "graphics": graphics(&system.join("proc/driver/nvidia/gpus")),
        "board": read("proc/device-tree/model").trim_matches(['\0', '\n']),
        "kernel": machine.kernel,
        "disk_free_bytes": machine.disk.map(|disk| disk.free_bytes),
        "disk_size_bytes": machine.disk.map(|disk| disk.total_bytes),
        "spool_files": machine.spool_files,
        "spool_bytes": machine.spool_bytes,
        "hottest_celsius": machine.hottest_celsius,
        "clock": machine.clock.words(),
        "sensors": sensors(system),
        "onnxruntime_library_bytes": library.map(|library| library.len()),
    })
}

/// Heat, power and what is slowed down, now.
fn sensors(system: &Path) -> Option<Value> {
    let readings = sensors::Watch::with(system, OsStr::new(sensors::LIBRARY)).ok()?.first(PATIENCE);
    let held_back: Vec<&str> =
        sensors::causes(&readings, readings.kernel.overcurrents).iter().map(sensors::Cause::name).collect();
    Some(json!({ "held_back": held_back, "readings": readings }))
}

/// The value of the first `NAME : value` line.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// The names of NVIDIA's cards, as their driver lists them.
fn graphics(cards: &Path) -> Vec<String> {
    let cards = fs::read_dir(cards).into_iter().flatten().flatten();
    let about = cards.filter_map(|card| fs::read_to_string(card.path().join("information")).ok());
    about.filter_map(|text| field(&text, "Model").map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let card = folder.path().join("proc/driver/nvidia/gpus/0000:01:00.0");
        fs::create_dir_all(&card).unwrap();
        fs::write(card.join("information"), "Model: \t\t NVIDIA H200\nIRQ: 1\n").unwrap();
        fs::write(folder.path().join("proc/cpuinfo"), "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n").unwrap();
        let zone = folder.path().join("sys/class/thermal/thermal_zone0");
        fs::create_dir_all(&zone).unwrap();
        let files =
            [("type", "tj"), ("temp", "99500"), ("trip_point_0_type", "passive"), ("trip_point_0_temp", "99000")];
        files.iter().for_each(|(file, text)| fs::write(zone.join(file), text).unwrap());
        let found = found(folder.path(), None);
        assert_eq!(found["sensors"]["held_back"], json!(["heat"]));
        assert_eq!(found["sensors"]["readings"]["kernel"]["zones"][0]["now"], 99_500);
        assert_eq!(found["graphics"], json!(["NVIDIA H200"]));
        assert_eq!(found["processor"], "Some CPU @ 2 GHz");
    }
}
