//! A machine without an NVIDIA device is refused; one with a device is not, and each check that it does not offer says so.

#![cfg(test)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs with nothing but `tools` to be found.
fn run(tools: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hw-tests")).args(arguments).env("PATH", tools).output().unwrap()
}

/// A program that prints what the board's own would.
fn tool(folder: &Path, name: &str, prints: &str) {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\n/bin/cat <<'END'\n{prints}\nEND\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

const SLOTS: &str = "Current rootfs slot: A\nActive rootfs slot: A\nnum_slots: 2\n\
    slot: 0,             retry_count: 3,             status: normal\n\
    slot: 1,             retry_count: 3,             status: normal";

#[test]
fn a_machine_without_a_gpu_is_refused_in_a_sentence() {
    // An empty PATH hides nvidia-smi, so this holds on every machine but a Jetson, which its device tree gives away.
    if Path::new("/etc/nv_tegra_release").exists() {
        println!("SKIPPED: this is a Jetson board; the refusal cannot be seen on it");
        return;
    }
    for arguments in [&[][..], &["--only", "thermal,slots"]] {
        let output = run(Path::new("/nowhere"), arguments);
        assert_eq!(output.status.code(), Some(2));
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.contains("no usable NVIDIA GPU (nvidia-smi is not installed)"), "{words}");
        assert!(words.contains("run them on the device itself"), "{words}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_the_board_does_not_offer_is_refused_where_it_was_asked_for() {
    let tools = tempfile::tempdir().unwrap();
    tool(tools.path(), "nvidia-smi", "NVIDIA L4, 570.86.15");
    for (check, words) in [
        ("slots", "none of rauc, nvbootctrl and bootctl is installed"),
        ("cache", "only TensorRT builds engines"),
        // Either systemd is not the first process here, or it cannot be asked without systemctl.
        ("watchdog", "system"),
    ] {
        let output = run(tools.path(), &["--only", check]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("device: NVIDIA L4 (driver 570.86.15)"), "{text}");
        assert!(text.contains(&format!("{check}: not offered here: ")) && text.contains(words), "{text}");
    }
}

#[test]
fn the_boards_slots_are_judged_and_written_down() {
    let tools = tempfile::tempdir().unwrap();
    let document = tools.path().join("document.md");
    let marks = ["begin", "end"].map(|which| format!("<!-- measured by `hw-tests --write`: {which} -->\n"));
    fs::write(&document, format!("before\n{}old\n{}after\n", marks[0], marks[1])).unwrap();
    tool(tools.path(), "nvidia-smi", "Orin, 540.4.0");
    for (says, code, word) in
        [(SLOTS.to_owned(), 0, "passed"), (SLOTS.replacen("status: normal", "status: unbootable", 1), 1, "**failed**")]
    {
        tool(tools.path(), "nvbootctrl", &says);
        let output = run(tools.path(), &["--only", "slots", "--write", document.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stdout));
        let text = fs::read_to_string(&document).unwrap();
        assert!(text.contains(&format!("| slots | {word} | slot A runs")), "{text}");
        assert!(text.contains("Orin, driver 540.4.0") && !text.contains("old"), "{text}");
        assert!(text.starts_with("before\n") && text.ends_with("after\n"), "{text}");
    }
}

#[test]
fn a_document_without_marks_is_left_alone_and_that_is_a_failure() {
    let tools = tempfile::tempdir().unwrap();
    tool(tools.path(), "nvidia-smi", "Orin, 540.4.0");
    tool(tools.path(), "nvbootctrl", SLOTS);
    let document = tools.path().join("document.md");
    fs::write(&document, "mine\n").unwrap();
    let output = run(tools.path(), &["--only", "slots", "--write", document.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&document).unwrap(), "mine\n");
}
