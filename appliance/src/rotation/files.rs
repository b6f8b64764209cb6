//! Stored files from under the old key to under the new one, one after another, so that the disk needs room for one file more. A
//! file that opens with neither is left as it is: it is for whoever reads it to say that it is damaged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use fail_points::Point;

use super::{Done, Keys};
use crate::at_rest::stream::{Sealer, StreamError};

/// What a file that is being written is called, after its name; one that was left is written again.
const COMING: &str = "coming";

/// A folder or a file of it cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}; check the disk and its free space, and order this again", file.display())]
pub struct FileError {
    doing: &'static str,
    file: PathBuf,
    source: io::Error,
}

/// How a file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Under the old key; now it is under the new one.
    Old,
    /// Under the new key.
    New,
    /// Under neither.
    Damaged,
}

impl Keys {
    pub(super) fn files(
        &self,
        spool: &Path,
        quarantine: &Path,
        done: &mut Done,
        step: &mut dyn FnMut(),
    ) -> Result<(), FileError> {
        for folder in [spool, quarantine] {
            for name in names(folder)? {
                step();
                let file = folder.join(&name);
                // One file of two names stays one.
                let twin = quarantine.join(&name);
                let twin = (folder == spool && is_same(&file, &twin)).then_some(twin);
                match self.renew(&file, &name)? {
                    Found::Old => done.files += 1,
                    Found::New => {}
                    Found::Damaged => done.damaged.push(file.clone()),
                }
                if let Some(twin) = twin.filter(|twin| !is_same(&file, twin)) {
                    link(&file, &twin).map_err(failed("put in place", &twin))?;
                }
            }
            // The renames are durable before the old key is forgotten.
            if folder.is_dir() {
                File::open(folder).and_then(|open| open.sync_all()).map_err(failed("sync", folder))?;
            }
        }
        Ok(())
    }

    fn renew(&self, file: &Path, name: &str) -> Result<Found, FileError> {
        let coming = coming(file);
        let was = File::open(file).map_err(failed("read", file))?;
        let sealed = self.seal_anew(&was, name, &coming);
        match sealed {
            Ok(()) => {
                fail_points::reach(Point::RotationSealed);
                fs::rename(&coming, file).map_err(failed("put in place", file))?;
                fail_points::reach(Point::RotationFile);
                return Ok(Found::Old);
            }
            Err(StreamError::Read(source)) => return Err(failed("read", file)(source)),
            Err(StreamError::Write(source)) => return Err(failed("write", &coming)(source)),
            Err(StreamError::Damaged(_)) => fs::remove_file(&coming).map_err(failed("remove", &coming))?,
        }
        let again = File::open(file).map_err(failed("read", file))?;
        match self.new.open_stream(name, again, io::sink()) {
            Ok(_) => Ok(Found::New),
            Err(StreamError::Damaged(_)) => Ok(Found::Damaged),
            Err(StreamError::Read(source) | StreamError::Write(source)) => Err(failed("read", file)(source)),
        }
    }

    /// A copy under the new key, on the disk.
    fn seal_anew(&self, was: &File, name: &str, coming: &Path) -> Result<(), StreamError> {
        let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(coming);
        let to = options.map_err(StreamError::Write)?;
        let owner = was.metadata().map_err(StreamError::Read)?;
        fchown(&to, Some(owner.uid()), Some(owner.gid())).map_err(StreamError::Write)?;
        let unsealable = |_| StreamError::Write(io::Error::other("a file cannot be sealed"));
        let mut sink = Sink(self.new.sealer(name, to).map_err(unsealable)?);
        self.old.open_stream(name, was, &mut sink)?;
        sink.0.finish().and_then(|file| file.sync_all()).map_err(StreamError::Write)
    }
}

/// Plain bytes on their way from one stream into the other; they are nowhere but in memory.
struct Sink(Sealer<File>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The stored files, in order; what an attempt before this one left is removed.
fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let io = failed("list", folder);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(&io)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(&io)?;
        let path = entry.path();
        let is = |ending: &str| path.extension().is_some_and(|found| found == ending);
        if is(COMING) {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        } else if is("dcm") && entry.file_type().map_err(&io)?.is_file() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn coming(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(COMING);
    PathBuf::from(name)
}

fn is_same(one: &Path, other: &Path) -> bool {
    let inode = |path: &Path| fs::symlink_metadata(path).map(|file| (file.dev(), file.ino())).ok();
    inode(one).is_some_and(|first| inode(other) == Some(first))
}

fn link(file: &Path, twin: &Path) -> io::Result<()> {
    let coming = coming(twin);
    fs::hard_link(file, &coming)?;
    fs::rename(&coming, twin)
}

fn failed(doing: &'static str, file: &Path) -> impl Fn(io::Error) -> FileError {
    let file = file.to_owned();
    move |source| FileError { doing, file: file.clone(), source }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Whether a file has one content for both of its names.
    pub(crate) fn is_one(spool: &Path, quarantine: &Path, name: &str) -> bool {
        is_same(&spool.join(name), &quarantine.join(name))
    }
}
