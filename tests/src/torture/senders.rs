//! Scanners that never give up: each image is sent again until the device has promised to keep it. They make one film into
//! many by giving it a new SOP Instance UID.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::history::History;
use crate::modality::{self, Modality};
use crate::{place, process};

/// Images on one association, as of a few studies.
const BATCH: usize = 20;

/// Different films.
const FILMS: &str = "8";

/// Columns and rows of them: small, so that the disk and the network are busy with many images and not with large ones, and not
/// so small that the model is not asked.
const SIZE: &str = "256x256";

/// Digits of a UID that are ours: two of the scanner, eight that count.
const OURS: usize = 10;

/// Pause after an association that brought nothing.
const PAUSE: Duration = Duration::from_millis(200);

/// A film whose UID is to be replaced.
#[derive(Clone, Debug)]
pub(super) struct Film {
    bytes: Vec<u8>,
    instance: String,
}

/// One of them.
pub(super) struct Scanner<'a> {
    /// Its number, below 100.
    pub number: usize,
    /// The device's port.
    pub port: u16,
    /// Where its films lie until they are taken.
    pub folder: PathBuf,
    /// What it makes them from.
    pub films: &'a [Film],
    /// New images in a second.
    pub pace: f64,
    /// What it sends and hears goes there.
    pub history: &'a History,
}

/// Draws some.
///
/// # Errors
/// Where the appliance's command fails.
pub(super) fn films(folder: &Path, seed: u64) -> anyhow::Result<Vec<Film>> {
    let seed = seed.to_string();
    let arguments = ["synth", "--count", FILMS, "--seed", &seed, "--class", "both", "--size", SIZE, "--out"];
    let arguments = arguments.map(std::ffi::OsStr::new).into_iter().chain([folder.as_os_str()]);
    process::finish(&place::program("hilum-appliance")?, arguments)?;
    modality::listing(folder)?.iter().map(|file| Film::read(file)).collect()
}

impl Film {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        // (0002,0003) UI, whose length follows in two bytes (PS3.5 section 7.1.2).
        let tag = b"\x02\x00\x03\x00UI";
        let at = bytes.windows(tag.len()).position(|six| six == tag).context("a film without a UID")? + tag.len();
        let length = bytes.get(at..at + 2).map_or(0, |two| usize::from(u16::from_le_bytes([two[0], two[1]])));
        let value = bytes.get(at + 2..at + 2 + length).context("a film that ends in its UID")?;
        let instance = String::from_utf8_lossy(value).trim_end_matches('\0').to_owned();
        if instance.len() < OURS + 8 || instance.rsplit('.').next().is_none_or(|last| last.len() <= OURS) {
            bail!("the UID {instance} has too few digits to be replaced");
        }
        Ok(Self { bytes, instance })
    }

    /// The film under another UID of the same length.
    fn renamed(&self, scanner: usize, number: usize) -> (String, Vec<u8>) {
        let kept = &self.instance[..self.instance.len() - OURS];
        let instance = format!("{kept}{scanner:02}{number:08}");
        let mut bytes = self.bytes.clone();
        let old = self.instance.as_bytes();
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(old.len()).position(|window| window == old) {
            bytes[at + found..at + found + old.len()].copy_from_slice(instance.as_bytes());
            at += found + old.len();
        }
        (instance, bytes)
    }
}

impl Scanner<'_> {
    /// Sends until `over`.
    ///
    /// # Errors
    /// Where a film can't be written.
    pub(super) fn run(&self, over: &AtomicBool) -> anyhow::Result<()> {
        place::make(&self.folder)?;
        let (began, mut made) = (Instant::now(), 0);
        // By file: what is still to be taken.
        let mut waiting: BTreeMap<PathBuf, String> = BTreeMap::new();
        while !over.load(Ordering::Relaxed) {
            let due = (began.elapsed().as_secs_f64() * self.pace) as usize;
            while made < due && waiting.len() < BATCH {
                let (file, instance) = self.make(made)?;
                waiting.insert(file, instance);
                made += 1;
            }
            if waiting.is_empty() || !self.send(&mut waiting) {
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    fn make(&self, number: usize) -> anyhow::Result<(PathBuf, String)> {
        let (instance, bytes) = self.films[number % self.films.len()].renamed(self.number, number);
        let file = self.folder.join(format!("{number:08}.dcm"));
        place::write(&file, bytes)?;
        Ok((file, instance))
    }

    /// One association; false where it brought nothing.
    fn send(&self, waiting: &mut BTreeMap<PathBuf, String>) -> bool {
        let files: Vec<PathBuf> = waiting.keys().cloned().collect();
        waiting.values().for_each(|instance| self.history.sent(instance));
        let before = waiting.len();
        let sent = Modality::known(self.port).send(&files, |answer| {
            let Some(instance) = waiting.get(&answer.file) else { return };
            self.history.answered(instance, &answer);
            if answer.is_accepted() {
                waiting.remove(&answer.file);
                // What stays is in a folder that goes with the run.
                let _ = fs::remove_file(&answer.file);
            }
        });
        if sent.is_err() {
            self.history.broke_off();
        }
        waiting.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_under_another_uid_is_the_same_but_for_it() {
        let uid = "2.25.47180533234903888099465544140223285707";
        let bytes = format!("head\x02\0\x03\0UI\x2c\0{uid}\0and again {uid}\0pixels").into_bytes();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("film");
        fs::write(&file, &bytes).unwrap();
        let film = Film::read(&file).unwrap();
        assert_eq!(film.instance, uid);
        let (instance, renamed) = film.renamed(3, 17);
        assert_eq!((instance.len(), renamed.len()), (uid.len(), bytes.len()));
        assert!(instance.ends_with("0300000017"));
        let text = String::from_utf8(renamed).unwrap();
        assert_eq!((text.matches(&instance).count(), text.matches(uid).count()), (2, 0));
        assert_ne!(film.renamed(3, 18).0, instance);
    }
}
