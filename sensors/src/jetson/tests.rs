//! The files of a Jetson Orin Nano under JetPack 6, as its kernel lays them out, links and all.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::watch::Kernel;

/// The I²C bus and the monitor of an Orin Nano's module.
const MONITOR: &str = "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040";
const GPU: &str = "sys/devices/platform/bus@0/17000000.gpu";
const SOCTHERM: &str = "sys/devices/platform/bus@0/2310000.soctherm-oc-event";

fn write(root: &Path, folder: &str, files: &[(&str, &str)]) {
    let folder = root.join(folder);
    fs::create_dir_all(&folder).unwrap();
    files.iter().for_each(|(file, text)| fs::write(folder.join(file), format!("{text}\n")).unwrap());
}

/// A link at `at` to `to`, both below `root`.
fn link(root: &Path, to: &str, at: &str) {
    let at = root.join(at);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    symlink(root.join(to), at).unwrap();
}

fn orin(root: &Path) {
    let hwmon = format!("{MONITOR}/hwmon/hwmon1");
    let rails = [
        ("name", "ina3221"),
        ("in1_label", "VDD_IN"),
        ("in1_input", "5024"),
        ("curr1_input", "1248"),
        ("in2_label", "VDD_CPU_GPU_CV"),
        ("in2_input", "5024"),
        ("curr2_input", "256"),
        ("in3_label", "VDD_SOC"),
        ("in3_input", "5016"),
        ("curr3_input", "296"),
        // The sum of the shunts' voltages, which is no rail.
        ("in7_label", "sum of shunt voltages"),
        ("in7_input", "2"),
    ];
    write(root, &hwmon, &rails);
    link(root, MONITOR, "sys/bus/i2c/drivers/ina3221/1-0040");
    write(root, "sys/bus/i2c/drivers/ina3221", &[("bind", ""), ("uevent", "")]);
    link(root, &hwmon, "sys/class/hwmon/hwmon1");
    write(root, GPU, &[("load", "834")]);
    let devfreq = format!("{GPU}/devfreq/17000000.gpu");
    write(root, &devfreq, &[("cur_freq", "612000000"), ("max_freq", "624750000")]);
    link(root, GPU, &format!("{devfreq}/device"));
    link(root, &devfreq, "sys/class/devfreq/17000000.gpu");
    write(root, "sys/class/devfreq/15340000.vic", &[("cur_freq", "115200000")]);
    let oc = format!("{SOCTHERM}/hwmon/hwmon2");
    let counters = [
        ("name", "soctherm_oc"),
        ("oc1_event_cnt", "0"),
        ("oc1_throt_en", "1"),
        ("oc2_event_cnt", "2"),
        ("oc3_event_cnt", "5"),
    ];
    write(root, &oc, &counters);
    link(root, &oc, "sys/class/hwmon/hwmon2");
    write(root, "sys/class/hwmon/hwmon0", &[("name", "pwmfan"), ("oc1_event_cnt", "99")]);
    for (n, name, temp) in [(0, "cpu-thermal", "48500"), (1, "gpu-thermal", "47218"), (8, "tj-thermal", "50843")] {
        let trips = [
            ("type", name),
            ("temp", temp),
            ("trip_point_0_type", "passive"),
            ("trip_point_0_temp", "99000"),
            ("trip_point_1_type", "critical"),
            ("trip_point_1_temp", "104500"),
        ];
        write(root, &format!("sys/class/thermal/thermal_zone{n}"), &trips);
    }
    write(root, "var/lib/nvpmodel", &[("status", "pmode:0001")]);
    let modes = "# POWER MODES\n< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=1 NAME=7W >\n< PM_CONFIG DEFAULT=0 >";
    write(root, "etc", &[("nvpmodel.conf", modes)]);
    // The part is off: reading its temperature fails, as it does for a folder.
    write(root, "sys/class/thermal/thermal_zone2", &[("type", "cv0-thermal")]);
    fs::create_dir(root.join("sys/class/thermal/thermal_zone2/temp")).unwrap();
    for (n, name, state) in [
        (0, "pwm-fan", "2"),
        (1, "hot-surface-alert", "0"),
        (2, "cpu-throttle-alert", "0"),
        (3, "gpu-throttle-alert", "1"),
    ] {
        write(root, &format!("sys/class/thermal/cooling_device{n}"), &[("type", name), ("cur_state", state)]);
    }
}

#[test]
fn a_jetson_orin_is_read() {
    let root = tempfile::tempdir().unwrap();
    orin(root.path());
    let kernel = Kernel::read(root.path());
    let rails: Vec<(&str, f64)> = kernel.rails.iter().map(|rail| (&*rail.name, rail.watts)).collect();
    assert_eq!(rails, [("VDD_IN", 6.269_952), ("VDD_CPU_GPU_CV", 1.286_144), ("VDD_SOC", 1.484_736)]);
    assert_eq!(kernel.integrated, Some(Integrated { busy: Some(0.834), clock_mhz: Some(612), most_mhz: Some(624) }));
    assert_eq!((kernel.overcurrents, kernel.alerts), (Some(7), vec!["gpu-throttle-alert".to_owned()]));
    assert_eq!(kernel.power_mode.as_deref(), Some("7W"));
    let zones: Vec<(&str, i64)> = kernel.zones.iter().map(|zone| (&*zone.name, zone.now)).collect();
    assert_eq!(zones, [("cpu-thermal", 48_500), ("gpu-thermal", 47_218), ("tj-thermal", 50_843)]);
}

#[test]
fn the_gpu_of_an_older_board_is_found_where_it_was() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "sys/devices/gpu.0", &[("load", "12")]);
    assert_eq!(Kernel::read(root.path()).integrated, Some(Integrated { busy: Some(0.012), ..Integrated::default() }));
    // Xavier names its frequency device by the chip.
    write(root.path(), "sys/class/devfreq/17000000.gv11b", &[("cur_freq", "1198500000"), ("max_freq", "1198500000")]);
    let found = Integrated { busy: Some(0.012), clock_mhz: Some(1198), most_mhz: Some(1198) };
    assert_eq!(Kernel::read(root.path()).integrated, Some(found));
}

#[test]
fn unwired_channels_and_broken_files_are_left_out() {
    let root = tempfile::tempdir().unwrap();
    let hwmon = "sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon5";
    let files = [
        ("in1_label", "NC"),
        ("in1_input", "1"),
        ("curr1_input", "1"),
        ("in2_label", "VDDQ"),
        ("in2_input", "?"),
        ("curr2_input", "5"),
        ("in3_label", ""),
    ];
    write(root.path(), hwmon, &files);
    write(
        root.path(),
        "sys/class/hwmon/hwmon5",
        &[("name", "soctherm_oc"), ("oc1_event_cnt", "-3"), ("oc2_event_cnt", "x")],
    );
    assert_eq!(Kernel::read(root.path()), Kernel::default());
}

#[test]
fn a_power_mode_without_a_name_is_its_number_and_a_broken_one_is_none() {
    let root = tempfile::tempdir().unwrap();
    for (status, expected) in [("pmode:0008 fmode:cool", Some("8")), ("pmode:", None), ("", None)] {
        write(root.path(), "var/lib/nvpmodel", &[("status", status)]);
        assert_eq!(Kernel::read(root.path()).power_mode.as_deref(), expected, "{status}");
    }
}

#[test]
fn another_machine_has_nothing_of_it() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(Kernel::read(root.path()), Kernel::default());
    write(root.path(), "sys/class/devfreq/0000:00:02.0", &[("cur_freq", "1")]);
    assert_eq!(Kernel::read(root.path()), Kernel::default());
}
