//! Reads around the damage: whatever rows of the damaged file still come are copied into a new one, which is then made to agree with
//! itself. It changes nothing in the damaged file, and counts what did not come.
//!
//! `SQLCipher` makes a connection useless once it has met a page whose seal does not fit, so each such meeting costs a new one: some
//! milliseconds.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, ffi};
use serde::{Deserialize, Serialize};

use super::aside;
use crate::{DatabaseKey, Outbox, OutboxError, schema};

/// Whatever holds rows, each after those that it refers to, with its name for people.
const TABLES: [(&str, &str); 9] = [
    ("instance", "images"),
    ("message", "messages for the cloud"),
    ("payload", "contents of messages for the cloud"),
    ("rejected", "messages that the cloud rejected"),
    ("commitment", "storage commitments owed"),
    ("report", "reports for the hospital's systems"),
    ("delivery", "deliveries to the hospital's systems"),
    ("ledger", "lines of the list of images"),
    ("access", "notes of who looked up an identity"),
];

/// Queries that may fail while one table is read around its damage: two for each row of some hundred damaged pages, in some ten
/// seconds.
const PATIENCE: u32 = 4_000;

/// The last row of a table that cannot even say how many it has: what is beyond is not looked for.
const UNKNOWN_END: i64 = 1 << 17;

/// The account's name in the folder.
const FILE: &str = "account.json";

/// What became of the rows of a damaged file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What gave it away.
    pub damage: String,
    /// Table by table; none where not even the tables' list could be read.
    pub tables: Vec<Salvaged>,
    /// Images whose result was lost: they are read again, and the next result takes the place of the one before.
    pub read_again: u64,
    /// Rows that came and could not be kept, because what they belong to did not.
    pub dropped: u64,
}

/// What became of one table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salvaged {
    /// What its rows are, for people.
    pub what: String,
    /// Rows that the new file has.
    pub rows: u64,
    /// Rows that did not come; none where nobody can tell how many there were.
    pub lost: Option<u64>,
    /// Their numbers, from and to, at the most.
    pub gaps: Vec<(i64, i64)>,
}

impl Account {
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        aside::write(&folder.join(FILE), &serde_json::to_string_pretty(self).map_err(io::Error::other)?)
    }

    /// From the folder of a rescue.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        serde_json::from_str(&fs::read_to_string(folder.join(FILE))?).map_err(io::Error::other)
    }
}

/// Makes `new` of what can be read of the file `aside`.
pub(super) fn salvage(aside: &Path, new: &Path, key: &DatabaseKey, damage: String) -> Result<Account, OutboxError> {
    let failed = |source| OutboxError::Aside { path: aside.to_owned(), source };
    crate::encryption::discard(new).map_err(failed)?;
    let mut account = Account { damage, ..Account::default() };
    let mut pair = Pair { aside, new, key, connection: None };
    if let Some(version) = pair.version()? {
        let mut made = Outbox::connect_bare(new, key)?;
        schema::migrate_to(&mut made.connection, new, version)?;
        drop(made);
        for (table, what) in TABLES {
            if pair.has(table)? {
                let copied = pair.copy_table(table)?;
                account.tables.push(Salvaged { what: what.to_owned(), ..copied });
            }
        }
    }
    drop(pair);
    // To this release's tables, and closed, which leaves no log.
    let mut made = Outbox::connect(new, key)?;
    (account.read_again, account.dropped) = agree(&mut made.connection)?;
    Ok(account)
}

/// What lost what it belongs to goes; an image whose result is gone is read again while its old result's name is kept, so that the
/// new one replaces it wherever it had got to.
fn agree(connection: &mut Connection) -> Result<(u64, u64), OutboxError> {
    let sql = OutboxError::statement("make a salvaged database agree with itself");
    let transaction = connection.transaction().map_err(&sql)?;
    let mut dropped = 0;
    for delete in [
        "DELETE FROM message  WHERE sequence NOT IN (SELECT message FROM payload)",
        "DELETE FROM payload  WHERE message  NOT IN (SELECT sequence FROM message)",
        "DELETE FROM delivery WHERE report   NOT IN (SELECT id FROM report)
             OR report IN (SELECT id FROM report WHERE instance NOT IN (SELECT id FROM instance))",
        "DELETE FROM report   WHERE instance NOT IN (SELECT id FROM instance)",
        "DELETE FROM ledger   WHERE instance NOT IN (SELECT id FROM instance)",
    ] {
        dropped += transaction.execute(delete, []).map_err(&sql)? as u64;
    }
    let again = "UPDATE instance SET state = 'accepted', attempts = 0, wanted = 0
                 WHERE state = 'concluded' AND file IS NOT NULL AND (result IS NULL
                      OR result NOT IN (SELECT id FROM message UNION ALL SELECT id FROM rejected))";
    let read_again = transaction.execute(again, []).map_err(&sql)? as u64;
    let back = "UPDATE message SET state = 'pending', lease_ends_ms = NULL WHERE state = 'leased'";
    transaction.execute(back, []).map_err(&sql)?;
    // No place is given twice, although the counter was not copied.
    let drawn = "UPDATE sqlite_sequence SET seq = max(seq, (SELECT coalesce(max(place), 0) FROM message),
                     (SELECT coalesce(max(place), 0) FROM rejected)) WHERE name = 'message'";
    transaction.execute(drawn, []).map_err(&sql)?;
    transaction.commit().map_err(&sql)?;
    Ok((read_again, dropped))
}

/// The new file with the damaged one beside it, opened again after each bad page.
struct Pair<'a> {
    aside: &'a Path,
    new: &'a Path,
    key: &'a DatabaseKey,
    connection: Option<Connection>,
}

impl Pair<'_> {
    /// The schema of the damaged file; `None` where not even that can be read.
    fn version(&mut self) -> Result<Option<usize>, OutboxError> {
        let read = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM damaged.sqlite_schema", [], |_| Ok(()))?;
            connection.query_row("PRAGMA damaged.user_version", [], |row| row.get::<_, i64>(0))
        };
        let found = self.ask(read)?;
        self.connection = None;
        Ok(found.and_then(|version| usize::try_from(version).ok()).filter(|version| *version > 0))
    }

    fn has(&mut self, table: &str) -> Result<bool, OutboxError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM damaged.sqlite_schema WHERE type = 'table' AND name = ?1)";
        Ok(self.ask(|connection| connection.query_row(sql, [table], |row| row.get(0)))?.unwrap_or(false))
    }

    /// In halves around what does not come, all halves of one size before smaller ones, so that a patience that ends has looked
    /// everywhere.
    fn copy_table(&mut self, table: &str) -> Result<Salvaged, OutboxError> {
        let numbers = self.numbers(table)?;
        let (mut rows, mut lost, mut patience) = (0, Vec::new(), PATIENCE);
        let mut open: VecDeque<(usize, usize)> = numbers.whole().into_iter().collect();
        while let Some((from, to)) = open.pop_front() {
            match self.copy(table, numbers.at(from), numbers.at(to))? {
                Some(copied) => rows += copied,
                None if from == to || patience == 0 => lost.push((from, to)),
                None => {
                    patience -= 1;
                    let middle = usize::midpoint(from, to);
                    open.extend([(from, middle), (middle + 1, to)]);
                }
            }
        }
        lost.sort_unstable();
        let count = lost.iter().map(|(from, to)| (to - from + 1) as u64).sum();
        let mut gaps: Vec<(usize, usize)> = Vec::new();
        for (from, to) in lost {
            match gaps.last_mut() {
                Some(last) if last.1 + 1 == from => last.1 = to,
                _ => gaps.push((from, to)),
            }
        }
        let gaps: Vec<_> = gaps.into_iter().map(|(from, to)| (numbers.at(from), numbers.at(to))).collect();
        let known = gaps.is_empty() || matches!(numbers, Numbers::Known(_));
        Ok(Salvaged { what: String::new(), rows, lost: known.then_some(count), gaps })
    }

    fn copy(&mut self, table: &str, from: i64, to: i64) -> Result<Option<u64>, OutboxError> {
        let copy =
            format!("INSERT OR IGNORE INTO main.{table} SELECT * FROM damaged.{table} WHERE rowid BETWEEN ?1 AND ?2");
        Ok(self.ask(|connection| connection.execute(&copy, [from, to]))?.map(|rows| rows as u64))
    }

    /// The numbers of a table's rows, from an index that can be read whole, or as far as its end.
    fn numbers(&mut self, table: &str) -> Result<Numbers, OutboxError> {
        let list = "SELECT name FROM pragma_index_list(?1, 'damaged') WHERE partial = 0";
        let names = |connection: &Connection| {
            let mut rows = connection.prepare(list)?;
            rows.query_map([table], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()
        };
        let indexes = self.ask(names)?.unwrap_or_default();
        let own = indexes.iter().map(|index| format!("SELECT rowid FROM damaged.{table} INDEXED BY \"{index}\""));
        // These two have no index: others name their rows.
        let others = match table {
            "payload" => Some("SELECT sequence FROM damaged.message INDEXED BY sqlite_autoindex_message_1"),
            "report" => Some("SELECT DISTINCT report FROM damaged.delivery INDEXED BY sqlite_autoindex_delivery_1"),
            _ => None,
        };
        for sql in own.chain(others.map(str::to_owned)) {
            let read = |connection: &Connection| {
                let mut rows = connection.prepare(&sql)?;
                rows.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()
            };
            if let Some(mut numbers) = self.ask(read)? {
                numbers.sort_unstable();
                return Ok(Numbers::Known(numbers));
            }
        }
        let last = format!("SELECT coalesce(max(rowid), 0) FROM damaged.{table}");
        let last = self.ask(|connection| connection.query_row(&last, [], |row| row.get(0)))?;
        Ok(Numbers::UpTo(last.unwrap_or(UNKNOWN_END)))
    }

    /// Asks both files something; `None` where the damaged one does not give it.
    fn ask<T>(&mut self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<Option<T>, OutboxError> {
        let answer = self.connection().and_then(|connection| {
            connection.execute_batch("BEGIN")?;
            let answer = question(connection)?;
            super::believe(connection, "damaged")?;
            connection.execute_batch("COMMIT").map(|()| answer)
        });
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_ours(&error) => Err(OutboxError::statement("salvage a damaged database")(error)),
            Err(_) => {
                self.connection = None;
                Ok(None)
            }
        }
    }

    fn connection(&mut self) -> rusqlite::Result<&Connection> {
        if self.connection.is_none() {
            let connection = Connection::open(self.new)?;
            connection.pragma_update(None, "key", self.key.raw().as_str())?;
            // The damaged file's log stays with it; neither is the new one's durability anybody's before it is closed.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.busy_timeout(crate::BUSY_WAIT)?;
            connection
                .execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY")?;
            let raw = self.key.raw();
            connection.execute("ATTACH DATABASE ?1 AS damaged KEY ?2", (self.aside.to_string_lossy(), raw.as_str()))?;
            self.connection = Some(connection);
        }
        self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)
    }
}

/// Whether an error is of the new file, and not of the damaged one, which nothing is written to.
fn is_ours(error: &rusqlite::Error) -> bool {
    let writing =
        [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_TRUNCATE, ffi::SQLITE_IOERR_SHMSIZE];
    match error.sqlite_error() {
        Some(error) => {
            matches!(error.code, ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::DatabaseBusy)
                || writing.contains(&error.extended_code)
        }
        None => false,
    }
}

/// The numbers of a table's rows.
enum Numbers {
    /// These, in order.
    Known(Vec<i64>),
    /// Some from 1 to this.
    UpTo(i64),
}

impl Numbers {
    fn whole(&self) -> Option<(usize, usize)> {
        let count = match self {
            Self::Known(numbers) => numbers.len(),
            Self::UpTo(last) => usize::try_from(*last).unwrap_or(0),
        };
        Some((0, count.checked_sub(1)?))
    }

    fn at(&self, place: usize) -> i64 {
        match self {
            Self::Known(numbers) => numbers.get(place).copied().unwrap_or(i64::MAX),
            Self::UpTo(_) => i64::try_from(place).map_or(i64::MAX, |place| place + 1),
        }
    }
}
