//! The films that are sent: drawn once, kept in `target/hilum/bench`, the same for every contestant and every run. Drawing
//! takes longer than sending, so each drawn film serves as several images, which differ in their UIDs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use lab::{modality, place, process};

use super::contestants::Size;
use crate::setup::{Ingredients, unless_fresh};
use crate::step::Steps;

/// What is drawn of one size.
struct Series {
    name: &'static str,
    size: &'static str,
    bits: &'static str,
    /// Films that are drawn, and images that each one serves as.
    drawn: usize,
    each: usize,
}

/// 120 images of 1.2 GB together: some seconds of work for the fastest, and all in memory while they are sent.
const FULL: Series = Series { name: "full", size: "2048x2500", bits: "12", drawn: 24, each: 5 };
/// 600 images, for the same length.
const SMALL: Series = Series { name: "small", size: "512x512", bits: "8", drawn: 60, each: 10 };

/// Images before the clock starts, two for each sender.
const WARM_UP: usize = 6;
/// Images of each size in a quick run.
const QUICK: usize = 30;

/// Everything that is sent.
pub(super) struct Films {
    /// Where it lies.
    pub(super) folder: PathBuf,
    /// The drawn full-size films, each once: what the model's tensors are made of.
    pub(super) drawn: Vec<PathBuf>,
    full: Vec<PathBuf>,
    small: Vec<PathBuf>,
    measured: [usize; 2],
}

impl Films {
    /// What is sent before the clock starts.
    pub(super) fn warm_up(&self, size: Size) -> &[PathBuf] {
        &self.all(size)[..WARM_UP]
    }

    /// What is measured.
    pub(super) fn of(&self, size: Size) -> &[PathBuf] {
        &self.all(size)[WARM_UP..][..self.measured[size as usize]]
    }

    fn all(&self, size: Size) -> &[PathBuf] {
        match size {
            Size::Full => &self.full,
            Size::Small => &self.small,
        }
    }
}

/// Draws what is not there yet.
pub(super) fn collect(steps: &mut Steps, programs: &Path, quick: bool) -> anyhow::Result<Films> {
    let folder = place::workshop().join("bench");
    let full = series(steps, programs, &folder, &FULL)?;
    let small = series(steps, programs, &folder, &SMALL)?;
    let few = |all: &[PathBuf]| if quick { QUICK } else { all.len() - WARM_UP };
    let measured = [few(&full), few(&small)];
    Ok(Films { drawn: modality::listing(&folder.join(FULL.name).join("drawn"))?, folder, full, small, measured })
}

fn series(steps: &mut Steps, programs: &Path, folder: &Path, series: &Series) -> anyhow::Result<Vec<PathBuf>> {
    let folder = folder.join(series.name);
    let (drawn, images) = (folder.join("drawn"), folder.join("images"));
    let mut ingredients = Ingredients::default();
    // Drawn anew when what draws them changes.
    ingredients.add(&place::root().join("reader/src/synth"))?;
    ingredients.add_words(&format!("{} {} {} {}", series.size, series.bits, series.drawn, series.each));
    unless_fresh(&format!("bench-films-{}", series.name), ingredients, &images, || {
        steps.run(&format!("films of {}, {} bit", series.size, series.bits), |_| {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
            }
            draw(programs, &drawn, series)?;
            place::make(&images)?;
            modality::listing(&drawn)?.iter().try_for_each(|film| copies(film, &images, 0..series.each + 1).map(drop))
        })
    })?;
    // By copy first, so that neighbours are different films.
    let mut files = modality::listing(&images)?;
    files.truncate(series.drawn * series.each + WARM_UP);
    Ok(files)
}

fn draw(programs: &Path, folder: &Path, series: &Series) -> anyhow::Result<()> {
    let count = series.drawn.to_string();
    let words = ["synth", "--seed", "1", "--count", &count, "--size", series.size, "--bits", series.bits, "--out"];
    let words = words.map(std::ffi::OsStr::new).into_iter().chain([folder.as_os_str()]);
    process::finish(&programs.join("hilum-appliance"), words).map(drop)
}

/// Copies of a film, each another instance, as `{number}-{film}`.
pub(super) fn copies(
    film: &Path,
    into: &Path,
    numbers: impl IntoIterator<Item = usize>,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut bytes = std::fs::read(film).with_context(|| format!("{} cannot be read", film.display()))?;
    let places = instance_ends(&bytes).with_context(|| format!("{} has no SOP Instance UID", film.display()))?;
    let name = film.file_name().unwrap_or_default().to_string_lossy();
    let mut made = Vec::new();
    for number in numbers {
        let path = into.join(format!("{number:05}-{name}"));
        for end in &places {
            bytes[end - DIGITS..*end].copy_from_slice(format!("{number:0DIGITS$}").as_bytes());
        }
        place::write(&path, &bytes)?;
        made.push(path);
    }
    Ok(made)
}

/// Digits at the end of a drawn UID that tell its copies apart; the 34 before them tell the films apart.
const DIGITS: usize = 5;

/// Where the SOP Instance UID ends: in the file meta group and in the dataset.
fn instance_ends(bytes: &[u8]) -> anyhow::Result<Vec<usize>> {
    // (0002,0003) UI, explicit VR little endian: tag, VR, 16-bit length (PS3.5 7.1.2, PS3.10 7.1).
    let tag = b"\x02\0\x03\0UI";
    let head = &bytes[..bytes.len().min(4096)];
    let find = |what: &[u8], from: usize| head[from..].windows(what.len()).position(|w| w == what).map(|at| at + from);
    let start = find(tag, 0).context("no (0002,0003)")? + tag.len() + 2;
    let length = head.get(start - 2..start).map_or(0, |length| usize::from(u16::from_le_bytes([length[0], length[1]])));
    let value = head.get(start..start + length).context("a cut value")?;
    let uid = value.strip_suffix(b"\0").unwrap_or(value);
    let Some(again) = find(uid, start + uid.len()) else { bail!("the dataset names another instance") };
    if uid.len() < 2 * DIGITS || !uid[uid.len() - DIGITS..].iter().all(u8::is_ascii_digit) {
        bail!("it does not end in {DIGITS} digits");
    }
    Ok(vec![start + uid.len(), again + uid.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_places_of_the_uid_change_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let uid = b"2.25.12345678901234567890123456789012345";
        let mut file = vec![0; 128];
        file.extend(b"DICM\x02\0\x03\0UI\x28\0");
        file.extend(uid);
        file.extend(b"\x08\0\x18\0UI\x28\0");
        file.extend(uid);
        file.extend(b"pixels");
        std::fs::write(folder.path().join("film"), &file).unwrap();
        let made = copies(&folder.path().join("film"), folder.path(), [0, 77]).unwrap();
        let read: Vec<Vec<u8>> = made.iter().map(|path| std::fs::read(path).unwrap()).collect();
        let text = String::from_utf8_lossy(&read[1]);
        assert_eq!(text.matches("2.25.12345678901234567890123456789000077").count(), 2);
        assert!(read[0] != read[1] && read[1].len() == file.len() && read[1].ends_with(b"pixels"));
        assert!(instance_ends(b"no DICOM at all").is_err());
    }
}
