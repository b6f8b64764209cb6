//! Where a key comes from and where a new one is put: a file, or a credential of systemd, which `systemd-creds` opens and seals.
//! Whole or not at all, and never readable by others, not for a moment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// A place of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file with its text.
    File(PathBuf),
    /// A credential, sealed to this machine.
    Credential {
        /// What the unit calls it.
        name: &'static str,
        /// The sealed file that the unit names.
        file: PathBuf,
    },
}

impl Place {
    /// The file that is named, else the credential if it is there.
    pub(super) fn of(file: Option<&Path>, name: &'static str, credential: &Path) -> Option<Self> {
        let credential = || credential.is_file().then(|| Self::Credential { name, file: credential.to_owned() });
        file.map(|file| Self::File(file.to_owned())).or_else(credential)
    }

    pub(super) fn file(&self) -> &Path {
        match self {
            Self::File(file) | Self::Credential { file, .. } => file,
        }
    }

    /// The key's text.
    pub(super) fn read(&self) -> anyhow::Result<Zeroizing<String>> {
        match self {
            Self::File(file) => fs::read_to_string(file)
                .map(Zeroizing::new)
                .with_context(|| format!("the key {} cannot be read", file.display())),
            Self::Credential { name, file } => {
                let text = credentials(&["decrypt", &format!("--name={name}"), &file.to_string_lossy(), "-"], None)?;
                String::from_utf8(text.to_vec()).map(Zeroizing::new).context("the credential holds no key")
            }
        }
    }

    /// Puts another key's text there.
    pub(super) fn replace(&self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::File(file) => write(file, text),
            Self::Credential { name, file } => {
                let named = format!("--name={name}");
                let sealed = credentials(&["encrypt", &named, "--with-key=auto", "-", "-"], Some(text))?;
                write_bytes(file, &sealed)
            }
        }
        .with_context(|| format!("the new key cannot be written to {}", self.file().display()))
    }
}

/// What `systemd-creds` makes of its input.
fn credentials(arguments: &[&str], input: Option<&str>) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut command = Command::new("systemd-creds");
    let mut child = command.args(arguments).stdin(stdin).stdout(Stdio::piped()).spawn().context(
        "systemd-creds, which opens and seals credentials, cannot be started; keep the keys in files, or install systemd",
    )?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), input) {
        pipe.write_all(text.as_bytes()).context("systemd-creds does not take the key")?;
    }
    let ended = child.wait_with_output().context("systemd-creds did not end")?;
    if !ended.status.success() {
        bail!("systemd-creds could not do it; run this as root, on the machine that the credential was made for");
    }
    Ok(Zeroizing::new(ended.stdout))
}

/// A key's text into a file for its owner alone.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    write_bytes(file, text.as_bytes())
}

/// A file that is there keeps its owner.
fn write_bytes(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    written.write_all(bytes)?;
    if let Ok(was) = fs::metadata(file) {
        fchown(&written, Some(was.uid()), Some(was.gid()))?;
    }
    written.sync_all()?;
    fs::rename(&new, file)?;
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
