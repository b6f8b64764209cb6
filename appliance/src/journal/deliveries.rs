//! The journal's questions about deliveries; see [`outbox::Outbox`] for each.

use outbox::{
    Delivery, DeliveryCount, DeliveryEvent, DeliveryId, DeliveryState, DeliveryTrouble, Outbox, ReportId, Retry,
};

use super::{Journal, JournalError};

/// Reasons that are shown at most: more than a page of them is a list nobody reads.
const TROUBLES: u32 = 20;

/// How the deliveries stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryLevels {
    /// How many, by destination and state.
    pub counts: Vec<DeliveryCount>,
    /// Why some wait or failed, last first.
    pub troubles: Vec<DeliveryTrouble>,
    /// Destinations that are not in the configuration any more, with how many deliveries wait for each.
    pub stranded: Vec<(String, u64)>,
}

impl Journal {
    /// See [`Outbox::deliveries_due`].
    pub async fn deliveries_due(
        &self,
        destination: String,
        state: DeliveryState,
        now_ms: i64,
        limit: u32,
    ) -> Result<Vec<Delivery>, JournalError> {
        self.ask(move |outbox| outbox.deliveries_due(&destination, state, now_ms, limit)).await
    }

    /// See [`Outbox::deliveries_asked`].
    pub async fn deliveries_asked(&self, transaction: String) -> Result<Vec<Delivery>, JournalError> {
        self.ask(move |outbox| outbox.deliveries_asked(&transaction)).await
    }

    /// See [`Outbox::report_payload`].
    pub async fn report_payload(&self, id: ReportId) -> Result<Option<Vec<u8>>, JournalError> {
        self.ask(move |outbox| outbox.report_payload(id)).await
    }

    /// See [`Outbox::advance_deliveries`].
    pub async fn advance_deliveries(
        &self,
        events: Vec<(DeliveryId, DeliveryEvent)>,
        now_ms: i64,
    ) -> Result<usize, JournalError> {
        self.ask(move |outbox| outbox.advance_deliveries(&events, now_ms)).await
    }

    /// See [`Outbox::retry_deliveries`].
    pub async fn retry_deliveries(&self, which: Retry, now_ms: i64) -> Result<usize, JournalError> {
        self.ask(move |outbox| outbox.retry_deliveries(&which, now_ms)).await
    }

    /// See [`Outbox::forget_reports`].
    pub async fn forget_reports(&self, before_ms: i64, limit: u32) -> Result<usize, JournalError> {
        self.ask(move |outbox| outbox.forget_reports(before_ms, limit)).await
    }

    /// How the deliveries stand.
    pub async fn delivery_levels(&self) -> Result<DeliveryLevels, JournalError> {
        let levels = |outbox: &mut Outbox| {
            let (counts, troubles) = (outbox.delivery_counts()?, outbox.delivery_troubles(TROUBLES)?);
            Ok(DeliveryLevels { counts, troubles, stranded: Vec::new() })
        };
        self.ask(levels).await
    }
}
