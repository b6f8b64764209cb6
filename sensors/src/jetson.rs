//! A Jetson board's power rails, integrated graphics processor and over-current counters, from the files that its kernel
//! shows (NVIDIA's Jetson Linux Developer Guide, "Platform Power and Performance"). Other machines have none of them. It only
//! reads.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::zone::{entries, number, word};

/// An INA3221 measures three rails.
const CHANNELS: usize = 3;

/// One power rail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rail {
    /// As the board names it, such as `VDD_IN`, which is all that the module draws.
    pub name: String,
    /// Watts that flow now.
    pub watts: f64,
}

/// The graphics processor on the board's own chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Integrated {
    /// Share of the last moments in which it computed, 0 to 1.
    pub busy: Option<f64>,
    /// Megahertz.
    pub clock_mhz: Option<u32>,
    /// Megahertz that it may reach in the board's power mode.
    pub most_mhz: Option<u32>,
}

/// The rails of every INA3221 under `drivers`, which is `/sys/bus/i2c/drivers`.
pub(crate) fn rails(drivers: &Path) -> Vec<Rail> {
    let monitors = entries(drivers, "ina3221").into_iter().flat_map(|driver| entries(&driver, ""));
    let hwmons = monitors.flat_map(|monitor| entries(&monitor.join("hwmon"), "hwmon"));
    hwmons.flat_map(|hwmon| (1..=CHANNELS).filter_map(move |n| rail(&hwmon, n)).collect::<Vec<_>>()).collect()
}

/// Millivolts and milliamperes (Documentation/hwmon/ina3221.rst); a channel that is not wired has no label, or `NC`.
fn rail(hwmon: &Path, channel: usize) -> Option<Rail> {
    let name = word(hwmon, &format!("in{channel}_label")).filter(|name| !name.is_empty() && name != "NC")?;
    let (volts, amperes) =
        (number(hwmon, &format!("in{channel}_input"))?, number(hwmon, &format!("curr{channel}_input"))?);
    Some(Rail { name, watts: volts as f64 * amperes as f64 / 1e6 })
}

/// Names of the graphics processor's frequency device over the generations: Orin by its address, others by the chip's name.
const DEVFREQ: [&str; 4] = ["gpu", "ga10b", "gv11b", "gp10b"];

/// The integrated graphics processor under `sys`, which is `/sys`.
pub(crate) fn integrated(sys: &Path) -> Option<Integrated> {
    let devices = entries(&sys.join("class/devfreq"), "");
    let is_gpu = |path: &&PathBuf| {
        path.extension().is_some_and(|kind| DEVFREQ.iter().any(|name| kind.to_string_lossy() == *name))
    };
    let devfreq = devices.iter().find(is_gpu);
    let places = devfreq
        .map(|folder| folder.join("device"))
        .into_iter()
        .chain(["devices/gpu.0", "devices/platform/gpu.0"].map(|folder| sys.join(folder)));
    // Thousandths of the time.
    let busy = places.into_iter().find_map(|folder| number(&folder, "load"));
    let megahertz = |file: &str| u32::try_from(number(devfreq?, file)? / 1_000_000).ok();
    let found = Integrated {
        busy: busy.map(|load| load.clamp(0, 1000) as f64 / 1e3),
        clock_mhz: megahertz("cur_freq"),
        most_mhz: megahertz("max_freq"),
    };
    (found != Integrated::default()).then_some(found)
}

/// How often the board was slowed down since its start because it drew too much current: the sum of `oc*_event_cnt` of the
/// chip's thermal controller under `hwmons`, which is `/sys/class/hwmon`. None where there is no such counter.
pub(crate) fn overcurrents(hwmons: &Path) -> Option<u64> {
    let is_controller = |hwmon: &PathBuf| word(hwmon, "name").as_deref() == Some("soctherm_oc");
    let controllers = entries(hwmons, "hwmon").into_iter().filter(is_controller);
    let files = controllers.flat_map(|hwmon| entries(&hwmon, "oc"));
    let counters = files.filter(|file| file.to_string_lossy().ends_with("_event_cnt"));
    let counts = counters.filter_map(|file| u64::try_from(number(file.parent()?, file.file_name()?.to_str()?)?).ok());
    counts.fold(None, |sum, count| Some(sum.unwrap_or(0).saturating_add(count)))
}

/// Cooling devices under `thermal` (`/sys/class/thermal`) that tell a Jetson's software of a throttled processor, and do now:
/// `cpu-throttle-alert`, `gpu-throttle-alert` and the like.
pub(crate) fn alerts(thermal: &Path) -> Vec<String> {
    let devices = entries(thermal, "cooling_device").into_iter();
    let raised = devices.filter(|device| number(device, "cur_state").is_some_and(|state| state > 0));
    raised.filter_map(|device| word(&device, "type")).filter(|name| name.ends_with("-throttle-alert")).collect()
}

/// The mode that `nvpmodel` keeps in its status file, by the name that its configuration gives it: `pmode:0001` there, and
/// `< POWER_MODEL ID=1 NAME=15W >` here. Its number where it has no name.
pub(crate) fn power_mode(root: &Path) -> Option<String> {
    let status = word(root, "var/lib/nvpmodel/status")?;
    let digits: String = status.split_once("pmode:")?.1.chars().take_while(char::is_ascii_digit).collect();
    let mode: u32 = digits.parse().ok()?;
    let modes = word(root, "etc/nvpmodel.conf").unwrap_or_default();
    let named = modes.lines().filter(|line| line.contains("POWER_MODEL")).find_map(|line| {
        let field = |name: &str| line.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        (field("ID")?.parse() == Ok(mode)).then(|| field("NAME").map(str::to_owned))?
    });
    Some(named.unwrap_or_else(|| mode.to_string()))
}

#[cfg(test)]
mod tests;
