//! What one program is made to see instead of this machine's clock or its table of names; everything else sees the real ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::place;

/// Where Debian keeps libfaketime, below the folder of the machine's kind.
const FAKETIME: &str = "faketime/libfaketimeMT.so.1";

/// A clock that can be set while a program looks at it.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// One that goes right.
    ///
    /// # Errors
    /// Where libfaketime is not installed, or the disk refuses.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let kinds = fs::read_dir("/usr/lib").context("/usr/lib cannot be read")?;
        let library = kinds.flatten().map(|kind| kind.path().join(FAKETIME)).find(|library| library.is_file());
        let library = library.context("libfaketime is not there; install it with: apt-get install faketime")?;
        place::make(folder)?;
        let clock = Self { library, file: folder.join("clock") };
        clock.set("+0")?;
        Ok(clock)
    }

    /// Sets it: `+5y` is five years ahead, `-4d` four days behind.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn set(&self, beyond: &str) -> anyhow::Result<()> {
        // Renamed, so that nobody reads half a number.
        let coming = self.file.with_extension("coming");
        place::write(&coming, format!("{beyond}\n"))?;
        fs::rename(&coming, &self.file).context("the clock cannot be set")
    }

    /// The command in which a program sees it. Only the time of day is another: what measures durations goes on evenly, as on a
    /// machine whose clock is set.
    #[must_use]
    pub fn within(&self) -> Vec<String> {
        vec![
            "env".to_owned(),
            format!("LD_PRELOAD={}", self.library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ]
    }
}

/// A table of names beside which there is no name service.
#[derive(Debug)]
pub struct Names {
    hosts: PathBuf,
    resolver: PathBuf,
}

impl Names {
    /// One in which no name stands; `None` where this user may not give it to a program.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn none(folder: &Path) -> anyhow::Result<Option<Self>> {
        place::make(folder)?;
        let names = Self { hosts: folder.join("hosts"), resolver: folder.join("resolv.conf") };
        place::write(&names.hosts, "")?;
        place::write(&names.resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")?;
        let mut words = names.within().into_iter().chain(["true".to_owned()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        let given = command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).status();
        Ok(given.is_ok_and(|status| status.success()).then_some(names))
    }

    /// Writes a name of this machine into it.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn tell(&self, name: &str) -> anyhow::Result<()> {
        // Into the same file: another in its place would not be seen.
        fs::write(&self.hosts, format!("127.0.0.1 {name}\n")).context("the name cannot be written")
    }

    /// The command in which a program sees it.
    #[must_use]
    pub fn within(&self) -> Vec<String> {
        let script = "mount --bind \"$1\" /etc/hosts && mount --bind \"$2\" /etc/resolv.conf && shift 2 && exec \"$@\"";
        let files = [&self.hosts, &self.resolver].map(|file| file.display().to_string());
        let unshare = ["unshare", "--mount", "sh", "-c", script, "names"].map(str::to_owned);
        unshare.into_iter().chain(files).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(within: Vec<String>, program: &[&str]) -> String {
        let mut words = within.into_iter().chain(program.iter().map(|&word| word.to_owned()));
        let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_clock_is_another_for_who_runs_within_it() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::new(folder.path()).unwrap();
        let year = || output(clock.within(), &["date", "+%Y"]).trim().parse::<i32>().unwrap();
        let real = time::OffsetDateTime::now_utc().year();
        assert!((real..=real + 1).contains(&year()));
        clock.set("+10y").unwrap();
        assert!((real + 9..=real + 11).contains(&year()), "{}", year());
    }

    #[test]
    fn a_name_is_unknown_until_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let Some(names) = Names::none(folder.path()).unwrap() else { return };
        let found = || output(names.within(), &["getent", "hosts", "broker.hilum.test"]);
        assert_eq!(found(), "");
        names.tell("broker.hilum.test").unwrap();
        assert!(found().starts_with("127.0.0.1"));
    }
}
