//! Deliveries: what each of the hospital's own systems is still to be given of each concluded image, and what became of it.
//! A report's payload is written once; a delivery's state changes beside it. It never looks into a payload.
//!
//! ```text
//! waiting ──taken──▶ sent ──commitment asked──▶ sent ──committed──▶ committed
//!    ▲  │              │                          │  └─no answer──▶ unconfirmed
//!    │  ├─taken, and no commitment is asked for──▶ delivered
//!    │  ├─will never be taken──▶ refused ◀────────┤
//!    └──┴─not this time, or not kept──────────────┘
//! ```
//! By order (see [`Outbox::retry_deliveries`]) what is refused, unconfirmed or postponed waits again, and is due at once.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::queue::Priority;
use crate::{InstanceId, LONGEST_PAUSE_MS, Outbox, OutboxError};

/// A report to be written with its result.
#[derive(Clone, Debug)]
pub struct NewReport<'a> {
    /// What its objects are made from; sealed by whoever writes it.
    pub payload: &'a [u8],
    /// When, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Who is to be given what; at least one.
    pub deliveries: &'a [NewDelivery<'a>],
}

/// One object for one destination.
#[derive(Clone, Debug)]
pub struct NewDelivery<'a> {
    /// The destination's name in the configuration.
    pub destination: &'a str,
    /// What kind of object.
    pub object: &'a str,
    /// SOP Instance UID, where it has one.
    pub sop_instance: Option<&'a str>,
    /// Who goes first.
    pub priority: Priority,
}

/// A report's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId(pub i64);

/// A delivery's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

/// A delivery that something is to be done about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its row.
    pub id: DeliveryId,
    /// What its object is made from.
    pub report: ReportId,
    /// What kind of object.
    pub object: String,
    /// SOP Instance UID, where it has one.
    pub sop_instance: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts that failed since it was last taken, or ever.
    pub attempts: u32,
    /// How often commitment was asked for.
    pub asks: u32,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be sent.
    Waiting,
    /// Taken by the destination, which has not yet committed itself to keep it.
    Sent,
    /// Taken by a destination that is asked for nothing more.
    Delivered,
    /// The destination has committed itself to keep it.
    Committed,
    /// The destination will not take it or does not keep it.
    Refused,
    /// Taken, and the destination never said whether it keeps it.
    Unconfirmed,
}

/// What happened to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// It was not taken, or is not kept, and may be later.
    Postponed {
        /// When to try again, milliseconds since the Unix epoch.
        due_ms: i64,
        /// Why, in words without the patient.
        reason: String,
    },
    /// It will never be taken.
    Refused {
        /// Why, in words without the patient.
        reason: String,
    },
    /// It was taken, and that is all that is asked.
    Delivered,
    /// It was taken; commitment is to be asked for.
    Sent,
    /// Commitment was asked for.
    Asked {
        /// Transaction UID of the request.
        transaction: String,
        /// When to stop waiting for the answer.
        due_ms: i64,
    },
    /// The request did not reach the destination: it does not count.
    Unasked {
        /// When to ask again.
        due_ms: i64,
    },
    /// The destination keeps it.
    Committed,
    /// The destination never answered.
    Unanswered {
        /// In words.
        reason: String,
    },
    /// A person had it tried again.
    Retried,
}

impl DeliveryState {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Sent, Self::Delivered, Self::Committed, Self::Refused, Self::Unconfirmed];

    /// Its word in the database and in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Committed => "committed",
            Self::Refused => "refused",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    /// The state after an event; `None` where it cannot happen here. A late answer still counts: it is about the same object.
    #[must_use]
    pub fn after(self, event: &DeliveryEvent) -> Option<Self> {
        use DeliveryEvent as Event;
        match (self, event) {
            (Self::Waiting | Self::Sent | Self::Unconfirmed, Event::Postponed { .. }) => Some(Self::Waiting),
            (Self::Waiting | Self::Sent | Self::Unconfirmed, Event::Refused { .. }) => Some(Self::Refused),
            (Self::Waiting, Event::Delivered) => Some(Self::Delivered),
            (Self::Waiting, Event::Sent) => Some(Self::Sent),
            (Self::Sent, Event::Asked { .. } | Event::Unasked { .. }) => Some(Self::Sent),
            (Self::Sent | Self::Unconfirmed, Event::Committed) => Some(Self::Committed),
            (Self::Sent, Event::Unanswered { .. }) => Some(Self::Unconfirmed),
            (Self::Waiting | Self::Refused | Self::Unconfirmed, Event::Retried) => Some(Self::Waiting),
            _ => None,
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// How many deliveries of one destination are in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryCount {
    /// The destination's name.
    pub destination: String,
    /// The state.
    pub state: DeliveryState,
    /// How many.
    pub count: u64,
    /// When the oldest of them was written, milliseconds since the Unix epoch.
    pub oldest_ms: i64,
}

/// Why deliveries failed or wait, for whoever looks after the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryTrouble {
    /// The destination's name.
    pub destination: String,
    /// The state that they are in.
    pub state: DeliveryState,
    /// The reason in words.
    pub reason: String,
    /// How many of them.
    pub count: u64,
    /// When the last of them came into it, milliseconds since the Unix epoch.
    pub last_ms: i64,
}

impl Outbox {
    /// What is to be done for a destination now: to be sent, or to be asked about; urgent first, oldest first.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn deliveries_due(
        &self,
        destination: &str,
        state: DeliveryState,
        now_ms: i64,
        limit: u32,
    ) -> Result<Vec<Delivery>, OutboxError> {
        let sql = OutboxError::statement("list the deliveries that are due");
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT id, report, object, sop_instance, state, attempts, asks FROM delivery
                 WHERE destination = ?1 AND state = ?2 AND due_ms NOT BETWEEN ?3 + 1 AND ?5 ORDER BY priority, id LIMIT ?4",
            )
            .map_err(&sql)?;
        let farthest = now_ms.saturating_add(LONGEST_PAUSE_MS);
        let due = params![destination, state.word(), now_ms, limit, farthest];
        let found = rows.query_map(due, delivery).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// The deliveries whose commitment was asked for under this Transaction UID.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn deliveries_asked(&self, transaction: &str) -> Result<Vec<Delivery>, OutboxError> {
        let sql = OutboxError::statement("look up a request for commitment");
        let mut rows = self
            .connection
            .prepare_cached("SELECT id, report, object, sop_instance, state, attempts, asks FROM delivery WHERE transaction_uid = ?1")
            .map_err(&sql)?;
        let found = rows.query_map([transaction], delivery).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// What a report's objects are made from; `None` once it was forgotten.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn report_payload(&self, id: ReportId) -> Result<Option<Vec<u8>>, OutboxError> {
        self.connection
            .query_row("SELECT payload FROM report WHERE id = ?1", [id.0], |row| row.get(0))
            .optional()
            .map(Option::flatten)
            .map_err(OutboxError::statement("read a report"))
    }

    /// Moves deliveries on, all or none; gives how many of them the event could happen to.
    ///
    /// # Errors
    /// [`OutboxError::Full`] and the like; nothing has changed then.
    pub fn advance_deliveries(
        &mut self,
        events: &[(DeliveryId, DeliveryEvent)],
        now_ms: i64,
    ) -> Result<usize, OutboxError> {
        let sql = OutboxError::statement("note what became of deliveries");
        let transaction = self.unit().map_err(&sql)?;
        let mut moved = 0;
        for (id, event) in events {
            let state: Option<String> = transaction
                .prepare_cached("SELECT state FROM delivery WHERE id = ?1")
                .and_then(|mut row| row.query_row([id.0], |row| row.get(0)).optional())
                .map_err(&sql)?;
            let next = state.as_deref().and_then(DeliveryState::of).and_then(|state| state.after(event));
            if let Some(next) = next {
                advance(&transaction, *id, next, event, now_ms).map_err(&sql)?;
                moved += 1;
            }
        }
        transaction.commit().map_err(&sql)?;
        Ok(moved)
    }

    /// How many deliveries each destination has in each state.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn delivery_counts(&self) -> Result<Vec<DeliveryCount>, OutboxError> {
        let sql = OutboxError::statement("count the deliveries");
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT destination, state, count(*), min(created_ms) FROM delivery
                 GROUP BY destination, state ORDER BY destination, state",
            )
            .map_err(&sql)?;
        let found = rows
            .query_map([], |row| {
                let (destination, state) = (row.get(0)?, state_of(row, 1)?);
                Ok(DeliveryCount { destination, state, count: row.get(2)?, oldest_ms: row.get(3)? })
            })
            .map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// Why deliveries wait or failed, last first.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn delivery_troubles(&self, limit: u32) -> Result<Vec<DeliveryTrouble>, OutboxError> {
        let sql = OutboxError::statement("list what stops deliveries");
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT destination, state, reason, count(*), max(changed_ms) FROM delivery
                 WHERE reason IS NOT NULL AND state IN ('waiting', 'refused', 'unconfirmed')
                 GROUP BY destination, state, reason ORDER BY max(changed_ms) DESC LIMIT ?1",
            )
            .map_err(&sql)?;
        let found = rows
            .query_map([limit], |row| {
                let (destination, state) = (row.get(0)?, state_of(row, 1)?);
                let (reason, count, last_ms) = (row.get(2)?, row.get(3)?, row.get(4)?);
                Ok(DeliveryTrouble { destination, state, reason, count, last_ms })
            })
            .map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// Forgets up to `limit` reports that nobody is owed any more and whose last change was before `before_ms`, with their
    /// deliveries; gives how many. One that still waits, or whose commitment is awaited, is never touched.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn forget_reports(&mut self, before_ms: i64, limit: u32) -> Result<usize, OutboxError> {
        let sql = OutboxError::statement("forget old reports");
        let transaction = self.unit().map_err(&sql)?;
        let old = "SELECT id FROM report WHERE NOT EXISTS (
                       SELECT 1 FROM delivery AS mine WHERE mine.report = report.id
                       AND (mine.state IN ('waiting', 'sent') OR mine.changed_ms >= ?1)) ORDER BY id LIMIT ?2";
        transaction
            .execute(&format!("DELETE FROM delivery WHERE report IN ({old})"), params![before_ms, limit])
            .map_err(&sql)?;
        let gone = transaction
            .execute(
                "DELETE FROM report WHERE NOT EXISTS (SELECT 1 FROM delivery AS mine WHERE mine.report = report.id)",
                [],
            )
            .map_err(&sql)?;
        transaction.commit().map_err(&sql)?;
        Ok(gone)
    }
}

/// Writes a report with its deliveries, within the transaction of its result.
pub(crate) fn append(transaction: &Connection, instance: InstanceId, report: &NewReport<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO report (instance, payload) VALUES (?1, ?2)")?
        .execute(params![instance.0, report.payload])?;
    let id = transaction.last_insert_rowid();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO delivery (report, destination, object, sop_instance, priority, created_ms, changed_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
    )?;
    for delivery in report.deliveries {
        let (to, priority) = (delivery.destination, delivery.priority as i64);
        insert.execute(params![id, to, delivery.object, delivery.sop_instance, priority, report.created_ms])?;
    }
    Ok(())
}

/// Writes the next state with what the event says.
fn advance(
    transaction: &Connection,
    id: DeliveryId,
    next: DeliveryState,
    event: &DeliveryEvent,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let (due_ms, reason, uid, failed, asked) = match event {
        DeliveryEvent::Postponed { due_ms, reason } => (*due_ms, Some(reason), None, 1, 0),
        DeliveryEvent::Refused { reason } | DeliveryEvent::Unanswered { reason } => (now_ms, Some(reason), None, 0, 0),
        DeliveryEvent::Asked { transaction, due_ms } => (*due_ms, None, Some(transaction), 0, 1),
        DeliveryEvent::Unasked { due_ms } => (*due_ms, None, None, 0, -1),
        DeliveryEvent::Delivered | DeliveryEvent::Sent | DeliveryEvent::Committed | DeliveryEvent::Retried => {
            (now_ms, None, None, 0, 0)
        }
    };
    // What is tried again begins anew.
    let counts = i64::from(*event != DeliveryEvent::Retried);
    transaction
        .prepare_cached(
            "UPDATE delivery SET state = ?2, due_ms = ?3, reason = ?4, transaction_uid = coalesce(?5, transaction_uid),
                                 attempts = (attempts + ?6) * ?9, asks = max(asks + ?7, 0) * ?9, changed_ms = ?8 WHERE id = ?1",
        )?
        .execute(params![id.0, next.word(), due_ms, reason, uid, failed, asked, now_ms, counts])
        .map(drop)
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: DeliveryId(row.get(0)?),
        report: ReportId(row.get(1)?),
        object: row.get(2)?,
        sop_instance: row.get(3)?,
        state: state_of(row, 4)?,
        attempts: row.get(5)?,
        asks: row.get(6)?,
    })
}

pub(crate) fn state_of(row: &Row<'_>, column: usize) -> rusqlite::Result<DeliveryState> {
    let word: String = row.get(column)?;
    // The table's own check allows no other word.
    DeliveryState::of(&word).ok_or(rusqlite::Error::InvalidQuery)
}
