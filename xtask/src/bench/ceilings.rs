//! What nobody can be faster than: the disk that syncs the same bytes, and the model on tensors in memory.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use lab::{place, process};
use serde_json::Value;

use super::Ground;
use super::films::Films;
use super::senders::SENDERS;

/// How ONNX Runtime alone is used: the fastest that was found on this machine, within the same number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    /// Images in one call.
    pub(super) batch: u64,
    /// Sessions that run at the same time and share out the threads.
    pub(super) sessions: u64,
}

/// How long ONNX Runtime runs in each round, seconds.
const RUN: &str = "3";

/// Images a second that the disk takes: each a file of its own, written in one piece from memory, then synced; as many
/// threads as there are senders. The folder's entries are not synced, which favours the ceiling.
pub(super) fn write_and_sync(files: &[PathBuf], folder: &Path) -> anyhow::Result<f64> {
    let images: Vec<Vec<u8>> = files.iter().map(read).collect::<anyhow::Result<_>>()?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SENDERS)
            .map(|first| {
                scope.spawn({
                    let images = &images;
                    move || {
                        images
                            .iter()
                            .enumerate()
                            .skip(first)
                            .step_by(SENDERS)
                            .try_for_each(|(n, bytes)| put(folder, n, bytes))
                    }
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a writing thread failed")))
    })?;
    Ok(images.len() as f64 / start.elapsed().as_secs_f64())
}

fn read(file: &PathBuf) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn put(folder: &Path, number: usize, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(number.to_string());
    let written = File::create_new(&path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.with_context(|| format!("{} cannot be written and synced", path.display()))
}

/// Images a second that the model takes from memory.
pub(super) fn runtime(ground: &Ground) -> anyhow::Result<f64> {
    let Layout { batch, sessions } = ground.layout;
    let words =
        ["--batch", &batch.to_string(), "--sessions", &sessions.to_string(), "--seconds", RUN].map(str::to_owned);
    let answer = alone(&ground.films, ground.threads, words)?;
    answer.get("images_per_second").and_then(Value::as_f64).context("onnxruntime_alone.py gave no rate")
}

/// Makes the tensors of the drawn films, and looks for the fastest batch size and number of sessions.
pub(super) fn find_layout(films: &Films, threads: usize) -> anyhow::Result<Layout> {
    let drawn = films.drawn.iter().map(|file| file.display().to_string());
    alone(films, threads, std::iter::once("--make".to_owned()).chain(drawn))?;
    let answer = alone(films, threads, ["--find".to_owned()])?;
    let number = |key| answer.get(key).and_then(Value::as_u64).with_context(|| format!("it gave no {key}"));
    Ok(Layout { batch: number("batch")?, sessions: number("sessions")? })
}

fn alone(films: &Films, threads: usize, words: impl IntoIterator<Item = String>) -> anyhow::Result<Value> {
    let path = |path: PathBuf| path.display().to_string();
    let script = path(place::root().join("xtask/src/bench/peers/onnxruntime_alone.py"));
    let (model, tensors) = (path(place::bundle().join("model.onnx")), path(films.folder.join("tensors.npy")));
    let arguments = [script, "--model".to_owned(), model, "--tensors".to_owned(), tensors];
    let arguments = arguments.into_iter().chain(["--threads".to_owned(), threads.to_string()]).chain(words);
    let answer = process::finish(&place::python("dicom"), arguments)?;
    serde_json::from_str(&answer).with_context(|| format!("onnxruntime_alone.py answered {answer:?}"))
}
