//! One object's way to the disk beside the association that receives it: one blocking task for the whole object, fed through a
//! bounded queue, so that receiving, hashing, sealing and the disk work at the same time. It decides nothing about the object.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Announced, Origin, Refusal, refusal};
use crate::spool::{FileMeta, Received, Spool};

/// Bytes handed over at a time: large enough that waking the task (some 10 µs) does not count, small enough to stay in a
/// processor's cache between receiving and sealing.
const PIECE: usize = 256 * 1024;

/// Pieces on the way: one with the task, one waiting for it. With the one being filled and the frame being sealed, an
/// association holds 1.3 MB.
const WAITING: usize = 2;

/// An object being written. Dropped before [`Writing::finish`], it leaves nothing behind.
pub(super) struct Writing {
    pieces: mpsc::Sender<Piece>,
    /// Buffers that come back, so that memory is taken once per object.
    emptied: mpsc::Receiver<Vec<u8>>,
    gathered: Vec<u8>,
    bytes: u64,
    task: JoinHandle<Result<Received, Refusal>>,
}

enum Piece {
    Bytes(Vec<u8>),
    /// Everything was sent; without it the object was given up.
    End,
}

impl Writing {
    pub(super) fn begin(spool: Spool, name: uuid::Uuid, origin: &Origin, announced: &Announced) -> Self {
        let (pieces, mut coming) = mpsc::channel(WAITING);
        let (back, emptied) = mpsc::channel(WAITING + 1);
        let (announced, source) = (announced.clone(), origin.source.clone());
        let task = tokio::task::spawn_blocking(move || {
            let meta = FileMeta {
                sop_class: announced.class.as_str(),
                sop_instance: announced.instance.as_str(),
                transfer_syntax: announced.transfer_syntax,
                source: source.as_str(),
            };
            write(&spool, name, &meta, &mut coming, &back)
        });
        Self { pieces, emptied, gathered: Vec::new(), bytes: 0, task }
    }

    /// Bytes taken so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes bytes; waits while the disk is slower than the sender. False once the task has given up: [`Writing::finish`] tells
    /// why.
    pub(super) async fn take(&mut self, mut fragment: &[u8]) -> bool {
        self.bytes += fragment.len() as u64;
        while !fragment.is_empty() {
            let (now, later) = fragment.split_at(fragment.len().min(PIECE - self.gathered.len()));
            self.gathered.extend_from_slice(now);
            fragment = later;
            if self.gathered.len() == PIECE && !self.hand_over().await {
                return false;
            }
        }
        true
    }

    /// Waits until the object is durable.
    pub(super) async fn finish(mut self) -> Result<Received, Refusal> {
        // Where either fails, the task has ended with its reason.
        let _ = self.hand_over().await && self.pieces.send(Piece::End).await.is_ok();
        self.task.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Gives the object up, and waits until nothing of it is left.
    pub(super) async fn abandon(self) {
        drop(self.pieces);
        let _ = self.task.await;
    }

    async fn hand_over(&mut self) -> bool {
        let empty = self.emptied.try_recv().unwrap_or_default();
        let full = std::mem::replace(&mut self.gathered, empty);
        self.pieces.send(Piece::Bytes(full)).await.is_ok()
    }
}

/// The task.
fn write(
    spool: &Spool,
    name: uuid::Uuid,
    meta: &FileMeta<'_>,
    coming: &mut mpsc::Receiver<Piece>,
    back: &mpsc::Sender<Vec<u8>>,
) -> Result<Received, Refusal> {
    let mut writer = spool.create(name, meta).map_err(|error| refusal(&error))?;
    while let Some(piece) = coming.blocking_recv() {
        match piece {
            Piece::Bytes(mut bytes) => {
                writer.write(&bytes).map_err(|error| refusal(&error))?;
                bytes.clear();
                // Nobody waits for it where the object was given up.
                let _ = back.try_send(bytes);
            }
            Piece::End => return writer.finish().map_err(|error| refusal(&error)),
        }
    }
    // Nobody listens to this: the association is gone.
    Err(Refusal::Failed)
}
