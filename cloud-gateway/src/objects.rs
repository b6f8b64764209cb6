//! Previews, saliency grids and lookup tables, each a file that is whole or not there. It never looks inside one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The kinds of object that a picture is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Little-endian u16 samples.
    Preview,
    /// u8 grid.
    Saliency,
    /// Little-endian u16 entries.
    VoiLut,
}

impl Part {
    fn extension(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Saliency => "saliency",
            Self::VoiLut => "voi-lut",
        }
    }
}

/// A directory of objects.
#[derive(Clone, Debug)]
pub struct Objects {
    root: PathBuf,
}

impl Objects {
    /// Opens the directory, making it where it is missing.
    ///
    /// # Errors
    /// [`ObjectsError::Open`].
    pub fn open(root: &Path) -> Result<Self, ObjectsError> {
        let failed = |source| ObjectsError::Open { folder: root.to_owned(), source };
        private_folder(root).map_err(failed)?;
        // A folder that can't be written should stop the start, not the first image at night.
        tempfile_in(root).and_then(|(path, _)| fs::remove_file(path)).map_err(failed)?;
        Ok(Self { root: root.to_owned() })
    }

    /// Writes one object; when this returns it is on the disk under its name, whole. Writing the same again is harmless.
    ///
    /// # Errors
    /// [`ObjectsError::Write`]; then there is no object of that name, or the one from before.
    pub fn put(&self, stem: &str, part: Part, bytes: &[u8]) -> Result<(), ObjectsError> {
        let write = || {
            let target = self.path(stem, part);
            let folder = target.parent().unwrap_or(&self.root);
            fs::create_dir_all(folder)?;
            let (temporary, mut file) = tempfile_in(folder)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &target)?;
            // The rename is durable once its folder is; the folder's own entry once its parent is.
            File::open(folder)?.sync_all()?;
            File::open(&self.root)?.sync_all()
        };
        write().map_err(ObjectsError::Write)
    }

    /// Reads one object, if it is there.
    ///
    /// # Errors
    /// [`ObjectsError::Read`].
    pub fn get(&self, stem: &str, part: Part) -> Result<Option<Vec<u8>>, ObjectsError> {
        match fs::read(self.path(stem, part)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ObjectsError::Read(error)),
        }
    }

    /// 256 folders by the first two characters keep each small enough to list. Stems are UUIDs, made by the gateway.
    fn path(&self, stem: &str, part: Part) -> PathBuf {
        let shard: String = stem.chars().take(2).collect();
        self.root.join(shard).join(format!("{stem}.{}", part.extension()))
    }
}

/// Makes a folder that only its owner can enter; one that exists keeps the rights that the operator gave it.
///
/// # Errors
/// The operating system's.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn tempfile_in(folder: &Path) -> io::Result<(PathBuf, File)> {
    let path = folder.join(format!(".{}.part", uuid::Uuid::new_v4()));
    let file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    Ok((path, file))
}

/// A directory that does not do its part.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// Not there, or not for us.
    #[error("the folder {} ([objects] dir) cannot be written; create it or change its owner", folder.display())]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One write failed.
    #[error("an image could not be written to [objects] dir; is its disk full?")]
    Write(#[source] io::Error),
    /// One read failed.
    #[error("an image could not be read from [objects] dir")]
    Read(#[source] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_whole_or_absent_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::open(folder.path()).unwrap();
        assert_eq!(objects.get("abc", Part::Preview).unwrap(), None);
        objects.put("abc", Part::Preview, b"first").unwrap();
        objects.put("abc", Part::Preview, b"again").unwrap();
        objects.put("abc", Part::Saliency, b"map").unwrap();
        assert_eq!(objects.get("abc", Part::Preview).unwrap().as_deref(), Some(b"again".as_slice()));
        assert_eq!(objects.get("abc", Part::VoiLut).unwrap(), None);
        assert_eq!(fs::read_dir(folder.path().join("ab")).unwrap().count(), 2);
    }

    #[test]
    fn a_file_in_the_folders_place_is_told_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("objects");
        fs::write(&file, "").unwrap();
        assert!(Objects::open(&file).unwrap_err().to_string().contains("[objects] dir"));
    }
}
