//! What became of each image, for the people on site: the list that the status page shows, and the way back from a pseudonym
//! to whose image it is. Identities come sealed and leave sealed; every look at one is noted.

use rusqlite::{Connection, Row, params};

use crate::{InstanceId, Outbox, OutboxError};

/// An image's line, written with its result.
#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    /// When it was concluded, milliseconds since the Unix epoch.
    pub concluded_ms: i64,
    /// Stand-ins for the study, the object and the patient.
    pub pseudonyms: Pseudonyms,
    /// `read`, `abstained` or `unreadable`.
    pub status: &'a str,
    /// The finding, `positive` or `negative`, or the reason's code.
    pub detail: &'a str,
    /// From the scanner's command to the result, milliseconds.
    pub total_ms: f64,
    /// Whose it is, sealed; none where the header could not be read.
    pub identity: Option<&'a [u8]>,
    /// The spool file whose loss or damage is all that is told of the image, so that the image may be sent again. It is
    /// concluded only while the journal names this very file: another one came meanwhile otherwise, and is to be read.
    pub lost: Option<&'a str>,
}

/// An image's stand-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pseudonyms {
    /// For the study.
    pub study: String,
    /// For the object.
    pub object: String,
    /// For the patient.
    pub patient: String,
}

/// An image's line.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its row.
    pub id: InstanceId,
    /// See [`NewEntry::concluded_ms`].
    pub concluded_ms: i64,
    /// Calling AE title of the scanner.
    pub source: String,
    /// See [`NewEntry::pseudonyms`].
    pub pseudonyms: Pseudonyms,
    /// See [`NewEntry::status`].
    pub status: String,
    /// See [`NewEntry::detail`].
    pub detail: String,
    /// See [`NewEntry::total_ms`].
    pub total_ms: f64,
}

/// An image that was looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its line.
    pub entry: Entry,
    /// See [`NewEntry::identity`].
    pub identity: Option<Vec<u8>>,
}

/// How many images ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Read by the model.
    pub read: u64,
    /// Of these, with a finding.
    pub positive: u64,
    /// Not for this model.
    pub abstained: u64,
    /// Not readable at all.
    pub unreadable: u64,
}

/// A look at an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// When, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The user of the operating system.
    pub who: String,
    /// What was asked for.
    pub pseudonym: String,
    /// Images that it stands for.
    pub hits: u64,
}

const COLUMNS: &str = "ledger.instance, concluded_ms, source, study, object, patient, status, detail, total_ms";

/// Writes an image's line, in the place of the one that it had if it was opened again.
pub(crate) fn append(connection: &Connection, id: InstanceId, entry: &NewEntry<'_>) -> rusqlite::Result<()> {
    let names = &entry.pseudonyms;
    let values = params![
        id.0,
        entry.concluded_ms,
        names.study,
        names.object,
        names.patient,
        entry.status,
        entry.detail,
        entry.total_ms,
        entry.identity
    ];
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO ledger (instance, concluded_ms, study, object, patient, status, detail, total_ms, identity)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(values)
        .map(drop)
}

impl Outbox {
    /// Concluded images, newest first, that lie before `before`.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn entries(&self, before: Option<InstanceId>, limit: u32) -> Result<Vec<Entry>, OutboxError> {
        let sql = OutboxError::statement("list the concluded images");
        let query = format!(
            "SELECT {COLUMNS} FROM ledger JOIN instance ON instance.id = ledger.instance
             WHERE ledger.instance < ?1 ORDER BY ledger.instance DESC LIMIT ?2"
        );
        let before = before.map_or(i64::MAX, |id| id.0);
        let mut rows = self.connection.prepare_cached(&query).map_err(&sql)?;
        let found = rows.query_map(params![before, limit], entry).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// How the images ended that were concluded since then.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn tally(&self, since_ms: i64) -> Result<Tally, OutboxError> {
        let count = "SELECT count(*) FILTER (WHERE status = 'read'), count(*) FILTER (WHERE detail = 'positive'),
                            count(*) FILTER (WHERE status = 'abstained'), count(*) FILTER (WHERE status = 'unreadable')
                     FROM ledger WHERE concluded_ms >= ?1";
        let tally = |row: &Row<'_>| {
            Ok(Tally { read: row.get(0)?, positive: row.get(1)?, abstained: row.get(2)?, unreadable: row.get(3)? })
        };
        self.connection
            .prepare_cached(count)
            .and_then(|mut row| row.query_row([since_ms], tally))
            .map_err(OutboxError::statement("count the concluded images"))
    }

    /// The stand-ins for studies, objects and patients that begin with `beginning`, at most `limit`.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn pseudonyms_like(&self, beginning: &str, limit: u32) -> Result<Vec<String>, OutboxError> {
        let sql = OutboxError::statement("look up a pseudonym");
        // A pseudonym has letters and digits only, all of which come before '~'.
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT study FROM ledger WHERE study BETWEEN ?1 AND ?1 || '~' UNION
                 SELECT object FROM ledger WHERE object BETWEEN ?1 AND ?1 || '~' UNION
                 SELECT patient FROM ledger WHERE patient BETWEEN ?1 AND ?1 || '~' ORDER BY 1 LIMIT ?2",
            )
            .map_err(&sql)?;
        let found = rows.query_map(params![beginning, limit], |row| row.get(0)).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// The images that a pseudonym stands for, newest first, each with its sealed identity; and a note of who asked, in the
    /// same transaction: nobody gets an answer that is not noted.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn look_up(&mut self, pseudonym: &str, who: &str, now_ms: i64) -> Result<Vec<Found>, OutboxError> {
        let sql = OutboxError::statement("look up a pseudonym");
        let query = format!(
            "SELECT {COLUMNS}, identity FROM ledger JOIN instance ON instance.id = ledger.instance
             WHERE study = ?1 OR object = ?1 OR patient = ?1 ORDER BY ledger.instance DESC"
        );
        let transaction = self.unit().map_err(&sql)?;
        let mut rows = transaction.prepare_cached(&query).map_err(&sql)?;
        let found =
            rows.query_map([pseudonym], |row| Ok(Found { entry: entry(row)?, identity: row.get(9)? })).map_err(&sql)?;
        let found: Vec<_> = found.collect::<Result<_, _>>().map_err(&sql)?;
        drop(rows);
        transaction
            .execute(
                "INSERT INTO access (at_ms, who, pseudonym, hits) VALUES (?1, ?2, ?3, ?4)",
                params![now_ms, who, pseudonym, found.len() as u64],
            )
            .map_err(&sql)?;
        transaction.commit().map_err(&sql)?;
        Ok(found)
    }

    /// Who looked at what, newest first.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn accesses(&self, limit: u32) -> Result<Vec<Access>, OutboxError> {
        let sql = OutboxError::statement("list who looked at identities");
        let mut rows = self
            .connection
            .prepare_cached("SELECT at_ms, who, pseudonym, hits FROM access ORDER BY id DESC LIMIT ?1")
            .map_err(&sql)?;
        let access = |row: &Row<'_>| {
            Ok(Access { at_ms: row.get(0)?, who: row.get(1)?, pseudonym: row.get(2)?, hits: row.get(3)? })
        };
        let found = rows.query_map([limit], access).map_err(&sql)?;
        found.collect::<Result<_, _>>().map_err(&sql)
    }

    /// Forgets the lines of images that were concluded before then, oldest first, at most `limit`; gives how many. The notes
    /// of who looked stay.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn forget_entries(&mut self, before_ms: i64, limit: u32) -> Result<usize, OutboxError> {
        self.connection
            .prepare_cached(
                "DELETE FROM ledger WHERE instance IN
                 (SELECT instance FROM ledger WHERE concluded_ms < ?1 ORDER BY concluded_ms LIMIT ?2)",
            )
            .and_then(|mut delete| delete.execute(params![before_ms, limit]))
            .map_err(OutboxError::statement("forget old identities"))
    }

    /// The schema's version.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn schema_version(&self) -> Result<i64, OutboxError> {
        self.connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(OutboxError::statement("read the schema's version"))
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: InstanceId(row.get(0)?),
        concluded_ms: row.get(1)?,
        source: row.get(2)?,
        pseudonyms: Pseudonyms { study: row.get(3)?, object: row.get(4)?, patient: row.get(5)? },
        status: row.get(6)?,
        detail: row.get(7)?,
        total_ms: row.get(8)?,
    })
}
