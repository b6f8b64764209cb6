//! A real PostgreSQL on a private port, with a database for each test. It keeps its promises to processes, not to power
//! cuts: `fsync` is off, because nothing in a test survives the machine.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::{self, Process};
use crate::{place, ports};

/// Where Debian puts each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Environment variable that names a running server to every test: `postgres://USER@HOST:PORT/DATABASE`.
pub const VARIABLE: &str = "HILUM_TEST_POSTGRES";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    /// `postgres://postgres@127.0.0.1:PORT/postgres`.
    pub address: String,
    process: Process,
    folder: PathBuf,
}

impl Postgres {
    /// Makes a cluster and starts it on a free port. As root it runs as the user `postgres`, since it refuses root.
    ///
    /// # Errors
    /// Where it is not installed or does not come up.
    pub fn start(log: &Path) -> anyhow::Result<Self> {
        // Not in the repository: as root, PostgreSQL's user could not reach a clone below /root.
        let folder = std::env::temp_dir().join(format!("hilum-postgres-{}", std::process::id()));
        place::make(&folder)?;
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group)).context("the cluster's folder cannot be given to postgres")?;
        }
        let programs = programs()?;
        let data = folder.join("data");
        let mut init = as_owner(&programs.join("initdb"), owner);
        init.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "--pgdata"]).arg(&data);
        let made = init.output().context("initdb cannot be started")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
        let port = ports::free()?;
        let mut server = as_owner(&programs.join("postgres"), owner);
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-F", "-k"]).arg(&folder);
        // Each test has a pool of its own, and several run at a time.
        server.args(["-c", "max_connections=300"]);
        let mut process = Process::start("postgres", server, log)?;
        let address = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        process.wait_until(|| query(&address, "SELECT 1").is_ok())?;
        Ok(Self { address, process, folder })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It stays behind only where the system refuses, in the system's own folder for such things.
        let _ = self.process.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Postgres {
    /// Where its tables and its log lie.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

/// A new database in the server that [`VARIABLE`] names.
///
/// # Errors
/// Where there is no server.
pub fn fresh_database() -> anyhow::Result<String> {
    let server = std::env::var(VARIABLE)
        .with_context(|| format!("{VARIABLE} is not set: run `cargo xtask test`, which starts a PostgreSQL"))?;
    fresh_database_on(&server)
}

/// A new database in a server, whose address names one of its databases.
///
/// # Errors
/// Where it does not answer.
pub fn fresh_database_on(server: &str) -> anyhow::Result<String> {
    let (base, _) = server.rsplit_once('/').with_context(|| format!("{server} names no database"))?;
    let name = format!("lab_{}", uuid::Uuid::new_v4().simple());
    query(server, &format!("CREATE DATABASE {name}"))?;
    Ok(format!("{base}/{name}"))
}

/// Asks with Debian's psql; one line per row, columns divided by `|`.
///
/// # Errors
/// Where the server does not answer or refuses.
pub fn query(address: &str, sql: &str) -> anyhow::Result<String> {
    let arguments = ["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--command", sql, address];
    process::finish(Path::new("psql"), arguments).map(|text| text.trim().to_owned())
}

fn as_owner(program: &Path, owner: Option<(u32, u32)>) -> Command {
    let Some((user, group)) = owner else { return process::command(program) };
    // Two steps, since a change of user takes back what the first asked for.
    let mut command = process::command(Path::new("setpriv"));
    command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).current_dir("/");
    command
}

/// User and group `postgres` for root, nothing for anybody else.
fn owner() -> anyhow::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = line.context("there is no user postgres; install postgresql")?.split(':').collect();
    let number = |index: usize| fields.get(index).and_then(|text| text.parse().ok());
    Ok(number(2).zip(number(3)))
}

fn programs() -> anyhow::Result<PathBuf> {
    let versions =
        std::fs::read_dir(VERSIONS).with_context(|| format!("{VERSIONS} is not there; install postgresql"))?;
    let found = versions.flatten().map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").is_file());
    found.max().with_context(|| format!("no PostgreSQL below {VERSIONS}; install postgresql"))
}
