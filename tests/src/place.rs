//! Where things lie: the repository, its built programs, a fresh folder for one run. It makes folders and nothing else.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The programs of the product.
pub const PROGRAMS: [&str; 3] = ["hilum-appliance", "hilum-sync-agent", "cloud-gateway"];

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// What is made and can be made again: set-up, logs, runs.
#[must_use]
pub fn workshop() -> PathBuf {
    root().join("target/hilum")
}

/// The built programs: `HILUM_BIN_DIR`, else Cargo's debug folder.
#[must_use]
pub fn programs() -> PathBuf {
    std::env::var_os("HILUM_BIN_DIR").map_or_else(|| root().join("target/debug"), PathBuf::from)
}

/// Programs of a test build that can be told where to die; `cargo xtask torture` and `cargo xtask test` put them there.
#[must_use]
pub fn armed_programs() -> PathBuf {
    workshop().join("armed")
}

/// One built program.
///
/// # Errors
/// Where it was not built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = programs().join(name);
    if !path.is_file() {
        bail!("{} is not built; run `cargo build`", path.display());
    }
    Ok(path)
}

/// ONNX Runtime's library: `HILUM_ONNXRUNTIME`, else where `cargo xtask setup` puts it.
#[must_use]
pub fn onnxruntime() -> PathBuf {
    let own = || workshop().join("onnxruntime/libonnxruntime.so");
    std::env::var_os("HILUM_ONNXRUNTIME").map_or_else(own, PathBuf::from)
}

/// The model bundle that is shipped, or `HILUM_BUNDLE`.
#[must_use]
pub fn bundle() -> PathBuf {
    let own = || root().join("models/pneumonia-cxr/bundle");
    std::env::var_os("HILUM_BUNDLE").map_or_else(own, PathBuf::from)
}

/// The public key of the shipped bundle's publisher, or `HILUM_PUBLISHER` for the one of `HILUM_BUNDLE`.
#[must_use]
pub fn publisher() -> PathBuf {
    let own = || root().join("models/keys/hilum-development.pub");
    std::env::var_os("HILUM_PUBLISHER").map_or_else(own, PathBuf::from)
}

/// The Python of one of the environments that `cargo xtask setup` makes.
#[must_use]
pub fn python(environment: &str) -> PathBuf {
    workshop().join("python").join(environment).join("bin/python")
}

/// The dashboard's built files.
#[must_use]
pub fn dashboard() -> PathBuf {
    root().join("cloud-gateway/dashboard/dist")
}

/// A new empty folder `target/hilum/runs/{kind}-{process}`. It stays for whoever wants to look into it; what ended
/// processes left of the same kind goes, so that films don't pile up.
///
/// # Errors
/// Where the disk refuses.
pub fn fresh(kind: &str) -> anyhow::Result<PathBuf> {
    for old in left_over(kind)? {
        std::fs::remove_dir_all(&old).with_context(|| format!("{} cannot be removed", old.display()))?;
    }
    let folder = runs().join(format!("{kind}-{}", std::process::id()));
    make(&folder)?;
    Ok(folder)
}

/// What ended processes left of that kind.
///
/// # Errors
/// Where the disk refuses.
pub fn left_over(kind: &str) -> anyhow::Result<Vec<PathBuf>> {
    make(&runs())?;
    let listed = std::fs::read_dir(runs()).with_context(|| format!("{} cannot be listed", runs().display()))?;
    Ok(listed.flatten().map(|entry| entry.path()).filter(|path| is_left_over(path, kind)).collect())
}

/// Removes the folders of all runs, which no process may be using.
///
/// # Errors
/// Where the disk refuses.
pub fn clear_runs() -> anyhow::Result<()> {
    make(&runs())?;
    std::fs::remove_dir_all(runs()).with_context(|| format!("{} cannot be removed", runs().display()))
}

fn runs() -> PathBuf {
    workshop().join("runs")
}

/// Whether a run's folder is of that kind and its process is gone, or was ours of an earlier life.
fn is_left_over(folder: &Path, kind: &str) -> bool {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let process = name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-')).and_then(|id| id.parse::<u32>().ok());
    process.is_some_and(|id| id == std::process::id() || !Path::new("/proc").join(id.to_string()).exists())
}

/// Makes a folder and its parents.
///
/// # Errors
/// Where the disk refuses.
pub fn make(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))
}

/// Writes a whole file.
///
/// # Errors
/// Where the disk refuses.
pub fn write(file: &Path, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    std::fs::write(file, content).with_context(|| format!("{} cannot be written", file.display()))
}
