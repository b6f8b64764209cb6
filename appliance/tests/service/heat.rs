//! A running service beside a graphics driver: one that answers, and one that hangs. The driver's library is one of ours
//! (`sensors/src/nvidia/library.c`); the real one comes with a card.

use super::*;

/// Compiles the library, with `defines` for what it shall answer, and starts the service with it.
fn beside_a_driver(lab: &Lab, defines: &[&str]) -> Running {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sensors/src/nvidia/library.c");
    let library = lab.path("libnvidia-ml.so.1");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC"]).args(defines).arg("-o").args([&library, &source]).status();
    assert!(compiled.unwrap().success());
    let mut service = Command::new(PROGRAM);
    service.args(["serve", "--config"]).arg(lab.path("appliance.toml")).env("LD_LIBRARY_PATH", lab.folder.path());
    let running = Running(service.stderr(Stdio::null()).spawn().unwrap());
    eventually("answers", || lab.get("/health/live").is_some());
    running
}

#[test]
fn a_card_that_is_too_hot_is_told_of_everywhere_and_new_images_are_read_all_the_same() {
    let lab = Lab::new();
    let films = lab.synth(2);
    // Hardware thermal slowdown at 90 degrees, which is beyond its own limit of 87.
    let service = beside_a_driver(&lab, &["-DCELSIUS=90", "-DREASONS=0x48"]);
    eventually("the card is asked", || lab.get("/metrics").unwrap().1.contains("\nthermal_state 2\n"));
    let (_, metrics) = lab.get("/metrics").unwrap();
    for figure in [
        "gpu_temperature_celsius{gpu=\"0\"} 90",
        "gpu_power_watts{gpu=\"0\"} 54.32",
        "gpu_power_limit_watts{gpu=\"0\"} 72",
        "gpu_busy_ratio{gpu=\"0\"} 0.93",
        "throttled{reason=\"hardware_heat\"} 1",
        "throttled{reason=\"near_shutdown\"} 1",
        "throttled{reason=\"power_cap\"} 0",
        "sensors_silent 0",
        "# HELP throttled ",
    ] {
        assert!(metrics.contains(figure), "{figure}: {metrics}");
    }
    let (_, page) = lab.get("/").unwrap();
    for words in [
        "NVIDIA L4: 90 °C, 54 W of 72 W, 93 % busy",
        "NVIDIA L4 is at 90 °C, close to where it switches itself off",
        "one image at a time, and none of the backlog",
        "the backlog waits: look at the fan and the dust",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(lab.send(&films).status.success());
    lab.await_concluded(2);
    stop(service);
}

#[test]
fn a_driver_that_hangs_keeps_neither_images_nor_the_end_waiting() {
    let lab = Lab::new();
    let films = lab.synth(2);
    // Each question about a temperature waits for ever.
    let service = beside_a_driver(&lab, &["-DCELSIUS=(pause(), 0)"]);
    eventually("ready", || lab.get("/health/ready").is_some_and(|(status, _)| status == 200));
    assert!(lab.send(&films).status.success());
    lab.await_concluded(2);
    eventually("it is said", || lab.get("/metrics").unwrap().1.contains("\nsensors_silent 1\n"));
    assert!(lab.get("/").unwrap().1.contains("some sensors have stopped answering"));
    stop(service);
}
