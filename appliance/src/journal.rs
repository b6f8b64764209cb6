//! The one place that talks to the device database: a thread that owns the connection and takes what waits in one go, so that
//! one commit, and one sync of the disk, serves all who came meanwhile. Nobody is answered before it. Everybody else holds a
//! [`Journal`]. It decides nothing.

mod deliveries;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use outbox::{
    Accepted, Ask, Asked, Commitment, CommitmentId, Depth, Entry, Holding, Instance, InstanceId, JournalCounts,
    NewDelivery, NewInstance, NewMessage, NewReport, Outbox, OutboxError, OwedReport, Rank, Rejected, Renewed, Spooled,
    Tally, rescue,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use wire::ids::MessageId;

use crate::ledger::Line;
use crate::output::dispatch::Owed;

pub use deliveries::DeliveryLevels;

/// Requests that may wait; one more waits at its sender. A commit takes some milliseconds, so this is under a second.
const WAITING: usize = 64;

/// Requests in one commit: some 16 results with their pictures come to 5 MB, which the disk takes in some 10 ms.
const GROUP: usize = 16;

/// The journal in other hands. Clones share the thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Journal {
    desk: Arc<Desk>,
}

/// The thread and the way to it.
#[derive(Debug)]
struct Desk {
    condemned: CancellationToken,
    requests: Option<mpsc::Sender<Ask>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Desk {
    /// Waits until the database is closed. A process that ended first would take away the cipher's library, which the closing
    /// still uses: it would crash at its very end.
    fn drop(&mut self) {
        self.requests = None;
        let other = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id());
        // A thread that panicked has closed its database, too.
        let _ = other.map(JoinHandle::join);
    }
}

/// What the journal could not do.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The database refused.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// Its thread is gone.
    #[error("the journal's thread has ended; restart the service and see its log for the reason")]
    Ended,
    /// It never began.
    #[error("the journal's thread could not be started; the machine may be out of threads or memory")]
    Start(#[source] std::io::Error),
}

impl JournalError {
    /// True where freeing disk space is the remedy.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Outbox(error) if error.is_full())
    }
}

/// Rejected messages that the status page names; the rest is a number there.
const REJECTED_SHOWN: u32 = 8;

/// What the gauges and the status page show.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// The outbox.
    pub depth: Depth,
    /// The journal.
    pub counts: JournalCounts,
    /// What the gateway rejected, newest first, a few of them.
    pub rejected: Vec<Rejected>,
}

/// One of a result's messages.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its identity for ever.
    pub id: MessageId,
    /// What it is.
    pub kind: wire::topics::Up,
    /// Who goes first.
    pub priority: outbox::Priority,
    /// `wire::codec` bytes.
    pub payload: Vec<u8>,
}

impl Journal {
    /// Hands the database to a thread of its own.
    ///
    /// # Errors
    /// [`JournalError::Start`].
    pub fn start(mut outbox: Outbox) -> Result<Self, JournalError> {
        let (requests, mut waiting) = mpsc::channel::<Ask>(WAITING);
        let condemned = CancellationToken::new();
        let told = condemned.clone();
        let work = move || {
            while let Some(first) = waiting.blocking_recv() {
                let mut group = vec![first];
                group.extend(std::iter::from_fn(|| waiting.try_recv().ok()).take(GROUP - 1));
                outbox.serve(group);
                // By the sync-agent, perhaps.
                if rescue::is_condemned(outbox.path()) {
                    told.cancel();
                }
            }
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(work).map_err(JournalError::Start)?;
        Ok(Self { desk: Arc::new(Desk { condemned, requests: Some(requests), thread: Some(thread) }) })
    }

    /// A journal that does what it is asked, and tells of each commit that it failed: as where the disk took it and the answer
    /// was lost.
    #[cfg(test)]
    pub(crate) fn of_unknown_outcome(mut outbox: Outbox) -> Self {
        let (requests, mut waiting) = mpsc::channel::<Ask>(WAITING);
        let reason = "the disk did not answer".to_owned();
        let work = move || {
            while let Some(ask) = waiting.blocking_recv() {
                (ask(&mut outbox).tell)(Err(OutboxError::Group { reason: reason.clone() }));
            }
        };
        let condemned = CancellationToken::new();
        Self { desk: Arc::new(Desk { condemned, requests: Some(requests), thread: Some(thread::spawn(work)) }) }
    }

    /// Cancelled once the database turned out to be damaged, whoever found it out: the next start puts it aside.
    #[must_use]
    pub fn condemned(&self) -> &CancellationToken {
        &self.desk.condemned
    }

    /// See [`Outbox::accept`].
    pub async fn accept(&self, image: NewImage) -> Result<Accepted, JournalError> {
        self.ask(move |outbox| outbox.accept_ranked(&image.as_new(), image.rank)).await
    }

    /// See [`Outbox::file_of`].
    pub async fn file_of(&self, id: InstanceId) -> Result<Option<String>, JournalError> {
        self.ask(move |outbox| outbox.file_of(id)).await
    }

    /// See [`Outbox::renew`].
    pub async fn renew(&self, id: InstanceId, again: NewImage) -> Result<Renewed, JournalError> {
        self.ask(move |outbox| outbox.renew(id, &again.as_new())).await
    }

    /// See [`Outbox::unread`].
    pub async fn unread(&self, after: Option<InstanceId>, limit: u32) -> Result<Vec<Instance>, JournalError> {
        self.ask(move |outbox| outbox.unread(after, limit)).await
    }

    /// See [`Outbox::unread_since`].
    pub async fn unread_since(&self, since_ms: i64, skip: u32, limit: u32) -> Result<Vec<Instance>, JournalError> {
        self.ask(move |outbox| outbox.unread_since(since_ms, skip, limit)).await
    }

    /// See [`Outbox::withdraw_reading`].
    pub async fn withdraw_reading(&self, id: InstanceId) -> Result<(), JournalError> {
        self.ask(move |outbox| outbox.withdraw_reading(id)).await
    }

    /// See [`Outbox::begin_reading`].
    pub async fn begin_reading(&self, id: InstanceId) -> Result<(), JournalError> {
        self.ask(move |outbox| outbox.begin_reading(id)).await
    }

    /// See [`Outbox::conclude_with`]. The messages come back where it failed, to be tried again.
    pub async fn conclude(
        &self,
        id: InstanceId,
        created_ms: i64,
        traceparent: Option<String>,
        messages: std::sync::Arc<[Message]>,
        owed: Option<std::sync::Arc<Owed>>,
        line: std::sync::Arc<Line>,
    ) -> Result<(), JournalError> {
        self.ask(move |outbox| {
            let new = |message| NewMessage { created_ms, traceparent: traceparent.as_deref(), ..borrowed(message) };
            let new: Vec<NewMessage<'_>> = messages.iter().map(new).collect();
            // The result is the first of them: see `result_record`.
            let result = new.first().map(|message| message.id);
            let result = result.ok_or(OutboxError::Refused { doing: "commit a result without a message" })?;
            let deliveries: Vec<NewDelivery<'_>> = owed.iter().flat_map(|owed| owed.rows()).collect();
            let report =
                owed.as_ref().map(|owed| NewReport { payload: &owed.payload, created_ms, deliveries: &deliveries });
            outbox.conclude_with(id, result, &new, report.as_ref(), Some(&line.as_new()))
        })
        .await
    }

    /// See [`Outbox::entries`].
    pub async fn entries(&self, before: Option<InstanceId>, limit: u32) -> Result<Vec<Entry>, JournalError> {
        self.ask(move |outbox| outbox.entries(before, limit)).await
    }

    /// See [`Outbox::tally`].
    pub async fn tally(&self, since_ms: i64) -> Result<Tally, JournalError> {
        self.ask(move |outbox| outbox.tally(since_ms)).await
    }

    /// See [`Outbox::forget_entries`].
    pub async fn forget_entries(&self, before_ms: i64, limit: u32) -> Result<usize, JournalError> {
        self.ask(move |outbox| outbox.forget_entries(before_ms, limit)).await
    }

    /// See [`Outbox::forget_instances`].
    pub async fn forget_instances(&self, before_ms: i64, limit: u32) -> Result<usize, JournalError> {
        self.ask(move |outbox| outbox.forget_instances(before_ms, limit)).await
    }

    /// See [`Outbox::post`].
    pub async fn post(&self, created_ms: i64, message: Message) -> Result<(), JournalError> {
        self.ask(move |outbox| outbox.post(&NewMessage { created_ms, ..borrowed(&message) })).await
    }

    /// See [`Outbox::dispensable`].
    pub async fn dispensable(&self, limit: u32) -> Result<Vec<Spooled>, JournalError> {
        self.ask(move |outbox| outbox.dispensable(limit)).await
    }

    /// See [`Outbox::forget_file`].
    pub async fn forget_file(&self, id: InstanceId) -> Result<(), JournalError> {
        self.ask(move |outbox| outbox.forget_file(id)).await
    }

    /// See [`Outbox::ask_commitment`].
    pub async fn ask_commitment(&self, new: Commitment) -> Result<CommitmentId, JournalError> {
        self.ask(move |outbox| outbox.ask_commitment(&new)).await
    }

    /// See [`Outbox::owed_reports`].
    pub async fn owed_reports(&self, now_ms: i64, limit: u32) -> Result<Vec<OwedReport>, JournalError> {
        self.ask(move |outbox| outbox.owed_reports(now_ms, limit)).await
    }

    /// See [`Outbox::owed_report_count`].
    pub async fn owed_report_count(&self) -> Result<u64, JournalError> {
        self.ask(|outbox| outbox.owed_report_count()).await
    }

    /// See [`Outbox::postpone_report`].
    pub async fn postpone_report(&self, id: CommitmentId, due_ms: i64) -> Result<(), JournalError> {
        self.ask(move |outbox| outbox.postpone_report(id, due_ms)).await
    }

    /// See [`Outbox::settle_report`].
    pub async fn settle_report(&self, id: CommitmentId) -> Result<(), JournalError> {
        self.ask(move |outbox| outbox.settle_report(id)).await
    }

    /// See [`Outbox::holdings`]; one list for each SOP Instance UID.
    pub async fn holdings(&self, sop_instances: Vec<String>) -> Result<Vec<Vec<Holding>>, JournalError> {
        self.ask(move |outbox| sop_instances.iter().map(|one| outbox.holdings(one)).collect()).await
    }

    /// How much waits.
    pub async fn levels(&self) -> Result<Levels, JournalError> {
        self.ask(|outbox| {
            let rejected = outbox.rejected(REJECTED_SHOWN)?;
            Ok(Levels { depth: outbox.depth()?, counts: outbox.journal_counts()?, rejected })
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Outbox) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        let request: Ask = Box::new(move |outbox| {
            let answered = question(outbox);
            let failed = answered.as_ref().err().map(OutboxError::for_each);
            let tell = move |committed: Result<(), OutboxError>| {
                // Whoever asked may have been cancelled; what was asked is done all the same.
                let _ = answer.send(committed.and(answered));
            };
            Asked { failed, tell: Box::new(tell) }
        });
        let requests = self.desk.requests.as_ref().ok_or(JournalError::Ended)?;
        requests.send(request).await.map_err(|_| JournalError::Ended)?;
        Ok(answered.await.map_err(|_| JournalError::Ended)??)
    }
}

/// [`NewInstance`] that owns its words, to cross threads.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// See [`NewInstance::sop_class`].
    pub sop_class: String,
    /// See [`NewInstance::sop_instance`].
    pub sop_instance: String,
    /// See [`NewInstance::digest`].
    pub digest: [u8; 32],
    /// See [`NewInstance::file`].
    pub file: String,
    /// See [`NewInstance::source`].
    pub source: String,
    /// See [`NewInstance::received_ms`].
    pub received_ms: i64,
    /// See [`NewInstance::receive_ms`].
    pub receive_ms: f64,
    /// See [`NewInstance::traceparent`].
    pub traceparent: String,
    /// Who is read first.
    pub rank: Rank,
}

impl NewImage {
    fn as_new(&self) -> NewInstance<'_> {
        NewInstance {
            sop_class: &self.sop_class,
            sop_instance: &self.sop_instance,
            digest: self.digest,
            file: &self.file,
            source: &self.source,
            received_ms: self.received_ms,
            receive_ms: self.receive_ms,
            traceparent: Some(&self.traceparent),
        }
    }
}

fn borrowed(message: &Message) -> NewMessage<'_> {
    NewMessage {
        id: message.id,
        kind: message.kind,
        priority: message.priority,
        created_ms: 0,
        traceparent: None,
        payload: &message.payload,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn image(number: u8) -> NewImage {
        NewImage {
            sop_class: "1.2".into(),
            sop_instance: format!("1.{number}"),
            digest: [number; 32],
            file: format!("{number}.dcm"),
            source: "XR".into(),
            received_ms: 0,
            receive_ms: 0.0,
            traceparent: "t".into(),
            rank: Rank::default(),
        }
    }

    /// Requests pile up behind one that waits; each is answered, and whatever was answered is what another process sees.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn answers_come_after_the_commit_and_each_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("outbox.sqlite");
        let journal = Journal::start(Outbox::open(&database, &[9; 32].into()).unwrap()).unwrap();
        let open = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&open);
        let held = tokio::spawn({
            let journal = journal.clone();
            async move {
                let wait = move |_: &mut Outbox| {
                    while !gate.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                    Ok(())
                };
                journal.ask(wait).await
            }
        });
        let mut asked = tokio::task::JoinSet::new();
        for number in 0..40_u8 {
            let (journal, database) = (journal.clone(), database.clone());
            asked.spawn(async move {
                // Every fourth image comes twice.
                let image = image(if number % 4 == 3 { number - 1 } else { number });
                let (name, accepted) = (image.sop_instance.clone(), journal.accept(image).await.unwrap());
                let seen = Outbox::open(&database, &[9; 32].into()).unwrap().unread(None, 100).unwrap();
                assert!(seen.iter().any(|row| row.sop_instance == name), "{name} was answered before its commit");
                matches!(accepted, Accepted::New(_))
            });
        }
        open.store(true, Ordering::Release);
        held.await.unwrap().unwrap();
        let new = asked.join_all().await.into_iter().filter(|new| *new).count();
        assert_eq!(new, 30);
        assert_eq!(journal.levels().await.unwrap().counts.accepted, 30);
    }
}
