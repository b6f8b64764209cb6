//! The two slots of an A/B image: the one that runs is marked good, and the other one could be started. It reads what the board's
//! own tools say, and changes nothing.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::check::Outcome;

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    name: String,
    /// It runs now.
    booted: bool,
    /// Its tool would start it.
    good: bool,
}

/// Asks RAUC, else NVIDIA's tool for Jetson boards, else systemd-boot's.
pub(crate) fn check() -> Outcome {
    let root = std::fs::read_to_string("/proc/cmdline").ok().and_then(|line| root(&line));
    let asked = [
        ("rauc", &["status", "--output-format=json"][..], rauc as fn(&str) -> Result<Vec<Slot>, String>),
        ("nvbootctrl", &["-t", "rootfs", "dump-slots-info"], nvbootctrl),
        ("bootctl", &["list", "--json=short"], bootctl),
    ];
    for (tool, arguments, parse) in asked {
        match Command::new(tool).args(arguments).output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Outcome::failed(format!("{tool} cannot be started: {error}")),
            Ok(output) if !output.status.success() => {
                let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Outcome::Refused(format!("{tool} knows no slots here: {words}"));
            }
            Ok(output) => return judged(tool, root, parse(&String::from_utf8_lossy(&output.stdout))),
        }
    }
    Outcome::Refused("this board has no A/B slots: none of rauc, nvbootctrl and bootctl is installed".into())
}

fn judged(tool: &str, root: Option<String>, slots: Result<Vec<Slot>, String>) -> Outcome {
    let root = root.map_or_else(|| "no root= on the kernel's command line".into(), |root| format!("root={root}"));
    match slots.and_then(|slots| verdict(&slots)) {
        Ok(words) => Outcome::Passed(format!("{words} ({tool}; {root})").into()),
        Err(words) => Outcome::failed(format!("{words} ({tool}; {root})")),
    }
}

fn verdict(slots: &[Slot]) -> Result<String, String> {
    let booted: Vec<&Slot> = slots.iter().filter(|slot| slot.booted).collect();
    let [running] = booted[..] else {
        return Err(format!("{} slots are said to run, of {}", booted.len(), slots.len()));
    };
    let others: Vec<&Slot> = slots.iter().filter(|slot| !slot.booted).collect();
    if others.is_empty() {
        return Err(format!(
            "there is no other slot than {}: an update that fails leaves nothing to go back to",
            running.name
        ));
    }
    if !running.good {
        return Err(format!("slot {} runs and is not marked good: the next start may be the other one", running.name));
    }
    match others.iter().find(|slot| !slot.good) {
        Some(bad) => Err(format!("slot {} runs, and slot {} cannot be started", running.name, bad.name)),
        None => {
            let names: Vec<&str> = others.iter().map(|slot| &*slot.name).collect();
            Ok(format!("slot {} runs and is marked good; {} can be started", running.name, names.join(", ")))
        }
    }
}

/// `root=` of a kernel's command line; the last one counts.
fn root(line: &str) -> Option<String> {
    line.split_whitespace().filter_map(|word| word.strip_prefix("root=")).next_back().map(str::to_owned)
}

/// `rauc status --output-format=json`: `slots` is a list of objects with one key each, the slot's name. Slots that nothing
/// starts from, such as data, have no boot name.
fn rauc(text: &str) -> Result<Vec<Slot>, String> {
    let status: Value = serde_json::from_str(text).map_err(|error| format!("its JSON cannot be read: {error}"))?;
    let slots = status["slots"].as_array().ok_or("its JSON has no slots")?;
    let named = slots.iter().filter_map(Value::as_object).flatten();
    let bootable = named.filter(|(_, slot)| slot["bootname"].is_string());
    Ok(bootable
        .map(|(name, slot)| Slot {
            name: name.clone(),
            booted: slot["state"] == "booted",
            good: slot["boot_status"] == "good",
        })
        .collect())
}

/// `nvbootctrl -t rootfs dump-slots-info`: `Current rootfs slot: A`, and a line for each slot with its tries left and status.
fn nvbootctrl(text: &str) -> Result<Vec<Slot>, String> {
    let current = text.lines().find_map(|line| line.strip_prefix("Current rootfs slot:")).map(str::trim);
    let current = current.ok_or("it does not say which slot runs")?;
    let lines = text.lines().filter(|line| line.starts_with("slot:"));
    let slots: Option<Vec<Slot>> = lines.map(|line| nvidia_slot(line, current)).collect();
    slots.ok_or_else(|| "one of its lines has no number or status".to_owned())
}

fn nvidia_slot(line: &str, current: &str) -> Option<Slot> {
    let field = |name: &str| {
        let mut fields = line.split(',').filter_map(|field| field.split_once(':'));
        fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    // 0 is A.
    let name = char::from(b'A' + field("slot")?.parse::<u8>().ok().filter(|number| *number < 26)?).to_string();
    let has_tries = field("retry_count").is_none_or(|tries| tries != "0");
    let good = field("status")? == "normal" && has_tries;
    Some(Slot { booted: name == current, name, good })
}

/// `bootctl list --json=short`: a list of entries, of which those with a kernel of their own are slots. An entry that was never
/// marked good counts its tries in its file's name, `NAME+LEFT-DONE.conf` (the Boot Loader Specification, boot counting);
/// marking it good takes the counter away.
fn bootctl(text: &str) -> Result<Vec<Slot>, String> {
    let entries: Value = serde_json::from_str(text).map_err(|error| format!("its JSON cannot be read: {error}"))?;
    let entries = entries.as_array().ok_or("its JSON is no list of entries")?;
    let kernels = entries.iter().filter(|entry| entry["type"] == "type1" || entry["type"] == "type2");
    kernels
        .map(|entry| {
            let (id, path) = (entry["id"].as_str()?, entry["path"].as_str()?);
            let booted = entry["isSelected"] == true;
            let good = tries_left(path).is_none_or(|left| left > 0 && !booted);
            Some(Slot { name: id.to_owned(), booted, good })
        })
        .collect::<Option<_>>()
        .ok_or_else(|| "one of its entries has no id or path".to_owned())
}

/// Tries that an entry's file name says are left; none where it counts none.
fn tries_left(path: &str) -> Option<u32> {
    let (_, counter) = Path::new(path).file_stem()?.to_str()?.rsplit_once('+')?;
    counter.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JETSON: &str = "Current rootfs slot: A\nActive rootfs slot: A\nnum_slots: 2\n\
        slot: 0,             retry_count: 3,             status: normal\n\
        slot: 1,             retry_count: 3,             status: normal\n";

    const RAUC: &str = r#"{"compatible":"hilum","variant":"","booted":"B","boot_primary":"rootfs.1","slots":[
        {"rootfs.1":{"class":"rootfs","device":"/dev/mmcblk0p3","type":"ext4","bootname":"B","state":"booted","parent":null,"mountpoint":"/","boot_status":"good"}},
        {"data.0":{"class":"data","device":"/dev/mmcblk0p4","type":"ext4","bootname":null,"state":"active","parent":null,"mountpoint":"/data","boot_status":null}},
        {"rootfs.0":{"class":"rootfs","device":"/dev/mmcblk0p2","type":"ext4","bootname":"A","state":"inactive","parent":null,"mountpoint":null,"boot_status":"good"}}]}"#;

    const SYSTEMD_BOOT: &str = r#"[
        {"type":"type2","id":"hilum-b.efi","path":"/EFI/Linux/hilum-b.efi","isReported":true,"isDefault":true,"isSelected":true},
        {"type":"type1","id":"hilum-a.conf","path":"/loader/entries/hilum-a+2-1.conf","linux":"/a/linux","isSelected":false},
        {"type":"auto","id":"auto-reboot-to-firmware-setup","isReported":true,"isSelected":false}]"#;

    type Parse = fn(&str) -> Result<Vec<Slot>, String>;

    #[test]
    fn what_the_tools_say_is_judged() {
        let jetson = |from: &str, to: &str| JETSON.replacen(from, to, 1);
        let rauc_with = |from: &str, to: &str| RAUC.replacen(from, to, 1);
        for (parse, text, passes, words) in [
            (nvbootctrl as Parse, JETSON.to_owned(), true, "slot A runs and is marked good; B can be started"),
            (nvbootctrl, jetson("slot: A", "slot: B"), true, "slot B runs"),
            (
                nvbootctrl,
                JETSON.replace("slot: 1,             retry_count: 3", "slot: 1, retry_count: 0"),
                false,
                "slot B cannot be started",
            ),
            (nvbootctrl, jetson("status: normal", "status: unbootable"), false, "slot A runs and is not marked good"),
            (nvbootctrl, jetson("slot: A", "slot: C"), false, "0 slots are said to run, of 2"),
            (nvbootctrl, jetson("status:", "mood:"), false, "no number or status"),
            (nvbootctrl, String::new(), false, "which slot runs"),
            (nvbootctrl, JETSON.lines().take(4).map(|line| format!("{line}\n")).collect(), false, "no other slot"),
            (rauc, RAUC.to_owned(), true, "slot rootfs.1 runs and is marked good; rootfs.0 can be started"),
            (rauc, rauc_with("\"good\"", "\"bad\""), false, "slot rootfs.1 runs and is not marked good"),
            (
                rauc,
                RAUC.replace("null,\"boot_status\":\"good\"", "null,\"boot_status\":\"bad\""),
                false,
                "slot rootfs.0 cannot",
            ),
            (
                bootctl,
                SYSTEMD_BOOT.to_owned(),
                true,
                "slot hilum-b.efi runs and is marked good; hilum-a.conf can be started",
            ),
            (bootctl, SYSTEMD_BOOT.replace("+2-1", "+0-3"), false, "slot hilum-a.conf cannot be started"),
            (bootctl, SYSTEMD_BOOT.replace("b.efi\",\"isR", "b+3.efi\",\"isR"), false, "runs and is not marked good"),
            (bootctl, SYSTEMD_BOOT.replace("\"path\"", "\"where\""), false, "no id or path"),
            (bootctl, "{}".to_owned(), false, "no list"),
            (rauc, "{}".to_owned(), false, "no slots"),
            (rauc, "<".to_owned(), false, "cannot be read"),
        ] {
            let found = parse(&text).and_then(|slots| verdict(&slots));
            assert_eq!(found.is_ok(), passes, "{text}: {found:?}");
            let (Ok(told) | Err(told)) = found;
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn the_root_is_found_among_the_kernels_words() {
        for (line, expected) in [
            ("console=ttyTCU0 root=PARTUUID=2534d15b rw rootwait\n", Some("PARTUUID=2534d15b")),
            ("root=/dev/sda1 root=/dev/sda2", Some("/dev/sda2")),
            ("nfsroot=1.2.3.4 quiet", None),
        ] {
            assert_eq!(root(line).as_deref(), expected);
        }
    }
}
