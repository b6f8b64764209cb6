//! A device database from before it was encrypted, or under a key that is to be replaced: a whole copy under the key is made beside
//! it, compared, synced, and put in its place by one rename, so that whatever the power does, one whole file is there. It changes
//! no row but what somebody sealed before it came here, and that only by the hand of whoever has the keys.
//!
//! ```text
//! alone in the file, its log moved into it ─▶ copied ─▶ sealed anew ─▶ compared and synced ─▶ renamed ─▶ folder synced
//! ```

mod sealed;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fail_points::Point;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use sealed::{Reseal, Sealed};

use crate::{BUSY_WAIT, DatabaseKey, Outbox, OutboxError};

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

/// Whether the file is one from before it was encrypted: whether it opens without a key. False where there is none.
///
/// It is `SQLite` that looks, for what is closed by other means takes this process's locks on the file away from every connection
/// that has it open.
///
/// Source: POSIX, `fcntl`; `SQLite`, "How To Corrupt An SQLite Database File", 2.2.
///
/// # Errors
/// [`OutboxError::Statement`] and the like.
pub fn is_plain(path: &Path) -> Result<bool, OutboxError> {
    if fs::metadata(path).map_or(0, |about| about.len()) == 0 {
        return Ok(false);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(BUSY_WAIT)?;
        // Whoever has the key moves the log.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    });
    match looked {
        Ok(()) => Ok(true),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(false),
        Err(error) => Err(OutboxError::statement("look whether the database is encrypted")(error)),
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
        rewrite(path, (None, key), BUSY_WAIT, &mut |_| Ok(()), &mut |_| {})?;
    }
    Ok(plain)
}

/// Puts the database under another key; false where it is under that one already, or is not there. `reseal` is given each value
/// that the appliance sealed before it was written, and gives the one that takes its place; `None` leaves it as it is. The caller
/// sees to it that no other program uses the file; one that does is waited for.
///
/// # Errors
/// [`OutboxError::Key`] where it opens with neither key, and any other; the old file is there as it was, then.
pub fn change_key(
    path: &Path,
    (old, new): (&DatabaseKey, &DatabaseKey),
    reseal: &mut Reseal<'_>,
) -> Result<bool, OutboxError> {
    if !path.is_file() {
        return Ok(false);
    }
    encrypt(path, old)?;
    match Outbox::open(path, new) {
        Ok(_) => return Ok(false),
        Err(OutboxError::Key { .. }) => {}
        Err(error) => return Err(error),
    }
    // Its tables are those of this release from here on.
    drop(Outbox::open(path, old)?);
    rewrite(path, (Some(old), new), BUSY_WAIT, &mut |copy| sealed::anew(copy, reseal), &mut |step| {
        if step == Step::Synced {
            fail_points::reach(Point::RotationCopied);
        }
    })?;
    Ok(true)
}

/// Whether another process has the file open; false where there is none that opens with the key.
#[must_use]
pub fn is_in_use(path: &Path, key: &DatabaseKey) -> bool {
    path.is_file() && matches!(alone(path, Some(key), Duration::ZERO), Err(OutboxError::Busy { .. }))
}

/// From under one key, or none, to under another.
fn rewrite(
    path: &Path,
    (old, key): (Option<&DatabaseKey>, &DatabaseKey),
    wait: Duration,
    change: &mut dyn FnMut(&mut Connection) -> rusqlite::Result<()>,
    after: &mut dyn FnMut(Step),
) -> Result<(), OutboxError> {
    let file = |source| OutboxError::Rewrite { path: path.to_owned(), source };
    let new = path.with_extension("sqlite.new");
    discard(&new).map_err(file)?;
    let source = alone(path, old, wait)?;
    after(Step::Alone);
    copy(&source, &new, Some(key)).map_err(OutboxError::statement("copy every row"))?;
    unlocked(&new, key)
        .and_then(|mut copy| change(&mut copy))
        .map_err(OutboxError::statement("seal the copy's rows"))?;
    after(Step::Copied);
    if !is_same(&source, &new, key).map_err(OutboxError::statement("compare the copy"))? {
        return Err(OutboxError::Copy { path: path.to_owned() });
    }
    own_alike(path, &new).and_then(|()| File::open(&new)?.sync_all()).map_err(file)?;
    after(Step::Synced);
    fs::rename(&new, path).map_err(file)?;
    after(Step::Renamed);
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()).map_err(file)
}

/// Whoever orders this, root too: the file stays the service's.
fn own_alike(path: &Path, new: &Path) -> io::Result<()> {
    let was = fs::metadata(path)?;
    fs::set_permissions(new, was.permissions())?;
    std::os::unix::fs::chown(new, Some(was.uid()), Some(was.gid()))
}

/// What an attempt before this one left.
pub(crate) fn discard(new: &Path) -> io::Result<()> {
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
    let connection = key.map_or_else(|| Connection::open(path), |key| unlocked(path, key))?;
    connection.busy_timeout(wait)?;
    connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    let mode = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT;")?;
    Ok((connection, mode))
}

fn unlocked(path: &Path, key: &DatabaseKey) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "key", key.raw().as_str())?;
    Ok(connection)
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
    let copy = unlocked(new, key)?;
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
