//! An engine is found again under exactly the conditions under which it was built.

use super::*;

fn machine() -> Machine {
    let word = str::to_owned;
    Machine { gpu: word("Orin"), driver: word("R36"), tensorrt: word("libnvinfer.so.10.3.0 1"), cuda: word("12.6") }
}

const MODEL: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn stack(machine: &Machine) -> Stack<'_> {
    Stack { model: MODEL, onnxruntime: "1.24", machine, precision: Precision::Fp32, max_batch: 8 }
}

#[test]
fn everything_that_an_engine_depends_on_changes_its_key() {
    let here = machine();
    let with = |change: fn(&mut Machine)| {
        let mut other = machine();
        change(&mut other);
        stack(&other).key()
    };
    let other_model = MODEL.replace('0', "f");
    let keys = [
        stack(&here).key(),
        Stack { model: &other_model, ..stack(&here) }.key(),
        Stack { onnxruntime: "1.25", ..stack(&here) }.key(),
        Stack { precision: Precision::Fp16, ..stack(&here) }.key(),
        Stack { precision: Precision::Tf32, ..stack(&here) }.key(),
        Stack { max_batch: 16, ..stack(&here) }.key(),
        with(|machine| machine.gpu.push('X')),
        with(|machine| machine.driver.push('X')),
        with(|machine| machine.tensorrt.push('X')),
        with(|machine| machine.cuda.push('X')),
        // The same letters in other places.
        with(|machine| (machine.gpu, machine.driver) = ("OrinR".into(), "36".into())),
    ];
    let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
    assert_eq!(keys[0], stack(&machine()).key());
    for key in &keys {
        assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && key.len() == 49, "{key}");
    }
    assert!(keys[0].starts_with("0123456789abcdef-"));
}

#[test]
fn what_was_not_proved_is_built_again_and_what_was_is_found() {
    let (folder, here) = (tempfile::tempdir().unwrap(), machine());
    let parent = folder.path().join("engines");
    let first = Engines::at(&parent, &stack(&here)).unwrap();
    assert!(!first.are_built());
    fs::write(first.folder().join("half.engine"), "half").unwrap();
    // It died while it built.
    drop(first);
    let second = Engines::at(&parent, &stack(&here)).unwrap();
    assert!(!second.are_built() && !second.folder().join("half.engine").exists());
    fs::write(second.folder().join("whole.engine"), "whole").unwrap();
    second.keep().unwrap();
    let third = Engines::at(&parent, &stack(&here)).unwrap();
    assert!(third.are_built() && third.folder().join("whole.engine").is_file());
}

#[test]
fn a_proved_engine_makes_the_models_others_useless_and_no_other_models() {
    let (folder, here) = (tempfile::tempdir().unwrap(), machine());
    let other_model = MODEL.replace('0', "f");
    let keep = |stack: &Stack<'_>| Engines::at(folder.path(), stack).unwrap().keep().unwrap();
    keep(&stack(&here));
    keep(&Stack { model: &other_model, ..stack(&here) });
    drop(Engines::at(folder.path(), &Stack { max_batch: 2, ..stack(&here) }).unwrap());
    let fp16 = Stack { precision: Precision::Fp16, ..stack(&here) };
    keep(&fp16);
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    let mut expected = [fp16.key(), Stack { model: &other_model, ..stack(&here) }.key()];
    expected.sort();
    assert_eq!(left, expected);
}

#[test]
fn the_machine_is_told_by_its_own_files() {
    let root = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let nothing = Machine::look(root.path(), &root.path().join("ort/libonnxruntime.so"));
    assert_eq!((nothing.gpu, nothing.driver), (String::new(), String::new()));
    write("proc/device-tree/model", "NVIDIA Jetson Orin Nano\0");
    write("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3\nmore\n");
    write("ort/libnvinfer.so.10.3.0", "12345");
    std::os::unix::fs::symlink("libnvinfer.so.10.3.0", root.path().join("ort/libnvinfer.so.10")).unwrap();
    let jetson = Machine::look(root.path(), &root.path().join("ort/libonnxruntime.so"));
    assert_eq!((&*jetson.gpu, &*jetson.driver), ("NVIDIA Jetson Orin Nano", "# R36 (release), REVISION: 4.3"));
    assert_eq!(jetson.tensorrt, "libnvinfer.so.10.3.0 5");
    write("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX 570.86\nGCC\n");
    write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA L4\nIRQ: 5\n");
    let discrete = Machine::look(root.path(), &root.path().join("ort/libonnxruntime.so"));
    assert_eq!((&*discrete.gpu, &*discrete.driver), ("NVIDIA L4", "NVRM version: NVIDIA UNIX 570.86"));
}
