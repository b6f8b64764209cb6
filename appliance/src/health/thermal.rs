//! How hot the device is, by the kernel's own thermal zones (`/sys/class/thermal`, on PCs, servers and Jetson boards
//! alike): metrics, words for the health page, and less work for the model while it is too hot. It sets no fan and no clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use metrics::gauge;
use reader::inference::{Admission, Engine};
use tokio_util::sync::CancellationToken;
use vitals::health::Part;

/// Where the kernel tells (Documentation/driver-api/thermal/sysfs-api.rst).
pub const ZONES: &str = "/sys/class/thermal";

/// Between two looks: a heat sink takes minutes to heat up, a throttled processor is told of within seconds.
const PERIOD: Duration = Duration::from_secs(5);

/// Distance from the temperature at which the kernel shuts the machine down, thousandths of a degree: time to become
/// cooler by doing less.
const MARGIN: i64 = 10_000;

/// Thermal zones hold at most this many trip points (THERMAL_MAX_TRIPS).
const MOST_TRIPS: usize = 12;

/// One thermal zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its type, such as `x86_pkg_temp` or `gpu-thermal`.
    pub name: String,
    /// Thousandths of a degree Celsius.
    pub now: i64,
    /// From here on the kernel slows its devices down, where it does.
    pub passive: Option<i64>,
    /// From here on it shuts the machine down, where it does.
    pub critical: Option<i64>,
}

/// How hot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heat {
    /// As it should be.
    Normal,
    /// The kernel slows devices down.
    Throttled,
    /// Not far from a shutdown.
    Critical,
}

/// All zones under `folder` that tell their temperature; none on a machine without sensors.
#[must_use]
pub fn zones(folder: &Path) -> Vec<Zone> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("thermal_zone")));
    folders.sort();
    folders.iter().filter_map(|folder| zone(folder)).collect()
}

fn zone(folder: &Path) -> Option<Zone> {
    let word = |file: &str| Some(fs::read_to_string(folder.join(file)).ok()?.trim().to_owned());
    let number = |file: &str| word(file)?.parse::<i64>().ok();
    let trip = |kinds: &[&str]| {
        let is = |n: &usize| word(&format!("trip_point_{n}_type")).is_some_and(|kind| kinds.contains(&kind.as_str()));
        let degrees = (0..MOST_TRIPS).filter(is).filter_map(|n| number(&format!("trip_point_{n}_temp")));
        // Firmware that knows no such point says 0 or less.
        degrees.filter(|degrees| *degrees > 0).min()
    };
    let (passive, critical) = (trip(&["passive"]), trip(&["critical", "hot"]));
    Some(Zone { name: word("type")?, now: number("temp")?, passive, critical })
}

impl Zone {
    /// How hot it is by its own points.
    #[must_use]
    pub fn heat(&self) -> Heat {
        if self.critical.is_some_and(|critical| self.now >= critical - MARGIN) {
            Heat::Critical
        } else if self.passive.is_some_and(|passive| self.now >= passive) {
            Heat::Throttled
        } else {
            Heat::Normal
        }
    }
}

/// What the model may be given at `heat`: half of a batch of `max_batch` while the kernel slows devices down, single images
/// and no backlog before a shutdown.
#[must_use]
pub fn admission(heat: Heat, max_batch: usize) -> Admission {
    match heat {
        Heat::Normal => Admission::default(),
        Heat::Throttled => Admission { max_batch: max_batch.div_ceil(2), backlog: true },
        Heat::Critical => Admission { max_batch: 1, backlog: false },
    }
}

/// Looks until `stop`.
pub async fn watch(engine: Engine, max_batch: usize, part: Part, stop: CancellationToken) {
    let mut tick = tokio::time::interval(PERIOD);
    let mut before = Heat::Normal;
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let zones = zones(Path::new(ZONES));
        for zone in &zones {
            gauge!("temperature_celsius", "zone" => zone.name.clone()).set(zone.now as f64 / 1e3);
        }
        let hottest = zones.iter().max_by_key(|zone| zone.heat());
        let heat = hottest.map_or(Heat::Normal, Zone::heat);
        gauge!("thermal_state").set(f64::from(heat as u8));
        if heat != before {
            engine.admit(admission(heat, max_batch));
            before = heat;
        }
        match hottest.filter(|zone| zone.heat() == Heat::Critical) {
            None => part.up(),
            Some(zone) => part.down(&format!(
                "{} is at {} °C, close to where the machine switches itself off; the backlog waits: look at the fan and the dust",
                zone.name,
                zone.now / 1000
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, zone: usize, files: &[(&str, &str)]) {
        let folder = folder.join(format!("thermal_zone{zone}"));
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, text)| fs::write(folder.join(file), format!("{text}\n")).unwrap());
    }

    #[test]
    fn the_kernels_zones_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(zones(&folder.path().join("nothing")), []);
        write(
            folder.path(),
            0,
            &[
                ("type", "gpu-thermal"),
                ("temp", "51250"),
                ("trip_point_0_type", "active"),
                ("trip_point_0_temp", "46000"),
                ("trip_point_1_type", "passive"),
                ("trip_point_1_temp", "99000"),
                ("trip_point_2_type", "critical"),
                ("trip_point_2_temp", "104500"),
                ("trip_point_3_type", "hot"),
                ("trip_point_3_temp", "103000"),
            ],
        );
        write(
            folder.path(),
            1,
            &[("type", "acpitz"), ("temp", "-1000"), ("trip_point_0_type", "critical"), ("trip_point_0_temp", "0")],
        );
        write(folder.path(), 2, &[("type", "broken"), ("temp", "warm")]);
        fs::create_dir(folder.path().join("cooling_device0")).unwrap();
        let found = zones(folder.path());
        let gpu = Zone { name: "gpu-thermal".into(), now: 51_250, passive: Some(99_000), critical: Some(103_000) };
        assert_eq!(found, [gpu, Zone { name: "acpitz".into(), now: -1000, passive: None, critical: None }]);
    }

    #[test]
    fn a_zone_is_judged_by_its_own_points() {
        for (now, passive, critical, heat) in [
            (60_000, Some(80_000), Some(100_000), Heat::Normal),
            (80_000, Some(80_000), Some(100_000), Heat::Throttled),
            (89_999, Some(80_000), Some(100_000), Heat::Throttled),
            (90_000, Some(80_000), Some(100_000), Heat::Critical),
            (90_000, None, Some(100_000), Heat::Critical),
            (150_000, None, None, Heat::Normal),
        ] {
            let zone = Zone { name: "cpu".into(), now, passive, critical };
            assert_eq!(zone.heat(), heat, "{now} {passive:?} {critical:?}");
        }
    }

    #[test]
    fn less_is_let_through_the_hotter_it_is() {
        let at = |heat, max_batch| admission(heat, max_batch);
        assert_eq!(at(Heat::Normal, 8), Admission::default());
        assert_eq!(at(Heat::Throttled, 8), Admission { max_batch: 4, backlog: true });
        assert_eq!(at(Heat::Throttled, 1), Admission { max_batch: 1, backlog: true });
        assert_eq!(at(Heat::Critical, 8), Admission { max_batch: 1, backlog: false });
    }
}
