//! The machine beneath: disk, temperature, kernel, measured now and then. It changes nothing, and what it cannot read it leaves
//! out.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use metrics::{Unit, describe_gauge, gauge};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::{self, Clock};

/// Between two measurements: a disk fills in hours, and the spool may hold a hundred thousand files to count.
const PERIOD: Duration = Duration::from_secs(60);

/// As measured last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// Name and release of the kernel.
    pub kernel: String,
    /// The disk that holds the state; none before the first measurement.
    pub disk: Option<Disk>,
    /// Bytes of images in the spool.
    pub spool_bytes: u64,
    /// Images in the spool.
    pub spool_files: u64,
    /// Bytes of the images that came within the last day, of those that are still there.
    pub last_day_bytes: u64,
    /// Degrees Celsius of the hottest thermal zone.
    pub hottest_celsius: Option<f64>,
    /// Whether the clock follows another one.
    pub clock: Clock,
}

/// A file system's room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that the service may still use.
    pub free_bytes: u64,
    /// All of it.
    pub total_bytes: u64,
}

impl Machine {
    /// Days until the disk is full if images come as they did within the last day and none leaves.
    #[must_use]
    pub fn days_left(&self) -> Option<f64> {
        let disk = self.disk?;
        (self.last_day_bytes > 0).then(|| disk.free_bytes as f64 / self.last_day_bytes as f64)
    }

    /// Measures now; blocks on the disk. `system` is the root of the machine's own files, `/`.
    #[must_use]
    pub fn measure(spool: &Path, system: &Path) -> Self {
        let name = rustix::system::uname();
        let disk = rustix::fs::statvfs(spool).ok().map(|told| Disk {
            free_bytes: told.f_bavail.saturating_mul(told.f_frsize),
            total_bytes: told.f_blocks.saturating_mul(told.f_frsize),
        });
        let mut machine = Self {
            kernel: format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
            disk,
            hottest_celsius: hottest(&system.join("sys/class/thermal")),
            clock: Clock::measure(system, clock::kernel),
            ..Self::default()
        };
        for file in fs::read_dir(spool).into_iter().flatten().flatten().filter_map(|entry| entry.metadata().ok()) {
            if file.is_file() {
                machine.spool_files += 1;
                machine.spool_bytes += file.len();
                let age = file.modified().ok().and_then(|time| time.elapsed().ok());
                let is_new = age.is_some_and(|age| age < Duration::from_secs(86_400));
                machine.last_day_bytes += if is_new { file.len() } else { 0 };
            }
        }
        machine
    }

    fn show(&self) {
        self.clock.show();
        gauge!("spool_files").set(self.spool_files as f64);
        gauge!("spool_bytes").set(self.spool_bytes as f64);
        if let Some(disk) = self.disk {
            gauge!("disk_free_bytes").set(disk.free_bytes as f64);
            gauge!("disk_size_bytes").set(disk.total_bytes as f64);
        }
        if let Some(hottest) = self.hottest_celsius {
            gauge!("machine_temperature_celsius").set(hottest);
        }
    }
}

/// The kernel's thermal zones tell thousandths of a degree (`Documentation/driver-api/thermal/sysfs-api.rst`); one that is
/// off says something impossible.
fn hottest(zones: &Path) -> Option<f64> {
    let zones = fs::read_dir(zones).ok()?.flatten().map(|zone| zone.path().join("temp"));
    let degrees = zones.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<f64>().ok());
    degrees
        .map(|thousandths| thousandths / 1000.0)
        .filter(|degrees| (-40.0..200.0).contains(degrees))
        .max_by(f64::total_cmp)
}

/// Measures until `stop`.
pub async fn run(spool: PathBuf, told: watch::Sender<Machine>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(PERIOD);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let spool = spool.clone();
        if let Ok(measured) = tokio::task::spawn_blocking(move || Machine::measure(&spool, Path::new("/"))).await {
            measured.show();
            told.send_replace(measured);
        }
    }
}

/// Says what each of these metrics means.
pub(super) fn describe() {
    describe_gauge!("spool_files", "Images in the spool");
    describe_gauge!("spool_bytes", Unit::Bytes, "Size of the images in the spool");
    describe_gauge!("disk_free_bytes", Unit::Bytes, "Free room on the disk that holds state_dir");
    describe_gauge!("disk_size_bytes", Unit::Bytes, "Size of the disk that holds state_dir");
    describe_gauge!("machine_temperature_celsius", "Temperature of the hottest thermal zone, degrees Celsius");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spool_the_disk_and_the_hottest_sensor_are_measured() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, system) = (folder.path().join("spool"), folder.path().join("root"));
        fs::create_dir_all(spool.join("temp")).unwrap();
        for (file, size) in [("1.dcm", 1000), ("2.dcm", 500)] {
            fs::write(spool.join(file), vec![0; size]).unwrap();
        }
        for (zone, temperature) in [("a", "41500\n"), ("b", "63000"), ("off", "-274000"), ("odd", "?")] {
            let zone = system.join("sys/class/thermal").join(zone);
            fs::create_dir_all(&zone).unwrap();
            fs::write(zone.join("temp"), temperature).unwrap();
        }
        let machine = Machine::measure(&spool, &system);
        assert_eq!((machine.spool_files, machine.spool_bytes, machine.last_day_bytes), (2, 1500, 1500));
        assert_eq!(machine.hottest_celsius, Some(63.0));
        let disk = machine.disk.unwrap();
        assert!(disk.free_bytes <= disk.total_bytes);
        assert_eq!(machine.days_left(), Some(disk.free_bytes as f64 / 1500.0));
        assert_eq!(Machine::default().days_left(), None);
    }
}
