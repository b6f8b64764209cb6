//! The scanner's side: draws or wraps images, sends them by C-STORE, and keeps what the device answered to each.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::hospital::{AE_TITLE, SCANNER};
use crate::place;
use crate::process;

/// What the device answered to one file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Answer {
    /// The file as it was given.
    pub file: PathBuf,
    /// SOP Instance UID, where the file has one.
    pub sop_instance: Option<String>,
    /// DIMSE status such as `0x0000`, or `not_sent`.
    pub status: String,
    /// What that means.
    pub words: String,
}

impl Answer {
    /// Whether the device has promised to keep it: success, or a warning about a stored object (PS3.4 table B.2-1).
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.status == "0x0000" || self.status.starts_with("0xB")
    }
}

/// An association to be opened.
#[derive(Clone, Debug)]
pub struct Modality {
    /// Our own AE title.
    pub calling: String,
    /// The device's.
    pub called: String,
    /// The device's port on 127.0.0.1.
    pub port: u16,
}

impl Modality {
    /// The scanner that the lab's device knows.
    #[must_use]
    pub fn known(port: u16) -> Self {
        Self { calling: SCANNER.to_owned(), called: AE_TITLE.to_owned(), port }
    }

    /// Sends files in their order and tells each answer as it comes.
    ///
    /// # Errors
    /// Where the association is refused or breaks off; answers that came before were told.
    pub fn send(&self, files: &[PathBuf], mut told: impl FnMut(Answer)) -> anyhow::Result<()> {
        let to = format!("{}@127.0.0.1:{}", self.called, self.port);
        let mut command = Command::new(place::program("hilum-appliance")?);
        command.args(["send", "--to", &to, "--from", &self.calling]).args(files);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("hilum-appliance send cannot be started")?;
        let output = child.stdout.take().context("hilum-appliance send has no output")?;
        let mut answered = 0;
        for line in BufReader::new(output).lines() {
            let line = line.context("the output of hilum-appliance send broke off")?;
            let answer = serde_json::from_str(&line);
            told(answer.with_context(|| format!("hilum-appliance send printed {line:?}, which is no answer"))?);
            answered += 1;
        }
        let done = child.wait_with_output().context("hilum-appliance send cannot be waited for")?;
        if answered < files.len() {
            let words = String::from_utf8_lossy(&done.stderr);
            bail!("{} of {} files were answered: {}", answered, files.len(), words.trim());
        }
        Ok(())
    }

    /// Sends files and keeps the answers.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_all(&self, files: &[PathBuf]) -> anyhow::Result<Vec<Answer>> {
        let mut answers = Vec::new();
        self.send(files, |answer| answers.push(answer))?;
        Ok(answers)
    }
}

/// Draws `count` radiographs of nobody, the two classes in turn; the class stands in each file's name.
///
/// # Errors
/// Where the appliance's command fails.
pub fn draw(folder: &Path, count: usize, seed: u64) -> anyhow::Result<Vec<PathBuf>> {
    place::make(folder)?;
    let (count, seed) = (count.to_string(), seed.to_string());
    let arguments = ["synth", "--count", &count, "--seed", &seed, "--class", "both", "--out"].map(std::ffi::OsStr::new);
    process::finish(&place::program("hilum-appliance")?, arguments.into_iter().chain([folder.as_os_str()]))?;
    listing(folder)
}

/// Wraps PNG and JPEG files as DICOM objects; each with its object, or without where it can't be read as an image.
///
/// # Errors
/// Where the appliance's command can't run at all.
pub fn wrap(folder: &Path, images: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, Option<PathBuf>)>> {
    place::make(folder)?;
    let mut command = Command::new(place::program("hilum-appliance")?);
    command.args(["wrap", "--out"]).arg(folder).args(images).stdin(Stdio::null());
    let done = command.output().context("hilum-appliance wrap cannot be started")?;
    let objects = listing(folder)?;
    if objects.is_empty() {
        bail!("hilum-appliance wrap made nothing: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    // Objects are numbered in the order of the images, from 1.
    let object = |number: usize| objects.iter().find(|object| begins_with(object, &format!("{number:05}-"))).cloned();
    Ok(images.iter().enumerate().map(|(index, image)| (image.clone(), object(index + 1))).collect())
}

fn begins_with(file: &Path, start: &str) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
}

/// SHA-256 of a Part 10 file's dataset, hexadecimal: what the device's journal tells images of one UID apart by.
///
/// # Errors
/// Where the file can't be read or has no file meta group (PS3.10 section 7.1).
pub fn dataset_digest(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    // Preamble 128, prefix 4, then (0002,0000) UL: tag 4, VR 2, length 2, value 4, counting what follows it.
    let length = bytes.get(140..144).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let start = length.filter(|_| bytes.get(128..138) == Some(b"DICM\x02\0\0\0UL")).map(|length| 144 + length as usize);
    let dataset = start.and_then(|start| bytes.get(start..));
    let dataset = dataset.with_context(|| format!("{} has no file meta group", file.display()))?;
    Ok(hex::encode(Sha256::digest(dataset)))
}

/// The files of a folder in the order of their names.
///
/// # Errors
/// Where it can't be read.
pub fn listing(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{} cannot be listed", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}
