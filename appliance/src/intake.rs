//! How an image comes into the house, whatever brought it: bytes to the spool, the dataset's own identifiers compared with
//! the announced ones, a row in the journal. It knows no protocol; each face maps [`Refusal`] to its own words.
//!
//! ```text
//! C-STORE ──┐
//! STOW-RS ──┼─▶ begin ─▶ take … take ─▶ finish ─▶ Stored: file, folder and journal row are durable
//! folder  ──┘                              └────▶ Refusal: nothing is kept
//! ```

mod writing;

use std::sync::Arc;
use std::time::Instant;

use fail_points::Point;
use metrics::counter;
use outbox::{Accepted, InstanceId, Renewed};
use tokio::sync::{Notify, watch};

use crate::dicom::{AeTitle, Uid, identity};
use crate::journal::{Journal, JournalError, NewImage};
use crate::output::OutputConfig;
use crate::reading_order::{self, Asked};
use crate::refusals::Refusals;
use crate::spans::Spans;
use crate::spool::{Received, Spool, SpoolError};
use crate::world::World;
use writing::Writing;

/// What receiving needs; shared by all who receive.
pub struct Intake {
    /// Where files go.
    pub spool: Spool,
    /// Where acknowledged images are noted.
    pub journal: Journal,
    /// Told of each new image.
    pub arrived: Arc<Notify>,
    /// Where refusals are noted.
    pub refusals: Refusals,
    /// Told of what brought images.
    pub spans: Spans,
    /// Clock and dice.
    pub world: World,
    /// Bytes that an object may have.
    pub longest_object: u64,
    /// What the routes say of who is read first.
    pub output: watch::Receiver<Arc<OutputConfig>>,
}

/// Where an image comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The name that its result bears: a calling AE title, or the one that the configuration gives to a folder or a client.
    pub source: AeTitle,
    /// W3C trace context of what brought it.
    pub traceparent: String,
}

/// What an image is said to be before its first byte.
#[derive(Clone, Debug)]
pub struct Announced {
    /// SOP Class UID.
    pub class: Uid,
    /// SOP Instance UID.
    pub instance: Uid,
    /// How soon its sender wants it read.
    pub asked: Asked,
    /// Transfer syntax of the dataset; one of [`crate::dicom::syntax::TRANSFER_SYNTAXES`].
    pub transfer_syntax: &'static str,
}

/// An image that is durable and owed a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Never seen before.
    New,
    /// The same bytes are held already, or were; they are kept once.
    Again,
    /// The same bytes once more, and they took the place of a file that was lost: the image is read from them, also where
    /// its result had told of the loss.
    Restored,
    /// Other bytes under a known SOP Instance UID; both are kept and read.
    Conflicting,
}

/// Why an image was not taken. Nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More bytes than [`Intake::longest_object`].
    #[error("the object is larger than this appliance accepts")]
    TooLarge,
    /// The disk or the database is full.
    #[error("the disk of the appliance is full; free space and send again")]
    DiskFull,
    /// The dataset is another object than was announced.
    #[error("the UIDs in the dataset differ from the announced ones")]
    Mismatch,
    /// It could not be made durable for another reason, which the log has.
    #[error("the appliance could not store the object; its log has the reason")]
    Failed,
}

/// One object being received. Dropped before the end, it leaves nothing.
pub struct Incoming {
    intake: Arc<Intake>,
    origin: Origin,
    began: Instant,
    began_ms: i64,
    stage: Stage,
}

enum Stage {
    /// Bytes go to the spool.
    Writing { announced: Announced, writing: Writing },
    /// Bytes are thrown away until the last, and then this is said.
    Refused(Refusal),
}

impl Intake {
    /// Begins before any byte of the dataset.
    pub async fn begin(self: &Arc<Self>, origin: Origin, announced: Announced) -> Incoming {
        let (began, began_ms) = (Instant::now(), (self.world.now_ms)());
        let writing = Writing::begin(self.spool.clone(), self.world.uuid(), &origin, &announced);
        let stage = Stage::Writing { announced, writing };
        Incoming { intake: Arc::clone(self), origin, began, began_ms, stage }
    }
}

impl Incoming {
    /// Takes the next bytes of the dataset, as many as there are.
    pub async fn take(&mut self, fragment: &[u8]) {
        let Stage::Writing { writing, .. } = &mut self.stage else { return };
        let too_large = writing.bytes() + fragment.len() as u64 > self.intake.longest_object;
        if !too_large && writing.take(fragment).await {
            return;
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Refused(Refusal::TooLarge));
        match stage {
            // So that nothing of it is left when the sender hears of it.
            Stage::Writing { writing, .. } if too_large => writing.abandon().await,
            Stage::Writing { writing, .. } => {
                self.stage = Stage::Refused(writing.finish().await.err().unwrap_or(Refusal::Failed));
            }
            Stage::Refused(_) => {}
        }
    }

    /// Ends with the last byte: success is said in this one place, after file, folder and journal row are durable.
    ///
    /// # Errors
    /// [`Refusal`]; it may have come about at any byte before.
    pub async fn finish(mut self) -> Result<Stored, Refusal> {
        match std::mem::replace(&mut self.stage, Stage::Refused(Refusal::Failed)) {
            Stage::Refused(refusal) => Err(refusal),
            // To its end, whoever still waits for it: a sender that hangs up now must not leave a file that no row names.
            Stage::Writing { announced, writing } => {
                let kept = tokio::spawn(async move { self.keep(announced, writing).await });
                kept.await.unwrap_or(Err(Refusal::Failed))
            }
        }
    }

    /// File, folder, identity, journal row: success only after all of them.
    async fn keep(&self, announced: Announced, writing: Writing) -> Result<Stored, Refusal> {
        let received = writing.finish().await?;
        if !announced.is_in(&received) {
            self.discard(received.name).await;
            return Err(Refusal::Mismatch);
        }
        let image = NewImage {
            sop_class: announced.class.as_str().to_owned(),
            sop_instance: announced.instance.as_str().to_owned(),
            digest: received.digest,
            file: received.name.clone(),
            source: self.origin.source.as_str().to_owned(),
            received_ms: self.began_ms,
            receive_ms: self.began.elapsed().as_secs_f64() * 1e3,
            traceparent: self.origin.traceparent.clone(),
            rank: reading_order::rank(&self.intake.output.borrow(), self.origin.source.as_str(), announced.asked),
        };
        let stored = match self.intake.journal.accept(image.clone()).await {
            Ok(Accepted::New(_)) => Stored::New,
            Ok(Accepted::Conflicting(_)) => self.conflicting(),
            Ok(Accepted::Again(id)) => self.again(id, false, image).await?,
            Ok(Accepted::Wanted(id)) => self.again(id, true, image).await?,
            Err(error) => return Err(self.not_journalled(&error, received.name).await),
        };
        fail_points::reach(Point::IntakeStored);
        self.tell(stored);
        Ok(stored)
    }

    fn conflicting(&self) -> Stored {
        let words = "sent different images under one SOP Instance UID; both are kept and read. Look at how identifiers \
                     are made there.";
        self.intake.refusals.note(self.began_ms, format!("{} {words}", self.origin.source));
        tracing::warn!(source = %self.origin.source, "another image under a known identifier; both are kept");
        Stored::Conflicting
    }

    /// The same bytes once more: they take the place of the file that is held, unless that one is whole, or is needed no more.
    async fn again(&self, id: InstanceId, wanted: bool, image: NewImage) -> Result<Stored, Refusal> {
        let name = image.file.clone();
        match self.renewed(id, wanted, image).await {
            Ok(Renewed::Needless) => {
                self.discard(name).await;
                Ok(Stored::Again)
            }
            Ok(Renewed::Replaced { before } | Renewed::Reopened { before }) => {
                tracing::warn!("an image's file was lost; it is read from the copy that was sent again");
                if let Some(before) = before {
                    self.discard(before).await;
                }
                Ok(Stored::Restored)
            }
            Err(error) => Err(self.not_journalled(&error, name).await),
        }
    }

    async fn renewed(&self, id: InstanceId, wanted: bool, image: NewImage) -> Result<Renewed, JournalError> {
        let journal = &self.intake.journal;
        if let (false, Some(held)) = (wanted, journal.file_of(id).await?) {
            let spool = self.intake.spool.clone();
            // What the disk does not give back now, it may never; what just came is on the disk whole.
            let whole = blocking(move || Ok(spool.is_whole(&held).unwrap_or(false))).await;
            if whole.unwrap_or(true) {
                return Ok(Renewed::Needless);
            }
        }
        journal.renew(id, image).await
    }

    /// A full disk has written no row, and its file must go. After any other error the row may have been written all the
    /// same, so the file stays: the next start journals it if no row names it.
    async fn not_journalled(&self, error: &JournalError, name: String) -> Refusal {
        tracing::error!(error = vitals::exit::chain(error), "an image could not be journalled");
        if error.is_full() {
            self.discard(name).await;
            return Refusal::DiskFull;
        }
        self.intake.spool.forget_plain(&name);
        Refusal::Failed
    }

    fn tell(&self, stored: Stored) {
        counter!("dicom_instances_total", "kind" => stored.label()).increment(1);
        if stored != Stored::Again {
            self.intake.arrived.notify_one();
        }
    }

    async fn discard(&self, name: String) {
        let spool = self.intake.spool.clone();
        // What cannot be removed now is removed at the next start: no journal row names it.
        let _ = blocking(move || spool.remove(&name).map_err(|error| refusal(&error))).await;
    }
}

impl Announced {
    /// What the dataset states of itself is what was announced; what it does not state contradicts nothing.
    fn is_in(&self, received: &Received) -> bool {
        let [class, instance] = identity::stated(&received.head, self.transfer_syntax);
        class.is_none_or(|stated| stated == self.class.as_str())
            && instance.is_none_or(|stated| stated == self.instance.as_str())
    }
}

impl Stored {
    /// For metrics.
    fn label(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Again => "again",
            Self::Restored => "restored",
            Self::Conflicting => "conflicting",
        }
    }
}

/// Runs disk work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Failed))
}

fn refusal(error: &SpoolError) -> Refusal {
    tracing::error!(error = vitals::exit::chain(error), "an image could not be stored");
    match error {
        SpoolError::Full => Refusal::DiskFull,
        SpoolError::Io { .. } | SpoolError::Seal(_) | SpoolError::Damaged(_) => Refusal::Failed,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use outbox::Outbox;

    use super::*;
    use crate::at_rest::AtRest;
    use crate::spool::recovery;

    const SYNTAX: &str = "1.2.840.10008.1.2";

    fn intake(folder: &Path, journal: impl FnOnce(Outbox) -> Journal) -> Arc<Intake> {
        Arc::new(Intake {
            spool: Spool::open(&folder.join("spool"), &AtRest::new(&[7; 32], rand::random)).unwrap(),
            journal: journal(Outbox::open(&folder.join("outbox.sqlite"), &[9; 32].into()).unwrap()),
            arrived: Arc::default(),
            refusals: Refusals::default(),
            spans: Spans::default(),
            world: World::real(),
            longest_object: 1 << 20,
            output: watch::channel(Arc::default()).1,
        })
    }

    async fn send(intake: &Arc<Intake>) -> Result<Stored, Refusal> {
        let origin = Origin { source: "XR-ROOM-1".parse().unwrap(), traceparent: "t".to_owned() };
        let announced = Announced {
            class: "1.2".parse().unwrap(),
            instance: "1.3".parse().unwrap(),
            asked: Asked::default(),
            transfer_syntax: SYNTAX,
        };
        let mut incoming = intake.begin(origin, announced).await;
        incoming.take(&[7; 3000]).await;
        incoming.finish().await
    }

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder.join("spool")).unwrap().count()
    }

    /// The scanner is refused, for nobody can tell whether the row is there. It is: its file must be, too.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_row_that_was_written_although_its_commit_was_told_as_failed_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let unsure = intake(folder.path(), Journal::of_unknown_outcome);
        assert_eq!(send(&unsure).await, Err(Refusal::Failed));
        let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        assert_eq!(outbox.unread(None, 8).unwrap().len(), 1);
        assert_eq!(files(folder.path()), 1, "it may not be removed: its row may be there");
        // The next start finds it in order, and the scanner that sends again is told success.
        let found = recovery::recover(&unsure.spool, &mut outbox, None).unwrap();
        assert_eq!((found.unread, found.missing, found.removed, found.adopted), (1, 0, 0, 0));
        let sure = intake(folder.path(), |outbox| Journal::start(outbox).unwrap());
        assert_eq!(send(&sure).await, Ok(Stored::Again));
        assert_eq!(files(folder.path()), 1);
    }
}
