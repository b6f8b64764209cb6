//! On what it was measured: the machine and the version of everything that took part.

use std::fs;
use std::path::Path;

use anyhow::Context;
use lab::{place, process};

/// Name and value of each fact, for a table.
pub(super) struct Facts {
    pub(super) machine: Vec<(&'static str, String)>,
    pub(super) versions: Vec<(&'static str, String)>,
    load: f64,
}

/// Programs that run beside the bench make its figures worthless from about this load on, for each core.
const BUSY: f64 = 0.5;

/// Versions of Python's packages, one line each.
const PACKAGES: &str = "
import importlib.metadata as m, platform
print('Python', platform.python_version())
for name in ('pynetdicom', 'pydicom', 'onnxruntime', 'numpy', 'pillow'): print(name, m.version(name))
";

/// Looks.
pub(super) fn facts(programs: &Path) -> anyhow::Result<Facts> {
    let appliance =
        process::finish(&programs.join("hilum-appliance"), ["--version"]).context("the measured program")?;
    let packages = process::finish(&place::python("dicom"), ["-c", PACKAGES])?;
    let versions = vec![
        ("Hilum", format!("{}, commit {}", appliance.trim(), commit())),
        ("Compiler", words("rustc", &["--version"])),
        (
            "Model",
            field(&place::bundle().join("manifest.json").display().to_string(), "\"version\":")
                .trim_matches(['"', ','])
                .to_owned(),
        ),
        ("Python pipeline", packages.trim().replace('\n', ", ")),
        ("Orthanc", words("Orthanc", &["--version"]).rsplit('/').next().unwrap_or_default().to_owned()),
        ("dcmtk", words("storescp", &["--version"]).trim_matches(['$', ' ']).replace("dcmtk: ", "")),
    ];
    Ok(with_machine(versions))
}

/// The same for what is measured without the appliance and its rivals.
pub(super) fn outbox_facts() -> Facts {
    with_machine(vec![
        ("Commit", commit()),
        ("Compiler", words("rustc", &["--version"])),
        ("PostgreSQL", words("psql", &["--version"])),
    ])
}

fn with_machine(versions: Vec<(&'static str, String)>) -> Facts {
    let load = first_word("/proc/loadavg").parse().unwrap_or_default();
    let machine = vec![
        ("Processor", processor()),
        ("Memory", memory()),
        ("Disk", disk()),
        ("Kernel", words("uname", &["-sr"])),
        ("System", field("/etc/os-release", "PRETTY_NAME=").trim_matches('"').to_owned()),
        ("Load before", format!("{load:.2}")),
    ];
    Facts { machine, versions, load }
}

/// The machine in a line, for what is not about speed.
pub(crate) fn in_a_line() -> String {
    format!("{}, {}, {}", processor(), memory(), words("uname", &["-sr"]))
}

impl Facts {
    /// Says so where others take the machine's time.
    pub(super) fn warn_if_busy(&self) {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.load > BUSY * cores as f64 {
            println!(
                "! the machine is busy with something else (load {:.1} on {cores} cores): don't publish these figures",
                self.load
            );
        }
    }
}

fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = field("/proc/cpuinfo", "model name").trim_start_matches([':', ' ', '\t']).to_owned();
    format!("{}, {cores} cores", if model.is_empty() { std::env::consts::ARCH.to_owned() } else { model })
}

fn memory() -> String {
    let kib: f64 = field("/proc/meminfo", "MemTotal:").trim_end_matches("kB").trim().parse().unwrap_or_default();
    format!("{:.1} GiB", kib / f64::from(1 << 20))
}

/// What the measured files lie on.
fn disk() -> String {
    let target = place::workshop().display().to_string();
    let mount = words("findmnt", &["--noheadings", "--output", "SOURCE,FSTYPE,OPTIONS", "--target", &target]);
    let source = mount.split_whitespace().next().unwrap_or_default();
    let device = source.trim_start_matches("/dev/").trim_end_matches(|c: char| c.is_ascii_digit());
    let queue = |name| fs::read_to_string(format!("/sys/block/{device}/queue/{name}")).unwrap_or_default();
    let spinning = match queue("rotational").trim() {
        "1" => "rotational, ",
        _ => "",
    };
    format!("{mount}; {spinning}write cache: {}", queue("write_cache").trim())
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let folder = place::root().display().to_string();
        words("git", &[&["-C", &folder], arguments].concat())
    };
    let changed = if git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { " with changes" };
    format!("{}{changed}", git(&["rev-parse", "--short=12", "HEAD"]))
}

/// The first line of what a program says; nothing where it says nothing.
fn words(program: &str, arguments: &[&str]) -> String {
    let program = crate::shell::find(program).unwrap_or_else(|| program.into());
    let said = process::finish(&program, arguments).unwrap_or_default();
    said.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What follows `key` in the first line that begins with it.
fn field(file: &str, key: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().find_map(|line| line.trim_start().strip_prefix(key)).unwrap_or_default().trim().to_owned()
}

fn first_word(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default().split_whitespace().next().unwrap_or_default().to_owned()
}
