//! The gateway's database, SQLite or PostgreSQL behind one SQL text. It alone holds SQL; it never decides anything that
//! a rule in `domain` could decide.
//!
//! Texts, integers and doubles are all that crosses it (`sqlx`'s `Any` driver), so both databases answer alike; one
//! suite of tests, `tests/store.rs`, runs against both.

use std::path::Path;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, Executor, Transaction};

pub mod agreement;
pub mod api_keys;
pub mod audit;
pub mod certificates;
pub mod claims;
pub mod devices;
pub mod export;
pub mod filters;
pub mod idempotency;
pub mod images;
pub mod messages;
pub mod readings;
pub mod refusals;
pub mod results;
pub mod revocations;
pub mod sealing_keys;
pub mod second_factors;
pub mod sessions;
pub mod shadow;
pub mod sites;
pub mod turnaround;
pub mod users;
pub mod verdicts;
pub mod work_list;

/// Connections to PostgreSQL: the API's few readers and one writer; its default `max_connections` is 100, shared by
/// all replicas.
const POSTGRES_CONNECTIONS: u32 = 10;

/// Connections to SQLite: one writes, in WAL the others read meanwhile.
const SQLITE_CONNECTIONS: u32 = 4;

/// How long a caller waits for a free connection before it is told that the database is not answering.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// What each SQLite connection starts with. FULL: a commit is on the disk before a receipt leaves.
const SQLITE_SETUP: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                            PRAGMA busy_timeout = 10000;";

/// One transaction.
pub type Work = Transaction<'static, Any>;

/// An open database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    backend: Backend,
}

/// The two databases that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

impl Store {
    /// Connects to `sqlite:PATH` (made if missing) or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Url`] or [`StoreError::Connect`].
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let backend = Backend::of(url)?;
        let shown = without_password(url);
        let options: AnyConnectOptions = match backend {
            Backend::Sqlite => format!("sqlite:{}?mode=rwc", sqlite_path(url)).parse(),
            Backend::Postgres => url.parse(),
        }
        .map_err(|source| StoreError::Connect { url: shown.clone(), source })?;
        let pool = AnyPoolOptions::new()
            .max_connections(if backend == Backend::Sqlite { SQLITE_CONNECTIONS } else { POSTGRES_CONNECTIONS })
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if backend == Backend::Sqlite {
                        connection.execute(SQLITE_SETUP).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .map_err(|source| StoreError::Connect { url: shown, source })?;
        Ok(Self { pool, backend })
    }

    /// Brings the tables to this program's version; safe to run twice and by several replicas at once.
    ///
    /// # Errors
    /// [`StoreError::Migrate`].
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self.backend {
            Backend::Sqlite => sqlx::migrate!("migrations/sqlite").run(&self.pool).await,
            Backend::Postgres => sqlx::migrate!("migrations/postgres").run(&self.pool).await,
        }
        .map_err(|source| StoreError::Migrate(Box::new(source)))
    }

    /// Begins a transaction that will write. SQLite takes its one write lock now, so that two writers wait for each
    /// other here and never fail half-way.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn begin(&self) -> Result<Work, StoreError> {
        let statement = match self.backend {
            Backend::Sqlite => "BEGIN IMMEDIATE",
            Backend::Postgres => "BEGIN",
        };
        self.pool.begin_with(statement).await.map_err(failed("begin a transaction"))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Query`] with why not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(drop).map_err(failed("answer"))
    }

    /// Closes every connection once its work is done.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether what the two databases say differently is to be read as SQLite's.
    fn is_sqlite(&self) -> bool {
        self.backend == Backend::Sqlite
    }

    /// The pool, for this folder's reading queries and for tests that damage on purpose.
    #[must_use]
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }
}

/// Commits.
///
/// # Errors
/// [`StoreError::Query`]; then nothing of it happened.
pub async fn commit(work: Work) -> Result<(), StoreError> {
    work.commit().await.map_err(failed("commit"))
}

/// Undoes what was done in it, and gives the connection back.
///
/// # Errors
/// [`StoreError::Query`]; nothing of it happened then, either.
pub async fn undo(work: Work) -> Result<(), StoreError> {
    work.rollback().await.map_err(failed("undo a transaction"))
}

impl Backend {
    fn of(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            return Ok(Self::Sqlite);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres);
        }
        Err(StoreError::Url)
    }
}

/// The file behind `sqlite:PATH` and `sqlite://PATH`.
#[must_use]
pub fn sqlite_path(url: &str) -> &str {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    rest.strip_prefix("//").unwrap_or(rest)
}

/// The folder that has to exist before SQLite can make its file, if the URL is SQLite's.
#[must_use]
pub fn sqlite_folder(url: &str) -> Option<&Path> {
    url.starts_with("sqlite:").then(|| Path::new(sqlite_path(url)).parent()).flatten()
}

/// The URL as it may be logged.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((account, host)) => {
            let user = account.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        None => url.to_owned(),
    }
}

/// Names what was attempted.
fn failed(attempt: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { attempt, source }
}

/// The connection inside a transaction, as the rooms of this folder take it.
pub type Connection = AnyConnection;

/// A database that does not do its part.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither of the two databases.
    #[error("[database] url must be \"sqlite:PATH\" or \"postgres://USER:PASSWORD@HOST/NAME\"")]
    Url,
    /// Not there, or not for us.
    #[error(
        "the database {url} cannot be reached; start it, or correct [database] url (address, user, password, folder)"
    )]
    Connect {
        /// Without its password.
        url: String,
        /// The driver's words.
        source: sqlx::Error,
    },
    /// The tables are not this program's.
    #[error("the database's tables cannot be brought to this version; was it used by a newer cloud-gateway?")]
    Migrate(#[source] Box<sqlx::migrate::MigrateError>),
    /// One statement failed.
    #[error("the database could not {attempt}")]
    Query {
        /// What was wanted.
        attempt: &'static str,
        /// The driver's words.
        source: sqlx::Error,
    },
    /// A stored value that this program did not write.
    #[error("the database holds a {what} that cannot be read; was it changed by another program?")]
    Content {
        /// Which kind of value.
        what: &'static str,
    },
}

impl StoreError {
    /// Whether the database refused what it was told, and would take something else. Where it is away, full or shutting down, it
    /// will not, and need not be asked again for each message.
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        match self {
            Self::Query { source: sqlx::Error::Database(refusal), .. } => {
                refusal.code().is_none_or(|code| is_about_content(&code))
            }
            Self::Query { source, .. } => {
                matches!(source, sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
            }
            Self::Content { .. } => true,
            Self::Url | Self::Connect { .. } | Self::Migrate(_) => false,
        }
    }
}

/// PostgreSQL's five characters (its manual, appendix A) or SQLite's number, whose lowest byte is the kind of failure.
fn is_about_content(code: &str) -> bool {
    match code.parse::<u32>() {
        // Busy, locked, no memory, read-only, I/O, corrupt, full, cannot open, not a database.
        Ok(number) if code.len() != 5 => !matches!(number & 0xff, 5..=8 | 10 | 11 | 13 | 14 | 26),
        // Connection, invalid transaction state (a server that has become read-only), resources, intervention, system, corruption.
        _ => !["08", "25", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_not_one_that_refuses_a_message() {
        for (code, about) in [
            ("23505", true),
            ("22021", true),
            ("40001", true),
            ("P0001", true),
            ("57P01", false),
            ("53100", false),
            ("08006", false),
            ("25006", false),
            ("1811", true),
            ("19", true),
            ("5", false),
            ("13", false),
            ("778", false),
        ] {
            assert_eq!(is_about_content(code), about, "{code}");
        }
        let query = |source| StoreError::Query { attempt: "try", source };
        assert!(!query(sqlx::Error::PoolTimedOut).is_about_content());
        assert!(!query(sqlx::Error::Io(std::io::Error::other("gone"))).is_about_content());
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://ada:s3cret@db/hilum", "postgres://ada@db/hilum"),
            ("postgres://ada:s3@cret@db/hilum", "postgres://ada@db/hilum"),
            ("postgres://db/hilum", "postgres://db/hilum"),
            ("sqlite:/var/lib/hilum.sqlite", "sqlite:/var/lib/hilum.sqlite"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn only_the_two_databases_are_spoken() {
        assert_eq!(Backend::of("sqlite:a").unwrap(), Backend::Sqlite);
        assert_eq!(Backend::of("postgres://a/b").unwrap(), Backend::Postgres);
        for other in ["mysql://a", "a.sqlite", ""] {
            assert!(matches!(Backend::of(other), Err(StoreError::Url)), "{other}");
        }
    }

    #[test]
    fn the_sqlite_file_is_found_in_either_spelling() {
        assert_eq!(sqlite_path("sqlite:/a/b"), "/a/b");
        assert_eq!(sqlite_path("sqlite:///a/b"), "/a/b");
        assert_eq!(sqlite_path("sqlite:b"), "b");
        assert_eq!(sqlite_folder("sqlite:/a/b"), Some(Path::new("/a")));
        assert_eq!(sqlite_folder("postgres://a/b"), None);
    }
}
