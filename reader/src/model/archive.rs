//! A bundle that came as one file, `.tar` or `.tar.gz`, laid out in a folder under hard limits. Nothing of it is trusted:
//! whether anybody vouches for what is in it is decided afterwards, by [`super::Bundle::open`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::bundle::{LONGEST_FILE, is_inside};

/// Files in one bundle at most: a model, its papers and some dozen golden radiographs.
const MOST_FILES: usize = 256;

/// Bytes in all of them at most, unpacked: one model of the longest and as much again.
const LONGEST_ARCHIVE: u64 = 2 * LONGEST_FILE;

/// The first bytes of gzip, RFC 1952 section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read, or what it holds cannot be written.
    #[error("the archive {archive} could not be unpacked; check the file, and that the disk has room")]
    Unpack {
        /// Which.
        archive: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds what no bundle holds.
    #[error("the archive {archive} {problem}, which no bundle does; get it from its publisher again")]
    Hostile {
        /// Which.
        archive: PathBuf,
        /// What.
        problem: String,
    },
}

/// Unpacks `archive` into the empty folder `into`.
///
/// # Errors
/// [`ArchiveError`]; the folder may then hold some of it and is the caller's to remove.
pub fn unpack(archive: &Path, into: &Path) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::Unpack { archive: archive.to_owned(), source };
    let mut file = File::open(archive).map_err(failed)?;
    let mut magic = [0; 2];
    let known = file.read(&mut magic).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let bytes: Box<dyn Read> = if known == 2 && magic == GZIP {
        Box::new(MultiGzDecoder::new(BufReader::new(file)))
    } else {
        Box::new(BufReader::new(file))
    };
    // One byte over the limit, so that an archive of just the limit can be told from a longer one.
    entries(bytes.take(LONGEST_ARCHIVE + 1), into).map_err(|refused| match refused {
        Refused::Io(source) => failed(source),
        Refused::Hostile(problem) => ArchiveError::Hostile { archive: archive.to_owned(), problem },
    })
}

enum Refused {
    Io(io::Error),
    Hostile(String),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn entries(bytes: impl Read, into: &Path) -> Result<(), Refused> {
    let (mut files, mut total) = (0, 0u64);
    // Raw: an extension that gives a name or a size of its own is never obeyed.
    for entry in tar::Archive::new(bytes).entries()?.raw(true) {
        let mut entry = entry?;
        let header = entry.header();
        match header.entry_type() {
            EntryType::Directory | EntryType::XHeader | EntryType::XGlobalHeader => continue,
            EntryType::Regular => {}
            other => return Err(Refused::Hostile(format!("holds an entry of type {other:?}"))),
        }
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap_or_default();
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        if !is_inside(&name) {
            // The name itself is not repeated: it may be made to spoil a terminal.
            return Err(Refused::Hostile("names a file outside of itself, or by odd characters".into()));
        }
        (files, total) = (files + 1, total.saturating_add(header.size()?));
        if files > MOST_FILES || header.size()? > LONGEST_FILE || total > LONGEST_ARCHIVE {
            return Err(Refused::Hostile(format!("holds over {MOST_FILES} files or {LONGEST_ARCHIVE} bytes")));
        }
        write(&mut entry, &into.join(name))?;
    }
    Ok(())
}

fn write(entry: &mut impl Read, file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // New: a second file of the same name is refused.
    io::copy(entry, &mut OpenOptions::new().write(true).create_new(true).open(file)?).map(drop)
}
