//! Where the engines lie that TensorRT builds for a model on one machine: minutes of work, done once. A folder of its own
//! for each combination of everything that an engine depends on, so that an engine for another one is never used. What is
//! built lies under a name for the unfinished until the model has proved itself with it. It builds nothing itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Precision;

/// Added to the name of a folder that is not finished.
const UNFINISHED: &str = ".building";

/// Digits of the model's digest in a folder's name: enough to tell one device's models apart by eye and by machine.
const MODEL_DIGITS: usize = 16;

/// What of this machine an engine depends on, in its own words; empty where the machine does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The GPU's model, which fixes its compute capability, or the Jetson board's.
    pub gpu: String,
    /// The driver's version, or the L4T release.
    pub driver: String,
    /// TensorRT's library: the name of the file itself, which has the version in it, and its length.
    pub tensorrt: String,
    /// The CUDA runtime's, likewise.
    pub cuda: String,
}

/// All that an engine depends on.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// SHA-256 of the ONNX file.
    pub model: &'a str,
    /// ONNX Runtime's words about its build.
    pub onnxruntime: &'a str,
    /// Driver, TensorRT, CUDA and GPU.
    pub machine: &'a Machine,
    /// How finely it computes.
    pub precision: Precision,
    /// The largest batch that it takes.
    pub max_batch: usize,
}

impl Stack<'_> {
    /// The name of its folder: the model's first digits, and a digest of everything.
    #[must_use]
    pub fn key(&self) -> String {
        let Machine { gpu, driver, tensorrt, cuda } = self.machine;
        let batch = self.max_batch.to_string();
        let mut digest = Sha256::new();
        for part in [self.model, self.onnxruntime, gpu, driver, tensorrt, cuda, self.precision.name(), &batch] {
            // With its length before it, no two stacks give the same bytes.
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        format!("{}-{}", model_digits(self.model), hex::encode(&digest.finalize()[..16]))
    }
}

fn model_digits(model: &str) -> String {
    model.chars().filter(char::is_ascii_alphanumeric).take(MODEL_DIGITS).collect()
}

/// The folders that a proved `key` makes useless: unfinished ones and other keys, of the same model. What belongs to other
/// models, such as a candidate, stays.
#[must_use]
pub fn useless<'a>(names: &'a [String], key: &str) -> Vec<&'a str> {
    let model = key.split('-').next().unwrap_or_default();
    let of_model = |name: &&String| name.split('-').next() == Some(model) && name.contains('-');
    names.iter().filter(of_model).filter(|name| *name != key).map(String::as_str).collect()
}

impl Machine {
    /// Looks under `root`, which is `/` but in tests, and beside ONNX Runtime's library.
    #[must_use]
    pub fn look(root: &Path, onnxruntime: &Path) -> Self {
        let first_line = |file: &str| {
            let text = fs::read_to_string(root.join(file)).unwrap_or_default();
            text.lines().next().unwrap_or_default().trim_end_matches('\0').trim().to_owned()
        };
        let either = |first: String, second: &str| if first.is_empty() { first_line(second) } else { first };
        let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&named).collect();
        folders.extend(onnxruntime.parent().map(Path::to_owned));
        let triplet = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        folders.extend([&*triplet, "usr/lib", "usr/local/cuda/lib64"].map(|folder| root.join(folder)));
        Self {
            gpu: either(gpu_model(root), "proc/device-tree/model"),
            driver: either(first_line("proc/driver/nvidia/version"), "etc/nv_tegra_release"),
            tensorrt: library(&folders, "libnvinfer.so"),
            cuda: library(&folders, "libcudart.so"),
        }
    }
}

/// `Model:` of the first GPU that the driver lists.
fn gpu_model(root: &Path) -> String {
    let Ok(gpus) = fs::read_dir(root.join("proc/driver/nvidia/gpus")) else { return String::new() };
    let mut gpus: Vec<PathBuf> = gpus.flatten().map(|gpu| gpu.path().join("information")).collect();
    gpus.sort();
    let text = gpus.first().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("Model:")).unwrap_or_default().trim().to_owned()
}

/// The file that a library's name leads to, in the first folder that has one: its own name and its length.
fn library(folders: &[PathBuf], stem: &str) -> String {
    let found = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).find_map(|folder| {
        let mut files: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(stem)));
        files.sort();
        files.first()?.canonicalize().ok()
    });
    let Some(file) = found else { return String::new() };
    let length = fs::metadata(&file).map_or(0, |about| about.len());
    format!("{} {length}", file.file_name().unwrap_or_default().to_string_lossy())
}

/// The folder of one stack's engines, from before they are built until they are kept.
#[derive(Debug)]
pub struct Engines {
    parent: PathBuf,
    key: String,
    finished: bool,
    folder: PathBuf,
}

impl Engines {
    /// The finished folder under `parent` where there is one, else an empty unfinished one.
    pub fn at(parent: &Path, stack: &Stack<'_>) -> io::Result<Self> {
        let (key, parent) = (stack.key(), parent.to_owned());
        let finished = parent.join(&key);
        if finished.is_dir() {
            return Ok(Self { folder: finished, parent, key, finished: true });
        }
        let folder = parent.join(format!("{key}{UNFINISHED}"));
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&folder)?,
        }
        Ok(Self { parent, key, finished: false, folder })
    }

    /// Where TensorRT shall look and write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// They were built before.
    #[must_use]
    pub fn are_built(&self) -> bool {
        self.finished
    }

    /// The model has proved itself with them: they stay, and what they replace goes.
    pub fn keep(self) -> io::Result<()> {
        if !self.finished {
            fs::rename(&self.folder, self.parent.join(&self.key))?;
            fs::File::open(&self.parent)?.sync_all()?;
        }
        let entries = fs::read_dir(&self.parent)?.flatten();
        let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        useless(&names, &self.key).into_iter().try_for_each(|name| fs::remove_dir_all(self.parent.join(name)))
    }
}

#[cfg(test)]
mod tests;
