//! ONNX Runtime's library, out of its PyPI wheel of a pinned version and digest. It is loaded at run time, never linked.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use lab::place;

use super::stamp::{Ingredients, unless_fresh};
use crate::shell;
use crate::step::Steps;

/// Version and digests.
const PIN: &str = "xtask/pins/onnxruntime.txt";

/// Takes the library out of a wheel, which is a ZIP archive, with what every Python has.
const UNPACK: &str = "
import sys, zipfile
wheel, target = sys.argv[1:]
archive = zipfile.ZipFile(wheel)
names = [n for n in archive.namelist() if n.startswith('onnxruntime/capi/libonnxruntime.so.')]
assert len(names) == 1, names
open(target, 'wb').write(archive.read(names[0]))
";

/// Fetches it, unless it is there.
///
/// # Errors
/// Where pip can't get it, or on another kind of processor.
pub(crate) fn install(steps: &mut Steps) -> anyhow::Result<()> {
    let (pin, folder) = (place::root().join(PIN), place::workshop().join("onnxruntime"));
    let library = folder.join("libonnxruntime.so");
    let mut ingredients = Ingredients::default();
    ingredients.add(&pin)?;
    ingredients.add_words(std::env::consts::ARCH);
    unless_fresh("onnxruntime", ingredients, &library, || {
        steps.run("ONNX Runtime's library, from PyPI", |line| {
            let wheels = folder.join("wheel");
            place::make(&wheels)?;
            shell::quietly("pip download onnxruntime", &mut download(&pin, &wheels)?, line)?;
            let wheel = wheel(&wheels)?;
            // Beside its place first: a library that is half there crashes whoever loads it.
            let partial = folder.join("libonnxruntime.so.partial");
            let mut unpack = Command::new("python3");
            unpack.args(["-c", UNPACK]).arg(wheel).arg(&partial);
            shell::quietly("unpack onnxruntime", &mut unpack, line)?;
            std::fs::rename(&partial, &library).context("the library cannot be put in its place")?;
            std::fs::remove_dir_all(&wheels).context("the wheel cannot be removed")
        })
    })
}

/// The library does not depend on Python, so that any Python's wheel will do: 3.11 is Debian 12's.
fn download(pin: &Path, wheels: &Path) -> anyhow::Result<Command> {
    let machine = std::env::consts::ARCH;
    if !["x86_64", "aarch64"].contains(&machine) {
        bail!("ONNX Runtime has no wheel for {machine}; put its libonnxruntime.so somewhere and set HILUM_ONNXRUNTIME");
    }
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    command.args(["--only-binary=:all:", "--implementation=cp", "--python-version=3.11"]);
    command.arg(format!("--platform=manylinux_2_28_{machine}")).arg(format!("--platform=manylinux_2_27_{machine}"));
    command.arg("--dest").arg(wheels).arg("--requirement").arg(pin);
    Ok(command)
}

fn wheel(folder: &Path) -> anyhow::Result<PathBuf> {
    let files = lab::modality::listing(folder)?;
    let wheel = files.into_iter().rfind(|file| file.extension().is_some_and(|end| end == "whl"));
    wheel.with_context(|| format!("pip left no wheel in {}", folder.display()))
}
