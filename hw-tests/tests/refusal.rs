//! A machine without an NVIDIA device is refused; one with a device is not.

use std::path::Path;
use std::process::Command;

#[test]
fn a_machine_without_a_gpu_is_refused_in_a_sentence() {
    // An empty PATH hides nvidia-smi, so this holds on every machine but a Jetson, which its device tree gives away.
    if Path::new("/etc/nv_tegra_release").exists() {
        println!("SKIPPED: this is a Jetson board; the refusal cannot be seen on it");
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_hw-tests")).env("PATH", "/nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("no usable NVIDIA GPU (nvidia-smi is not installed)"), "{words}");
    assert!(words.contains("run them on the device itself"), "{words}");
    assert!(output.stdout.is_empty());
}
