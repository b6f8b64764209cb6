//! Which images the demo sends: drawn ones, or the user's own as they are, with PNG and JPEG wrapped as DICOM. What is no
//! image is named, never passed over in silence.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use lab::{modality, place};

use crate::app::DemoArguments;
use crate::setup::{Ingredients, unless_fresh};
use crate::step::Steps;

/// One image to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Film {
    /// What people see: the user's own file name, or the drawn one's.
    pub name: String,
    /// The DICOM object that is sent.
    pub file: PathBuf,
    /// Its class, where a folder or file name tells it.
    pub truth: Option<bool>,
}

/// Everything to be sent, and what is not.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// In the order of sending.
    pub films: Vec<Film>,
    /// Files that are no image, and why.
    pub others: Vec<(PathBuf, &'static str)>,
}

/// What a file begins like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Dicom,
    Picture,
    Other,
}

/// Gathers or draws the images.
///
/// # Errors
/// Where a folder can't be read or the appliance's own commands fail.
pub(crate) fn collect(steps: &mut Steps, arguments: &DemoArguments, folder: &Path) -> anyhow::Result<Batch> {
    let Some(own) = &arguments.images else { return drawn(steps, arguments) };
    let own = own.canonicalize().with_context(|| format!("{} cannot be read", own.display()))?;
    let mut batch = Batch::default();
    let mut pictures = Vec::new();
    for file in walk(&own)? {
        match look(&file)? {
            Look::Dicom => batch.films.push(film(&own, &file, file.clone())),
            Look::Picture => pictures.push(file),
            Look::Other => batch.others.push((file, "it is neither DICOM nor PNG nor JPEG")),
        }
    }
    if !pictures.is_empty() {
        let title = format!("{} pictures wrapped as DICOM", pictures.len());
        let wrapped = steps.run(&title, |_| modality::wrap(&folder.join("images"), &pictures))?;
        for (picture, object) in wrapped {
            match object {
                Some(object) => batch.films.push(film(&own, &picture, object)),
                None => batch.others.push((picture, "it is damaged: no picture can be made of it")),
            }
        }
    }
    batch.films.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(batch)
}

/// Draws films, or takes those of an earlier run: the same program draws the same films from the same seed.
fn drawn(steps: &mut Steps, arguments: &DemoArguments) -> anyhow::Result<Batch> {
    let (count, seed) = (usize::from(arguments.count), arguments.seed);
    let folder = place::workshop().join(format!("films/{count}-of-seed-{seed}"));
    let program = place::program("hilum-appliance")?;
    let about = program.metadata().with_context(|| format!("{} cannot be looked at", program.display()))?;
    let mut ingredients = Ingredients::default();
    // Its date and size stand for the program: to read 100 MB of it would take as long as half the films.
    ingredients.add_words(&format!("{:?} {}", about.modified().ok(), about.len()));
    unless_fresh(&format!("films-{count}-{seed}"), ingredients, &folder, || {
        steps.run(&format!("{count} synthetic radiographs of nobody"), |_| {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
            }
            modality::draw(&folder, count, seed).map(drop)
        })
    })?;
    let files = modality::listing(&folder)?;
    Ok(Batch { films: files.into_iter().map(|file| film(&folder, &file, file.clone())).collect(), others: Vec::new() })
}

fn film(base: &Path, shown: &Path, file: PathBuf) -> Film {
    let name = shown.strip_prefix(base).unwrap_or(shown).display().to_string();
    // The folder's own name counts too: `--images …/test/PNEUMONIA`.
    let words = format!("{}/{name}", base.file_name().unwrap_or_default().display());
    Film { truth: truth(&words), name, file }
}

/// The class that a path tells, as the public data sets and our own drawings name it; none where it tells both or neither.
fn truth(path: &str) -> Option<bool> {
    let path = path.to_lowercase();
    match (path.contains("pneumonia"), path.contains("normal")) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

fn look(file: &Path) -> anyhow::Result<Look> {
    let mut start = Vec::new();
    let opened = std::fs::File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    opened.take(132).read_to_end(&mut start).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(looks_like(&start))
}

/// By the first bytes, never by the name: DICOM's prefix (PS3.10 section 7.1), or a dataset that begins with one of the
/// two groups it may begin with, as old files without a preamble do.
fn looks_like(start: &[u8]) -> Look {
    if start.starts_with(b"\x89PNG\r\n\x1a\n") || start.starts_with(b"\xff\xd8\xff") {
        Look::Picture
    } else if start.get(128..132) == Some(b"DICM") || start.starts_with(&[2, 0, 0, 0]) || start.starts_with(&[8, 0]) {
        Look::Dicom
    } else {
        Look::Other
    }
}

fn walk(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{} cannot be listed", folder.display()))?;
    let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    inside.sort();
    let mut files = Vec::new();
    for path in inside {
        if path.is_dir() {
            files.extend(walk(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        let mut part10 = vec![0; 128];
        part10.extend(b"DICM");
        for (start, wanted) in [
            (part10.as_slice(), Look::Dicom),
            (b"\x08\0\x08\0CS", Look::Dicom),
            (b"\x02\0\0\0UL", Look::Dicom),
            (b"\x89PNG\r\n\x1a\n....", Look::Picture),
            (b"\xff\xd8\xff\xe0", Look::Picture),
            (b"file,bytes,modality", Look::Other),
            (b"", Look::Other),
        ] {
            assert_eq!(looks_like(start), wanted, "{start:?}");
        }
    }

    #[test]
    fn a_class_is_told_by_the_path_or_not_at_all() {
        assert_eq!(truth("test/NORMAL/IM-1.jpeg"), Some(false));
        assert_eq!(truth("0002-pneumonia.dcm"), Some(true));
        assert_eq!(truth("PNEUMONIA_vs_NORMAL/1.png"), None);
        assert_eq!(truth("RG1_J2KI.dcm"), None);
    }
}
