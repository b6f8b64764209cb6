//! What a program and its children hold in memory and have spent of the processor, from /proc. It only looks.

use std::fs;
use std::path::Path;

/// One process.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    /// Its second word, such as `serve` or `decode-worker`.
    pub(super) role: String,
    /// Resident, MiB: VmRSS of /proc/PID/status.
    pub(super) resident_mib: f64,
}

/// The process that holds the model and ONNX Runtime.
const WITH_MODEL: &str = "inference-worker";

/// Ticks of a second in /proc/PID/stat: Linux's USER_HZ on every architecture that this runs on.
const TICKS: f64 = 100.0;

/// What a process and everything that it started hold, itself first.
pub(super) fn memory(root: u32) -> Vec<Held> {
    members(root).into_iter().filter_map(held).collect()
}

/// Processor seconds that they have spent so far, those of ended and awaited children included.
pub(super) fn spent(root: u32) -> f64 {
    members(root).into_iter().filter_map(ticks).sum::<f64>() / TICKS
}

/// User and system time, own and of awaited children: fields 14 to 17 of proc(5), which come after a name in brackets.
fn ticks(id: u32) -> Option<f64> {
    let text = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<f64> =
        after_name.split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    (fields.len() == 4).then(|| fields.iter().sum())
}

fn members(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = processes().into_iter().filter_map(|id| Some((id, parent(id)?))).collect();
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(id) = tree.get(next).copied() {
        tree.extend(parents.iter().filter(|(_, parent)| *parent == id).map(|(child, _)| *child));
        next += 1;
    }
    tree
}

/// All but the process that holds the model, MiB.
pub(super) fn without_model(tree: &[Held]) -> f64 {
    tree.iter().filter(|held| held.role != WITH_MODEL).map(|held| held.resident_mib).sum()
}

/// What a tree holds, in words.
pub(super) fn words(tree: &[Held]) -> String {
    let each: Vec<String> = tree.iter().map(|held| format!("{} {:.1}", held.role, held.resident_mib)).collect();
    each.join(" · ")
}

fn processes() -> Vec<u32> {
    let listed = fs::read_dir("/proc").map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    listed.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A process may end between two looks: then it is not there.
fn parent(id: u32) -> Option<u32> {
    status(id, "PPid:")?.parse().ok()
}

fn held(id: u32) -> Option<Held> {
    let kib: f64 = status(id, "VmRSS:")?.strip_suffix(" kB")?.trim().parse().ok()?;
    let line = fs::read(Path::new("/proc").join(id.to_string()).join("cmdline")).ok()?;
    let role = line.split(|byte| *byte == 0).nth(1).map(|word| String::from_utf8_lossy(word).into_owned());
    Some(Held { role: role.unwrap_or_default(), resident_mib: kib / 1024.0 })
}

fn status(id: u32, key: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_child_is_counted_with_its_parent() {
        let mut cat = std::process::Command::new("cat");
        let mut child = cat.arg("-u").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // It is itself, and no more a copy of us, once it has answered.
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let tree = memory(std::process::id());
        assert!(tree.iter().any(|held| held.role == "-u" && held.resident_mib > 0.1), "{tree:?}");
        assert!(tree[0].resident_mib > 0.5 && without_model(&tree) > tree[0].resident_mib);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn time_is_spent_by_ended_children_too() {
        let before = spent(std::process::id());
        let busy = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
        std::process::Command::new("sh").args(["-c", busy]).status().unwrap();
        assert!(spent(std::process::id()) > before, "{before}");
    }

    #[test]
    fn the_model_is_left_out() {
        let held = |role: &str, resident_mib| Held { role: role.to_owned(), resident_mib };
        let tree = [held("serve", 30.0), held(WITH_MODEL, 200.0), held("decode-worker", 5.0)];
        assert!((without_model(&tree) - 35.0).abs() < 1e-9);
    }
}
