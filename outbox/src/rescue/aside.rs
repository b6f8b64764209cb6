//! The files of a rescue: who may open a database of this name, where a damaged one goes, and the note that lies with it. It looks
//! into none of them.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{BUSY_WAIT, OutboxError};

/// What is written last into the folder of a damaged database, for people.
const NOTE: &str = "note.txt";

/// Endings of the files that are one database.
const PARTS: [&str; 3] = ["-wal", "-shm", ""];

/// Between two attempts at the door.
const PAUSE: Duration = Duration::from_millis(10);

/// Held while a database is opened or closed, which is when `SQLite` goes by the names of its files; shut while they are moved.
#[derive(Debug)]
pub(crate) struct Door {
    _file: File,
}

impl Door {
    /// For opening or closing; many may at the same time.
    pub(crate) fn pass(path: &Path) -> Result<Self, OutboxError> {
        Self::take(path, File::try_lock_shared)
    }

    /// For moving: nobody opens or closes meanwhile.
    pub(super) fn shut(path: &Path) -> Result<Self, OutboxError> {
        Self::take(path, File::try_lock)
    }

    fn take(path: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Self, OutboxError> {
        let name = with(path, ".door");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&name);
        // What is there and may only be read is as good.
        let file = file.or_else(|error| File::open(&name).map_err(|_| error));
        let file = file.map_err(|source| OutboxError::Header { path: path.to_owned(), source })?;
        let end = Instant::now() + BUSY_WAIT;
        loop {
            match lock(&file) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(OutboxError::Busy { doing: "open the database" }),
                Err(TryLockError::Error(source)) => {
                    return Err(OutboxError::Header { path: path.to_owned(), source });
                }
            }
        }
    }
}

/// Device and inode of the file: another one may come under its name.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

/// The folder of a rescue that was begun and not concluded.
///
/// # Errors
/// Where `damaged` cannot be listed.
pub fn unfinished(damaged: &Path) -> io::Result<Option<PathBuf>> {
    Ok(folders(damaged)?.into_iter().find(|folder| !folder.join(NOTE).exists()))
}

/// The folders of databases that were put aside, oldest first, each with its note, as long as somebody leaves them there.
///
/// # Errors
/// Where `damaged` or a note cannot be read.
pub fn noted(damaged: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let with_note = |folder: PathBuf| match fs::read_to_string(folder.join(NOTE)) {
        Ok(note) => Some(Ok((folder, note))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error)),
    };
    folders(damaged)?.into_iter().filter_map(with_note).collect()
}

fn folders(damaged: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(damaged) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// The folder to go on with, or a new one.
pub(super) fn folder(damaged: &Path, stamp: &str) -> io::Result<PathBuf> {
    if let Some(begun) = unfinished(damaged)? {
        return Ok(begun);
    }
    fs::create_dir_all(damaged)?;
    // A clock that was set back may say the same moment twice.
    let mut folder = damaged.join(stamp);
    while folder.exists() {
        folder.as_mut_os_string().push("-again");
    }
    fs::create_dir(&folder)?;
    File::open(damaged)?.sync_all()?;
    sync_folder_of(damaged)?;
    Ok(folder)
}

/// The file that has this ending beside the database.
pub(super) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

pub(super) fn name(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}

/// The file itself last: where it lies aside, its log does, too.
pub(super) fn move_whole(path: &Path, folder: &Path) -> io::Result<()> {
    for part in PARTS {
        match fs::rename(with(path, part), with(&folder.join(name(path)), part)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !part.is_empty() => {}
            other => other?,
        }
    }
    File::open(folder)?.sync_all()?;
    sync_folder_of(path)
}

/// The new file under the database's name.
pub(super) fn place(new: &Path, path: &Path) -> io::Result<()> {
    File::open(new)?.sync_all()?;
    fs::rename(new, path)?;
    sync_folder_of(path)
}

/// Whole or not there.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut written = File::create(&new)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&new, file)?;
    sync_folder_of(file)
}

pub(super) fn write_note(folder: &Path, note: &str) -> io::Result<()> {
    write(&folder.join(NOTE), note)
}

pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
