//! A watched folder: DICOM files that somebody lays there come in through [`crate::intake`], and leave the folder once they are
//! durable. It follows no link, opens no subfolder, and makes every name that it writes itself.
//!
//! ```text
//! PATH/NAME ─▶ unchanged between two looks ─▶ intake ─┬▶ stored: removed, or PATH/done/UUID.dcm
//!                                                     ├▶ not for us: PATH/refused/UUID.dcm with UUID.txt, which says why
//!                                                     └▶ no room now: stays, and is tried again
//! ```

mod seen;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use vitals::config::Mistakes;

use crate::dicom::{AeTitle, syntax};
use crate::intake::{Announced, Intake, Origin, Refusal};
use crate::reading_order::Asked;
use crate::spans::Bringer;
use crate::spool::part10::{self, NotSendable, Sendable};
use seen::{Mark, Seen};

/// Between two looks. A file that did not change in that time is whole: programs write without pauses of seconds, and careful
/// ones rename when they are done.
const PAUSE: Duration = Duration::from_secs(3);

/// Files of one look: what is more waits for the next, so that one look stays short.
const ROUND: usize = 64;

/// Bytes that are read at a time, as the intake gathers them.
const PIECE: usize = 1 << 20;

/// `[[folder]]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// The folder; whoever may write there may send.
    pub path: PathBuf,
    /// The name that results of its images bear, as a scanner's AE title would be.
    pub source: AeTitle,
    /// What becomes of a file that is stored.
    pub done: Done,
}

/// What becomes of a file that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It is removed.
    Delete,
    /// It is moved to `done/`, which nobody here tidies up.
    Keep,
}

/// Why a file does not come in.
#[derive(Debug, thiserror::Error)]
enum Unwanted {
    /// It is no DICOM object, or a damaged one.
    #[error(transparent)]
    Unreadable(#[from] NotSendable),
    /// Of a kind that is not taken.
    #[error(
        "this appliance does not take objects of its SOP class; the conformance statement lists those that it takes"
    )]
    Class,
    /// In an encoding that is not taken.
    #[error("this appliance does not take its transfer syntax; the conformance statement lists those that it takes")]
    Syntax,
    /// The intake refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl FolderConfig {
    /// What cannot work in one `[[folder]]`.
    pub(crate) fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.require(self.path.is_absolute(), "path", "name the folder from the root, such as /srv/films");
    }
}

/// Looks into the folder until `stop`; a file in hand is finished first.
pub async fn run(config: FolderConfig, intake: Arc<Intake>, stop: CancellationToken) {
    let folder = Folder { config, intake };
    let mut seen = Seen::default();
    loop {
        folder.look(&mut seen, &stop).await;
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

struct Folder {
    config: FolderConfig,
    intake: Arc<Intake>,
}

impl Folder {
    async fn look(&self, seen: &mut Seen, stop: &CancellationToken) {
        let path = self.config.path.clone();
        let listed = tokio::task::spawn_blocking(move || listing(&path)).await.map_err(io::Error::other).flatten();
        let settled = match listed {
            Ok(listed) => seen.settled(listed),
            Err(error) => {
                tracing::warn!(error = %error, source = %self.config.source, "a watched folder cannot be listed");
                let (path, source) = (self.config.path.display(), &self.config.source);
                self.note(format!("The watched folder {path} of {source} cannot be listed: {error}."));
                return;
            }
        };
        for file in settled.into_iter().take(ROUND) {
            if stop.is_cancelled() {
                return;
            }
            self.bring(&file).await;
        }
    }

    async fn bring(&self, file: &Path) {
        let outcome = match self.take(file).await {
            // Another film under the same name, or more of this one: what lies there now was not read and is not touched. It
            // is taken at a later look.
            Ok(mark) if !mark.is_still(file) => Ok("changed"),
            Ok(_) => self.put_away(file).map(|()| "stored"),
            // Neither is the file's fault: it stays and is tried again.
            Err(Unwanted::Refused(why @ (Refusal::DiskFull | Refusal::Failed))) => {
                self.note(format!("A file in the folder of {} waits: {why}.", self.config.source));
                Ok("waits")
            }
            Err(Unwanted::Unreadable(NotSendable::Read(error))) if error.kind() == io::ErrorKind::NotFound => {
                Ok("gone")
            }
            Err(why) => self.refuse(file, &vitals::exit::chain(&why)).map(|()| "refused"),
        };
        match outcome {
            Ok(outcome) => counter!("folder_files_total", "outcome" => outcome).increment(1),
            Err(error) => {
                tracing::warn!(error = %error, source = %self.config.source, "a file cannot leave its watched folder");
                let source = &self.config.source;
                self.note(format!(
                    "A file cannot leave the folder of {source}: {error}. It is read once all the same."
                ));
            }
        }
    }

    /// The whole way of one file; it is durable and owed a result when this returns.
    /// The mark is the file's before its first byte was read.
    async fn take(&self, path: &Path) -> Result<Identical, Unwanted> {
        let (mut file, what) = open(path)?;
        let mark = Identical::of(&file.metadata().map_err(NotSendable::Read)?);
        let announced = announced(&what)?;
        let (traceparent, began_ms) = (self.intake.world.trace(), (self.intake.world.now_ms)());
        let origin = Origin { source: self.config.source.clone(), traceparent: traceparent.clone() };
        let mut incoming = self.intake.begin(origin, announced).await;
        file.seek(SeekFrom::Start(what.offset)).map_err(NotSendable::Read)?;
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).map_err(NotSendable::Read)?;
            if read == 0 {
                break;
            }
            incoming.take(&piece).await;
        }
        // A copy that paused and went on: half a film must not become one.
        if !mark.is(&file.metadata().map_err(NotSendable::Read)?) {
            return Ok(mark);
        }
        incoming.finish().await?;
        self.intake.spans.brought(Bringer::File, &traceparent, began_ms);
        Ok(mark)
    }

    fn put_away(&self, file: &Path) -> io::Result<()> {
        match self.config.done {
            Done::Delete => fs::remove_file(file),
            Done::Keep => self.move_to("done", file).map(drop),
        }
    }

    fn refuse(&self, file: &Path, why: &str) -> io::Result<()> {
        tracing::warn!(source = %self.config.source, why, "a file of a watched folder was refused");
        self.note(format!("A file in the folder of {} was refused: {why}.", self.config.source));
        let moved = self.move_to("refused", file)?;
        // Beside the file, for who laid it there: its own name, which may be a patient's, is nowhere else.
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        fs::write(moved.with_extension("txt"), format!("{name}\n{why}.\n"))
    }

    fn move_to(&self, folder: &str, file: &Path) -> io::Result<PathBuf> {
        let folder = self.config.path.join(folder);
        fs::create_dir_all(&folder)?;
        let moved = folder.join(format!("{}.dcm", self.intake.world.uuid()));
        fs::rename(file, &moved)?;
        Ok(moved)
    }

    fn note(&self, words: String) {
        self.intake.refusals.note((self.intake.world.now_ms)(), words);
    }
}

/// A file and a state of it: device, inode, length, and when its content changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identical(u64, u64, u64, i64, i64);

impl Identical {
    fn of(about: &fs::Metadata) -> Self {
        Self(about.dev(), about.ino(), about.len(), about.mtime(), about.mtime_nsec())
    }

    fn is(&self, about: &fs::Metadata) -> bool {
        *self == Self::of(about)
    }

    /// Whether the name still means that file in that state.
    fn is_still(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|about| self.is(&about))
    }
}

/// The plain files of a folder with what tells whether they change. Names that begin with a dot are programs' own.
fn listing(path: &Path) -> io::Result<Vec<(PathBuf, Mark)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // Of the entry itself: a link is none.
        let about = entry.metadata()?;
        if about.is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
            files.push((entry.path(), Mark { bytes: about.len(), changed: about.modified()? }));
        }
    }
    files.sort_by_key(|(path, mark)| (mark.changed, path.clone()));
    Ok(files)
}

fn open(path: &Path) -> Result<(File, Sendable), NotSendable> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()).open(path)?;
    let what = part10::inspect(&mut file)?;
    Ok((file, what))
}

fn announced(what: &Sendable) -> Result<Announced, Unwanted> {
    let class = what.sop_class.parse().map_err(|_| NotSendable::Incomplete)?;
    let instance = what.sop_instance.parse().map_err(|_| NotSendable::Incomplete)?;
    if syntax::storage_name(&what.sop_class).is_none() {
        return Err(Unwanted::Class);
    }
    let known = syntax::TRANSFER_SYNTAXES.into_iter().find(|known| *known == what.transfer_syntax);
    let transfer_syntax = known.ok_or(Unwanted::Syntax)?;
    Ok(Announced { class, instance, asked: Asked::default(), transfer_syntax })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_film_under_the_name_and_more_of_the_same_are_both_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (name, other) = (folder.path().join("image.dcm"), folder.path().join("image.tmp"));
        fs::write(&name, "first").unwrap();
        let read = File::open(&name).unwrap();
        let mark = Identical::of(&read.metadata().unwrap());
        assert!(mark.is_still(&name) && mark.is(&read.metadata().unwrap()));
        // What an uploader does that replaces whole files: same length, another file.
        fs::write(&other, "other").unwrap();
        fs::rename(&other, &name).unwrap();
        assert!(!mark.is_still(&name) && mark.is(&read.metadata().unwrap()));
        let mark = Identical::of(&fs::symlink_metadata(&name).unwrap());
        fs::OpenOptions::new().append(true).open(&name).unwrap().set_len(6).unwrap();
        assert!(!mark.is_still(&name));
        fs::remove_file(&name).unwrap();
        assert!(!mark.is_still(&name));
    }
}
