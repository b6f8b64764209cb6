//! The outbox from an async program: one connection, one caller at a time, off the runtime's threads. It never decides
//! what to lease or settle.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use fail_points::Point;
use outbox::{DatabaseKey, Depth, Leased, Outbox, OutboxError, Settlement, rescue};
use wire::ids::MessageId;
use wire::v1::receipt::Receipt;

/// A handle to the outbox. Clones share it.
#[derive(Clone)]
pub struct Queue {
    outbox: Arc<Mutex<Outbox>>,
}

impl Queue {
    /// Opens the outbox at `path` with its key and puts back what an earlier run had leased.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn open(path: PathBuf, key: DatabaseKey) -> Result<Self, QueueError> {
        let opened = tokio::task::spawn_blocking(move || Outbox::open(&path, &key)).await;
        let outbox = opened.map_err(|_| QueueError::Interrupted)??;
        let queue = Self { outbox: Arc::new(Mutex::new(outbox)) };
        queue.end_leases().await?;
        fail_points::reach(Point::AgentStarted);
        Ok(queue)
    }

    /// See [`Outbox::lease`].
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn lease(&self, limit: u32, now_ms: i64, lease_ms: i64) -> Result<Vec<Leased>, QueueError> {
        self.with(move |outbox| outbox.lease(limit, now_ms, lease_ms)).await
    }

    /// Settles a batch of receipts, in order.
    ///
    /// # Errors
    /// [`QueueError`]; what was settled before it stays settled, the rest comes again.
    pub async fn settle(&self, receipts: Vec<Receipt>) -> Result<Vec<(Receipt, Settlement)>, QueueError> {
        self.with(move |outbox| {
            receipts
                .into_iter()
                .map(|receipt| outbox.settle(receipt.id, &receipt.status).map(|done| (receipt, done)))
                .collect()
        })
        .await
    }

    /// See [`Outbox::end_lease`].
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn end_lease(&self, ids: Vec<MessageId>) -> Result<(), QueueError> {
        self.with(move |outbox| outbox.end_lease(&ids)).await
    }

    /// See [`Outbox::requeue`].
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn requeue(&self, ids: Vec<MessageId>) -> Result<(), QueueError> {
        self.with(move |outbox| outbox.requeue(&ids)).await
    }

    /// See [`Outbox::end_leases`].
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn end_leases(&self) -> Result<usize, QueueError> {
        self.with(Outbox::end_leases).await
    }

    /// See [`Outbox::depth`].
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn depth(&self) -> Result<Depth, QueueError> {
        self.with(|outbox| outbox.depth()).await
    }

    /// See [`Outbox::change_counter`].
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn change_counter(&self) -> Result<i64, QueueError> {
        self.with(|outbox| outbox.change_counter()).await
    }

    async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Outbox) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let outbox = Arc::clone(&self.outbox);
        let done = tokio::task::spawn_blocking(move || {
            // A panic inside a transaction rolled it back: the connection is as good as before.
            let mut outbox = outbox.lock().unwrap_or_else(PoisonError::into_inner);
            go_over(&mut outbox)?;
            let done = act(&mut outbox);
            done.inspect_err(|error| outbox.suspect(error))
        });
        Ok(done.await.map_err(|_| QueueError::Interrupted)??)
    }
}

/// To the file that has the name now, where the appliance has put the other one aside: nothing is taken from that one any more. While
/// it is being put aside there is none.
fn go_over(outbox: &mut Outbox) -> Result<(), OutboxError> {
    if rescue::is_condemned(outbox.path()) {
        return Err(OutboxError::Condemned { path: outbox.path().to_owned() });
    }
    if outbox.is_replaced() {
        *outbox = outbox.open_again()?;
        tracing::warn!("the device database was damaged and replaced by a new one; going on with that");
    }
    Ok(())
}

/// An outbox that does not answer.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The database's own refusal.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The runtime is ending.
    #[error("the program is stopping; nothing was changed")]
    Interrupted,
}
