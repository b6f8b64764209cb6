//! A device database from before it was encrypted: a whole copy under the key is made beside it, compared, synced, and put in its
//! place by one rename, so that whatever the power does, one whole file is there. It never changes a row.
//!
//! ```text
//! alone in the file, its log moved into it ─▶ copied ─▶ compared and synced ─▶ renamed ─▶ folder synced
//! ```

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::{BUSY_WAIT, DatabaseKey, OutboxError};

/// How each plain `SQLite` file begins.
///
/// Source: `SQLite`, "Database File Format", 1.2.1; in an encrypted file, 16 random bytes are there.
const PLAIN: &[u8; 16] = b"SQLite format 3\0";

/// What is over when the power may go; for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// No other process has the file open, and its log was moved into it.
    Alone,
    /// There is a copy, perhaps not on the disk.
    Copied,
    /// The copy is on the disk, with all rows.
    Synced,
    /// It is in the old file's place.
    Renamed,
}

/// Whether the file is one from before it was encrypted; false where there is none.
///
/// # Errors
/// [`OutboxError::Header`].
pub fn is_plain(path: &Path) -> Result<bool, OutboxError> {
    let mut found = Vec::new();
    match File::open(path).and_then(|file| file.take(PLAIN.len() as u64).read_to_end(&mut found)) {
        Ok(_) => Ok(found == PLAIN),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(OutboxError::Header { path: path.to_owned(), source }),
    }
}

/// Encrypts a database from before it was encrypted; true where there was one. The caller sees to it that no other program opens
/// a plain file meanwhile; one that has it open is waited for.
///
/// # Errors
/// [`OutboxError`]; the old file is there as it was, then.
pub fn encrypt(path: &Path, key: &DatabaseKey) -> Result<bool, OutboxError> {
    let plain = is_plain(path)?;
    if plain {
        rewrite(path, key, BUSY_WAIT, &mut |_| {})?;
    }
    Ok(plain)
}

/// Whether another process has the file open; false where there is none that opens with the key.
#[must_use]
pub fn is_in_use(path: &Path, key: &DatabaseKey) -> bool {
    path.is_file() && matches!(alone(path, Some(key), Duration::ZERO), Err(OutboxError::Busy { .. }))
}

fn rewrite(path: &Path, key: &DatabaseKey, wait: Duration, after: &mut dyn FnMut(Step)) -> Result<(), OutboxError> {
    let file = |source| OutboxError::Rewrite { path: path.to_owned(), source };
    let new = path.with_extension("sqlite.new");
    discard(&new).map_err(file)?;
    let source = alone(path, None, wait)?;
    after(Step::Alone);
    copy(&source, &new, Some(key)).map_err(OutboxError::statement("copy every row"))?;
    after(Step::Copied);
    if !is_same(&source, &new, key).map_err(OutboxError::statement("compare the copy"))? {
        return Err(OutboxError::Copy { path: path.to_owned() });
    }
    File::open(&new).and_then(|new| new.sync_all()).map_err(file)?;
    after(Step::Synced);
    fs::rename(&new, path).map_err(file)?;
    after(Step::Renamed);
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()).map_err(file)
}

/// What an attempt before this one left.
fn discard(new: &Path) -> io::Result<()> {
    for ending in ["", "-journal", "-wal", "-shm"] {
        let mut name = new.as_os_str().to_owned();
        name.push(ending);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The file with nobody else in it, and nothing of it in a log beside it: a log that outlived its file would be taken for the
/// new one's.
fn alone(path: &Path, key: Option<&DatabaseKey>, wait: Duration) -> Result<Connection, OutboxError> {
    let failed = OutboxError::statement("have the database for itself");
    let (connection, mode) = exclusive(path, key, wait).map_err(&failed)?;
    if mode == "delete" { Ok(connection) } else { Err(OutboxError::Busy { doing: "have the database for itself" }) }
}

fn exclusive(path: &Path, key: Option<&DatabaseKey>, wait: Duration) -> rusqlite::Result<(Connection, String)> {
    let connection = Connection::open(path)?;
    if let Some(key) = key {
        connection.pragma_update(None, "key", key.raw().as_str())?;
    }
    connection.busy_timeout(wait)?;
    connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    let mode = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT;")?;
    Ok((connection, mode))
}

/// Every table, index and row, the schema's number too, into `new`; without a key it is a plain file.
///
/// Source: `SQLCipher`, "`sqlcipher_export()`"; it leaves out `user_version`.
fn copy(source: &Connection, new: &Path, key: Option<&DatabaseKey>) -> rusqlite::Result<()> {
    let raw = key.map(DatabaseKey::raw).unwrap_or_default();
    source.execute("ATTACH DATABASE ?1 AS new KEY ?2", (new.to_string_lossy(), raw.as_str()))?;
    source.query_row("SELECT sqlcipher_export('new')", [], |_| Ok(()))?;
    let schema: i64 = source.query_row("PRAGMA main.user_version", [], |row| row.get(0))?;
    source.pragma_update(Some("new"), "user_version", schema)?;
    source.execute_batch("DETACH DATABASE new")
}

/// Whether the copy opens with its key, is sound, and holds as many rows in as many tables. Leaves it in WAL mode, so that no
/// process that opens it finds a journal of its predecessor's name.
fn is_same(source: &Connection, new: &Path, key: &DatabaseKey) -> rusqlite::Result<bool> {
    let copy = Connection::open(new)?;
    copy.pragma_update(None, "key", key.raw().as_str())?;
    let damaged = copy.prepare("PRAGMA cipher_integrity_check")?.exists([])?;
    let sound: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let same = rows(source)? == rows(&copy)?;
    let mode: String = copy.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    Ok(!damaged && sound == "ok" && same && mode == "wal")
}

/// The schema's number, each table and index by its definition, and how many rows each table has.
fn rows(connection: &Connection) -> rusqlite::Result<Vec<(String, String, i64)>> {
    let schema: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut found = vec![("schema".to_owned(), String::new(), schema)];
    let list = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name";
    let mut statement = connection.prepare(list)?;
    let mut entries = statement.query([])?;
    while let Some(entry) = entries.next()? {
        let (kind, name, sql): (String, String, String) = (entry.get(0)?, entry.get(1)?, entry.get(2)?);
        let count = match kind.as_str() {
            "table" => {
                let name = name.replace('"', "\"\"");
                connection.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0))?
            }
            _ => 0,
        };
        found.push((name, sql, count));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
