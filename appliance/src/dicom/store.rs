//! C-STORE: from the first fragment of a dataset to the status. Success is said in one place, after file, folder and journal
//! row are durable. A store that fails costs its scanner one status, never the association.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use metrics::{counter, histogram};
use outbox::{Accepted, InstanceId};
use tokio::sync::Notify;

use super::acceptance::Context;
use super::dimse::Request;
use super::{AeTitle, Refusals, Status, Uid, identity};
use crate::journal::{Journal, JournalError, NewImage};
use crate::spool::{FileMeta, Received, Spool, SpoolError, Writer};
use crate::world::World;

/// Bytes gathered before they go to the disk: large enough that the switch to a blocking thread (some 10 µs) does not
/// count, small enough that sixteen associations hold 16 MB.
const PIECE: usize = 1 << 20;

/// What storing needs; shared by all associations.
pub struct StoreRoom {
    /// Where files go.
    pub spool: Spool,
    /// Where acknowledged images are noted.
    pub journal: Journal,
    /// Told of each new image.
    pub arrived: Arc<Notify>,
    /// Where refusals are noted.
    pub refusals: Refusals,
    /// Clock and dice.
    pub world: World,
    /// Bytes that an object may have.
    pub longest_object: u64,
}

/// Who is storing.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Its AE title.
    pub(super) title: AeTitle,
    /// Its address.
    pub(super) address: IpAddr,
    /// The association's trace.
    pub(super) traceparent: String,
}

/// One object being received. Dropped before the end, it leaves nothing.
pub(super) struct Incoming {
    room: Arc<StoreRoom>,
    caller: Caller,
    began: Instant,
    began_ms: i64,
    stage: Stage,
}

enum Stage {
    /// Bytes go to the spool.
    Writing { object: Object, writer: Box<Writer>, gathered: Vec<u8> },
    /// Bytes are thrown away until the last, and then this is said.
    Refused(Status),
}

/// What the command says of the object.
struct Object {
    class: Uid,
    instance: Uid,
    transfer_syntax: &'static str,
}

impl Incoming {
    /// Begins with the command, before any byte of the dataset.
    pub(super) async fn begin(room: Arc<StoreRoom>, caller: Caller, request: &Request, context: &Context) -> Self {
        let (began, began_ms) = (Instant::now(), (room.world.now_ms)());
        let stage = match Object::from_command(request, context) {
            Ok(object) => open(&room, &caller, object).await,
            Err(status) => Stage::Refused(status),
        };
        Self { room, caller, began, began_ms, stage }
    }

    /// Takes a fragment of the dataset.
    pub(super) async fn take(&mut self, fragment: &[u8]) {
        let Stage::Writing { writer, gathered, .. } = &mut self.stage else { return };
        if writer.bytes() + (gathered.len() + fragment.len()) as u64 > self.room.longest_object {
            self.stage = Stage::Refused(Status::TOO_LARGE);
            return;
        }
        gathered.extend_from_slice(fragment);
        if gathered.len() >= PIECE {
            self.flush().await;
        }
    }

    /// Ends with the last fragment: what the scanner is told.
    pub(super) async fn finish(mut self) -> Status {
        self.flush().await;
        let status = match std::mem::replace(&mut self.stage, Stage::Refused(Status::FAILED)) {
            Stage::Refused(status) => status,
            Stage::Writing { object, writer, .. } => self.keep(object, writer).await.unwrap_or_else(|status| status),
        };
        histogram!("dicom_store_duration_seconds").record(self.began.elapsed().as_secs_f64());
        report(&self.room, &self.caller, status);
        status
    }

    async fn flush(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Refused(Status::FAILED));
        self.stage = match stage {
            Stage::Writing { object, mut writer, mut gathered } => {
                let written = blocking(move || {
                    writer.write(&gathered).map_err(|error| refusal(&error))?;
                    gathered.clear();
                    Ok((writer, gathered))
                });
                match written.await {
                    Ok((writer, gathered)) => Stage::Writing { object, writer, gathered },
                    Err(status) => Stage::Refused(status),
                }
            }
            refused @ Stage::Refused(_) => refused,
        };
    }

    /// File, folder, identity, journal row: success only after all of them.
    async fn keep(&self, object: Object, writer: Box<Writer>) -> Result<Status, Status> {
        let received = blocking(move || writer.finish().map_err(|error| refusal(&error))).await?;
        if !object.is_in(&received) {
            self.discard(received.name).await;
            return Err(Status::DATASET_MISMATCH);
        }
        let image = NewImage {
            sop_instance: object.instance.as_str().to_owned(),
            digest: received.digest,
            file: received.name.clone(),
            source: self.caller.title.as_str().to_owned(),
            received_ms: self.began_ms,
            receive_ms: self.began.elapsed().as_secs_f64() * 1e3,
            traceparent: self.caller.traceparent.clone(),
        };
        match self.room.journal.accept(image).await {
            Ok(Accepted::New(_)) => self.arrived("new"),
            Ok(Accepted::Conflicting(_)) => {
                let words = "sent different images under one SOP Instance UID; both are kept and read. Look at how \
                             identifiers are made there.";
                self.room.refusals.note(self.began_ms, format!("{} {words}", self.caller.title));
                tracing::warn!(source = %self.caller.title, "another image under a known identifier; both are kept");
                self.arrived("conflicting");
            }
            Ok(Accepted::Again(id)) => match self.restore(id, &received.name).await {
                Ok(true) => {
                    tracing::warn!("an unread image's file was gone; it is read from the copy that was sent again");
                    self.arrived("restored");
                }
                Ok(false) => {
                    counter!("dicom_instances_total", "kind" => "again").increment(1);
                    self.discard(received.name).await;
                }
                Err(error) => return Err(self.not_journalled(&error, received.name).await),
            },
            Err(error) => return Err(self.not_journalled(&error, received.name).await),
        }
        Ok(Status::SUCCESS)
    }

    /// True where an unread image's file is gone from the spool, and the one sent again takes its place.
    async fn restore(&self, id: InstanceId, name: &str) -> Result<bool, JournalError> {
        let journal = &self.room.journal;
        if let Some(earlier) = journal.file_of(id).await? {
            let path = self.room.spool.path(&earlier);
            // A file system that does not say is no proof that the file is gone; the image is read, or reported, from there.
            let there = blocking(move || Ok(path.try_exists().unwrap_or(true))).await;
            if there.unwrap_or(true) {
                return Ok(false);
            }
        }
        journal.replace_file(id, name.to_owned()).await
    }

    /// A full disk has written no row, and its file must go. After any other error the row may have been written all the
    /// same, so the file stays: the next start removes it if no row names it.
    async fn not_journalled(&self, error: &JournalError, name: String) -> Status {
        tracing::error!(error = vitals::exit::chain(error), "an image could not be journalled");
        if error.is_full() {
            self.discard(name).await;
            return Status::DISK_FULL;
        }
        Status::FAILED
    }

    fn arrived(&self, kind: &'static str) {
        counter!("dicom_instances_total", "kind" => kind).increment(1);
        self.room.arrived.notify_one();
    }

    async fn discard(&self, name: String) {
        let spool = self.room.spool.clone();
        // What cannot be removed now is removed at the next start: no journal row names it.
        let _ = blocking(move || spool.remove(&name).map_err(|error| refusal(&error))).await;
    }
}

impl Object {
    fn from_command(request: &Request, context: &Context) -> Result<Self, Status> {
        let class = request.sop_class.clone().ok_or(Status::CLASS_NOT_SUPPORTED)?;
        if class.as_str() != context.abstract_syntax {
            return Err(Status::CLASS_NOT_SUPPORTED);
        }
        let instance = request.sop_instance.clone().ok_or(Status::INVALID_INSTANCE)?;
        Ok(Self { class, instance, transfer_syntax: context.transfer_syntax })
    }

    /// What the dataset states of itself is what the command said; what it does not state contradicts nothing.
    fn is_in(&self, received: &Received) -> bool {
        let [class, instance] = identity::stated(&received.head, self.transfer_syntax);
        class.is_none_or(|stated| stated == self.class.as_str())
            && instance.is_none_or(|stated| stated == self.instance.as_str())
    }
}

async fn open(room: &StoreRoom, caller: &Caller, object: Object) -> Stage {
    let (spool, name, source) = (room.spool.clone(), room.world.uuid(), caller.title.clone());
    let created = blocking(move || {
        let meta = FileMeta {
            sop_class: object.class.as_str(),
            sop_instance: object.instance.as_str(),
            transfer_syntax: object.transfer_syntax,
            source: source.as_str(),
        };
        let writer = spool.create(name, &meta).map_err(|error| refusal(&error))?;
        Ok((object, Box::new(writer)))
    });
    match created.await {
        Ok((object, writer)) => Stage::Writing { object, writer, gathered: Vec::new() },
        Err(status) => Stage::Refused(status),
    }
}

/// Runs disk work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Status> + Send + 'static) -> Result<T, Status> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Status::FAILED))
}

fn refusal(error: &SpoolError) -> Status {
    tracing::error!(error = vitals::exit::chain(error), "an image could not be stored");
    match error {
        SpoolError::Full => Status::DISK_FULL,
        SpoolError::Io { .. } => Status::FAILED,
    }
}

/// Counts a store and, where it was refused, keeps the words.
pub(super) fn report(room: &StoreRoom, caller: &Caller, status: Status) {
    counter!("dicom_stores_total", "status" => status.label).increment(1);
    if !status.is_success() {
        tracing::warn!(source = %caller.title, status = format!("0x{:04X}", status.code), reason = status.label, "store refused");
        let words = format!("An object from {} at {} was refused: {}.", caller.title, caller.address, status.comment);
        room.refusals.note((room.world.now_ms)(), words);
    }
}
