//! The journal: one row for each image that a scanner was told is safe. It never reads pixels or files.

use fail_points::Point;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;
use wire::ids::MessageId;

use crate::delivery::{self, NewReport};
use crate::ledger::{self, NewEntry};
use crate::queue::{NewMessage, append};
use crate::{Outbox, OutboxError};

/// Position in the journal, in the order of acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub i64);

/// Who is read first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// From a source whose images the site reads before all others.
    Urgent = 0,
    /// Its sender asked for it to be read earlier.
    High = 1,
    /// In its turn.
    #[default]
    Medium = 2,
    /// Its sender said that it may wait.
    Low = 3,
}

/// An image about to be acknowledged; its file is already durable in the spool.
#[derive(Clone, Debug)]
pub struct NewInstance<'a> {
    /// SOP Class UID (0008,0016), trimmed.
    pub sop_class: &'a str,
    /// SOP Instance UID (0008,0018), trimmed.
    pub sop_instance: &'a str,
    /// SHA-256 of the dataset as received: tells a resend from another image under the same UID.
    pub digest: [u8; 32],
    /// File name inside the spool.
    pub file: &'a str,
    /// Calling AE title of the scanner.
    pub source: &'a str,
    /// When its C-STORE command arrived, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// Time spent until its file was durable.
    pub receive_ms: f64,
    /// W3C trace context of the association.
    pub traceparent: Option<&'a str>,
}

/// What the journal made of a new instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Never seen: it is now owed a result.
    New(InstanceId),
    /// The same bytes were accepted before: acknowledge again, read nothing again; the new file is not needed.
    Again(InstanceId),
    /// The same bytes were accepted before, and their result tells of a file that was lost: see [`Outbox::renew`].
    Wanted(InstanceId),
    /// Other bytes under a UID that was accepted before: both are kept, both are owed a result.
    Conflicting(InstanceId),
}

/// An accepted image that has no result yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its row.
    pub id: InstanceId,
    /// SOP Instance UID.
    pub sop_instance: String,
    /// See [`NewInstance::digest`].
    pub digest: [u8; 32],
    /// File name inside the spool.
    pub file: String,
    /// Calling AE title of the scanner.
    pub source: String,
    /// See [`NewInstance::received_ms`].
    pub received_ms: i64,
    /// See [`NewInstance::receive_ms`].
    pub receive_ms: f64,
    /// See [`NewInstance::traceparent`].
    pub traceparent: Option<String>,
    /// Who is read first.
    pub rank: Rank,
    /// How many readings were begun before this one: more than a few, and the image itself brings the reader down.
    pub attempts: u32,
    /// The result that this image's next one replaces, where it was sent again: see [`Outbox::renew`].
    pub supersedes: Option<MessageId>,
}

/// What became of an image whose file was sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It is still to be read, and now from the new file; `before` is the one that nobody needs any more.
    Replaced {
        /// The file before.
        before: Option<String>,
    },
    /// Its result told of a lost file; it is to be read once more, from the new file.
    Reopened {
        /// The file before.
        before: Option<String>,
    },
    /// It was read: nobody needs the new file.
    Needless,
}

/// A file that the spool no longer owes anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spooled {
    /// Its row.
    pub id: InstanceId,
    /// File name inside the spool.
    pub file: String,
}

impl Outbox {
    /// Journals an image whose file is durable. When this returns, the scanner may be told success.
    ///
    /// # Errors
    /// [`OutboxError::Full`] and the like: the scanner must then be refused.
    pub fn accept(&mut self, new: &NewInstance<'_>) -> Result<Accepted, OutboxError> {
        self.accept_ranked(new, Rank::default())
    }

    /// [`Outbox::accept`] with the image's place among those that wait to be read.
    ///
    /// # Errors
    /// As [`Outbox::accept`].
    pub fn accept_ranked(&mut self, new: &NewInstance<'_>, rank: Rank) -> Result<Accepted, OutboxError> {
        let sql = OutboxError::statement("journal an image");
        let transaction = self.unit().map_err(&sql)?;
        let earlier: Option<(i64, bool, bool)> = transaction
            .prepare_cached(
                "SELECT id, digest = ?2, wanted FROM instance WHERE sop_instance = ?1 ORDER BY digest = ?2 DESC LIMIT 1",
            )
            .and_then(|mut row| {
                let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                row.query_row(params![new.sop_instance, new.digest], columns).optional()
            })
            .map_err(&sql)?;
        if let Some((id, true, wanted)) = earlier {
            return Ok(if wanted { Accepted::Wanted(InstanceId(id)) } else { Accepted::Again(InstanceId(id)) });
        }
        transaction
            .prepare_cached(
                "INSERT INTO instance (sop_instance, digest, file, source, received_ms, receive_ms, traceparent, sop_class, rank)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    new.sop_instance,
                    new.digest,
                    new.file,
                    new.source,
                    new.received_ms,
                    new.receive_ms,
                    new.traceparent,
                    new.sop_class,
                    rank as i64
                ])
            })
            .map_err(&sql)?;
        let id = InstanceId(transaction.last_insert_rowid());
        fail_points::reach(Point::AcceptBeforeCommit);
        transaction.commit().map_err(&sql)?;
        fail_points::reach(Point::AcceptAfterCommit);
        Ok(if earlier.is_some() { Accepted::Conflicting(id) } else { Accepted::New(id) })
    }

    /// Images that are owed a result, oldest first, after `after`.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn unread(&self, after: Option<InstanceId>, limit: u32) -> Result<Vec<Instance>, OutboxError> {
        let sql = OutboxError::statement("list the unread images");
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT id, sop_instance, coalesce(file, ''), source, received_ms, receive_ms, traceparent, attempts, digest, result, rank
                 FROM instance WHERE state = 'accepted' AND id > ?1 ORDER BY id LIMIT ?2",
            )
            .map_err(&sql)?;
        let after = after.map_or(i64::MIN, |id| id.0);
        let found = rows.query_map(params![after, limit], instance).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// Images that are owed a result and came since `since_ms`, or are urgent, by rank and then the first to come first, after the
    /// first `skip` of them.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn unread_since(&self, since_ms: i64, skip: u32, limit: u32) -> Result<Vec<Instance>, OutboxError> {
        let sql = OutboxError::statement("list the images that just came");
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT id, sop_instance, coalesce(file, ''), source, received_ms, receive_ms, traceparent, attempts, digest, result, rank
                 FROM instance WHERE state = 'accepted' AND (received_ms >= ?1 OR rank = 0)
                 ORDER BY rank, received_ms, id LIMIT ?3 OFFSET ?2",
            )
            .map_err(&sql)?;
        let found = rows.query_map(params![since_ms, skip, limit], instance).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// Notes that a reading begins, before anything that might bring the process down.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn begin_reading(&mut self, id: InstanceId) -> Result<(), OutboxError> {
        self.connection
            .prepare_cached("UPDATE instance SET attempts = attempts + 1 WHERE id = ?1 AND state = 'accepted'")
            .and_then(|mut update| update.execute([id.0]))
            .map(drop)
            .map_err(OutboxError::statement("note the beginning of a reading"))
    }

    /// Takes [`Outbox::begin_reading`] back: the reading was cut short by a stop, which says nothing about the image.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn withdraw_reading(&mut self, id: InstanceId) -> Result<(), OutboxError> {
        self.connection
            .prepare_cached(
                "UPDATE instance SET attempts = attempts - 1 WHERE id = ?1 AND state = 'accepted' AND attempts > 0",
            )
            .and_then(|mut update| update.execute([id.0]))
            .map(drop)
            .map_err(OutboxError::statement("take back the beginning of a reading"))
    }

    /// Commits a result: the instance is concluded and its messages are in the outbox, together or not at all.
    ///
    /// `result` must be the id of one of `messages`.
    ///
    /// # Errors
    /// [`OutboxError::Refused`] if the instance already has a result; nothing is written then.
    pub fn conclude(
        &mut self,
        id: InstanceId,
        result: MessageId,
        messages: &[NewMessage<'_>],
    ) -> Result<(), OutboxError> {
        self.conclude_with(id, result, messages, None, None)
    }

    /// [`Outbox::conclude`] with what is owed to the hospital's own systems and the image's line in the ledger, in the same
    /// transaction.
    ///
    /// # Errors
    /// As [`Outbox::conclude`], and [`OutboxError::Refused`] where [`NewEntry::lost`] is no longer the image's file.
    pub fn conclude_with(
        &mut self,
        id: InstanceId,
        result: MessageId,
        messages: &[NewMessage<'_>],
        report: Option<&NewReport<'_>>,
        entry: Option<&NewEntry<'_>>,
    ) -> Result<(), OutboxError> {
        let sql = OutboxError::statement("commit a result");
        let transaction = self.unit().map_err(&sql)?;
        let concluded = transaction
            .prepare_cached(
                "UPDATE instance SET state = 'concluded', result = ?2, wanted = ?3 IS NOT NULL
                 WHERE id = ?1 AND state = 'accepted' AND (?3 IS NULL OR coalesce(file, '') = ?3)",
            )
            .and_then(|mut update| update.execute(params![id.0, result.0.as_bytes(), entry.and_then(|e| e.lost)]))
            .map_err(&sql)?;
        if concluded != 1 || !messages.iter().any(|message| message.id == result) {
            return Err(OutboxError::Refused { doing: "commit a result" });
        }
        for message in messages {
            append(&transaction, message).map_err(&sql)?;
        }
        if let Some(report) = report {
            delivery::append(&transaction, id, report).map_err(&sql)?;
        }
        if let Some(entry) = entry {
            ledger::append(&transaction, id, entry).map_err(&sql)?;
        }
        fail_points::reach(Point::ConcludeBeforeCommit);
        transaction.commit().map_err(&sql)?;
        fail_points::reach(Point::ConcludeAfterCommit);
        Ok(())
    }

    /// Files whose results are in the cloud, oldest first.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn dispensable(&self, limit: u32) -> Result<Vec<Spooled>, OutboxError> {
        let sql = OutboxError::statement("list the dispensable files");
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT id, file FROM instance WHERE state = 'receipted' AND file IS NOT NULL ORDER BY id LIMIT ?1",
            )
            .map_err(&sql)?;
        let found = rows
            .query_map([limit], |row| Ok(Spooled { id: InstanceId(row.get(0)?), file: row.get(1)? }))
            .map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// Notes that a dispensable file was removed from the spool.
    ///
    /// # Errors
    /// [`OutboxError::Refused`] if the result is not receipted: such a file must never be removed.
    pub fn forget_file(&mut self, id: InstanceId) -> Result<(), OutboxError> {
        let changed = self
            .connection
            .prepare_cached("UPDATE instance SET file = NULL WHERE id = ?1 AND state = 'receipted'")
            .and_then(|mut update| update.execute([id.0]))
            .map_err(OutboxError::statement("forget a spool file"))?;
        if changed == 1 { Ok(()) } else { Err(OutboxError::Refused { doing: "forget a spool file" }) }
    }

    /// The spool file that an image is to be read from; none where it was read.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn file_of(&self, id: InstanceId) -> Result<Option<String>, OutboxError> {
        self.connection
            .query_row("SELECT file FROM instance WHERE id = ?1 AND state = 'accepted'", [id.0], |row| row.get(0))
            .optional()
            .map(Option::flatten)
            .map_err(OutboxError::statement("look up an image's file"))
    }

    /// Lets an image be read from another file of the same bytes, which came with `again`: its own was lost, whether it was to
    /// be read still or its result had to say so. It counts as just come. The next result of one that is opened again replaces
    /// the one that it has, whose receipt changes nothing any more.
    ///
    /// # Errors
    /// [`OutboxError::Full`] and the like: the scanner must then be refused.
    pub fn renew(&mut self, id: InstanceId, again: &NewInstance<'_>) -> Result<Renewed, OutboxError> {
        let sql = OutboxError::statement("give an image another file");
        let transaction = self.unit().map_err(&sql)?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: Option<(bool, bool, Option<String>)> = transaction
            .query_row("SELECT state = 'accepted', wanted, file FROM instance WHERE id = ?1", [id.0], row)
            .optional()
            .map_err(&sql)?;
        let renewed = match found {
            Some((true, _, before)) => Renewed::Replaced { before },
            Some((false, true, before)) => Renewed::Reopened { before },
            _ => return Ok(Renewed::Needless),
        };
        transaction
            .prepare_cached(
                "UPDATE instance SET attempts = CASE state WHEN 'accepted' THEN attempts ELSE 0 END, state = 'accepted',
                        wanted = 0, file = ?2, source = ?3, received_ms = ?4, receive_ms = ?5, traceparent = ?6
                 WHERE id = ?1",
            )
            .and_then(|mut update| {
                let new = again;
                update.execute(params![id.0, new.file, new.source, new.received_ms, new.receive_ms, new.traceparent])
            })
            .map_err(&sql)?;
        transaction.commit().map_err(&sql)?;
        Ok(renewed)
    }

    /// Whether a spool file belongs to a journalled image. A file that does not was never acknowledged.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn knows_file(&self, file: &str) -> Result<bool, OutboxError> {
        self.connection
            .query_row("SELECT EXISTS (SELECT 1 FROM instance WHERE file = ?1)", [file], |row| row.get(0))
            .map_err(OutboxError::statement("look up a spool file"))
    }
}

fn instance(row: &Row<'_>) -> rusqlite::Result<Instance> {
    Ok(Instance {
        id: InstanceId(row.get(0)?),
        sop_instance: row.get(1)?,
        file: row.get(2)?,
        source: row.get(3)?,
        received_ms: row.get(4)?,
        receive_ms: row.get(5)?,
        traceparent: row.get(6)?,
        attempts: row.get(7)?,
        digest: row.get(8)?,
        supersedes: row.get::<_, Option<[u8; 16]>>(9)?.map(|id| MessageId(Uuid::from_bytes(id))),
        rank: match row.get(10)? {
            0_i64 => Rank::Urgent,
            1 => Rank::High,
            3 => Rank::Low,
            _ => Rank::Medium,
        },
    })
}

/// The instance whose result this is, moved on by its receipt.
pub(crate) fn receipted(transaction: &Connection, result: Uuid) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE instance SET state = 'receipted' WHERE result = ?1 AND state = 'concluded'")?
        .execute([result.as_bytes()])
        .map(drop)
}
