//! A numbered series of drawn films, as objects or as files in a folder. The only part of [`super`] that touches a disk.

use std::path::{Path, PathBuf};

use dicom_core::value::DicomDate;
use dicom_object::DefaultDicomObject;

use super::exposure::Film;
use super::random::Normal;
use super::{Class, SynthError, Synthesiser};

/// Which classes a series draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Only this one.
    Only(Class),
    /// In turn: the odd numbers normal, the even ones pneumonia.
    Both,
}

impl Choice {
    fn of(self, number: u32) -> Class {
        match self {
            Self::Only(class) => class,
            Self::Both if number % 2 == 1 => Class::Normal,
            Self::Both => Class::Pneumonia,
        }
    }
}

/// One film that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `synthetic-0001-normal.dcm` and so on, inside the folder.
    pub path: PathBuf,
    /// What it was drawn to show.
    pub class: Class,
    /// Its SOP Instance UID.
    pub instance: String,
}

/// Draws film after film, numbered from 1. Film n of a seed is the same however many are drawn.
///
/// Each is about 10 MB and takes a few tenths of a second, so this is an iterator: send or write one before drawing the next.
pub fn objects(
    model: &Synthesiser,
    count: u32,
    seed: u64,
    choice: Choice,
    date: DicomDate,
) -> impl Iterator<Item = Result<(Class, DefaultDicomObject), SynthError>> {
    objects_of(count, seed, choice, date, |class, seed| model.expose(class, seed))
}

/// The same for films exposed in another way, such as [`Synthesiser::expose_on`].
pub fn objects_of(
    count: u32,
    seed: u64,
    choice: Choice,
    date: DicomDate,
    mut expose: impl FnMut(Class, u64) -> Result<Film, SynthError>,
) -> impl Iterator<Item = Result<(Class, DefaultDicomObject), SynthError>> {
    (1..=count).map(move |number| {
        let class = choice.of(number);
        let film = expose(class, seed_of(seed, number))?;
        Ok((class, super::dicom::object(&film, number, date)?))
    })
}

/// Writes a series into `folder`, which is made if it is not there. Files of the same names are replaced.
///
/// # Errors
/// [`SynthError::Write`] if the folder or a file can't be written; what was written before stays.
pub fn write_series(
    model: &Synthesiser,
    count: u32,
    seed: u64,
    choice: Choice,
    folder: &Path,
    date: DicomDate,
) -> Result<Vec<Written>, SynthError> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| SynthError::Write { folder: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(|e| failed(e.into()))?;
    let mut written = Vec::new();
    for (number, drawn) in (1u32..).zip(objects(model, count, seed, choice, date)) {
        let (class, object) = drawn?;
        let path = folder.join(format!("synthetic-{number:04}-{}.dcm", class.name()));
        object.write_to_file(&path).map_err(|e| failed(e.into()))?;
        let instance = object.meta().media_storage_sop_instance_uid().trim_end_matches('\0').to_owned();
        written.push(Written { path, class, instance });
    }
    Ok(written)
}

/// The seed of film `number`: unrelated for neighbours, and the same in a longer series.
#[must_use]
pub fn seed_of(seed: u64, number: u32) -> u64 {
    Normal::stream(seed, u64::from(number)).bits()
}
