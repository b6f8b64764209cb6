//! The kernel's thermal zones (`/sys/class/thermal`, on PCs, servers and Jetson boards alike). It only reads them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Thermal zones hold at most this many trip points (THERMAL_MAX_TRIPS).
const MOST_TRIPS: usize = 12;

/// One thermal zone (Documentation/driver-api/thermal/sysfs-api.rst).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

impl Zone {
    /// All zones under `folder` that tell their temperature; none on a machine without sensors.
    #[must_use]
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        entries(folder, "thermal_zone").iter().filter_map(|folder| Self::read(folder)).collect()
    }

    /// A Jetson's zone of a part that is switched off answers EAGAIN, and is left out.
    fn read(folder: &Path) -> Option<Self> {
        let trip = |kinds: &[&str]| {
            let is = |n: &usize| {
                word(folder, &format!("trip_point_{n}_type")).is_some_and(|kind| kinds.contains(&kind.as_str()))
            };
            let degrees = (0..MOST_TRIPS).filter(is).filter_map(|n| number(folder, &format!("trip_point_{n}_temp")));
            // Firmware that knows no such point says 0 or less.
            degrees.filter(|degrees| *degrees > 0).min()
        };
        let (passive, critical) = (trip(&["passive"]), trip(&["critical", "hot"]));
        Some(Self { name: word(folder, "type")?, now: number(folder, "temp")?, passive, critical })
    }
}

/// What in `folder` has a name that begins with `stem`, in the order of the names.
pub(crate) fn entries(folder: &Path, stem: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(stem)));
    found.sort();
    found
}

/// The one word that the kernel says in `file`.
pub(crate) fn word(folder: &Path, file: &str) -> Option<String> {
    Some(fs::read_to_string(folder.join(file)).ok()?.trim().to_owned())
}

/// The one whole number that the kernel says in `file`.
pub(crate) fn number(folder: &Path, file: &str) -> Option<i64> {
    word(folder, file)?.parse().ok()
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
        assert_eq!(Zone::all(&folder.path().join("nothing")), []);
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
        let found = Zone::all(folder.path());
        let gpu = Zone { name: "gpu-thermal".into(), now: 51_250, passive: Some(99_000), critical: Some(103_000) };
        assert_eq!(found, [gpu, Zone { name: "acpitz".into(), now: -1000, passive: None, critical: None }]);
    }
}
