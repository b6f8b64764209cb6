//! A disk of its own for one folder, small enough to be filled: a tmpfs, which takes root. It is gone with its owner.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::place;

/// What fills it.
const BALLAST: &str = "ballast";

/// A mounted disk.
#[derive(Debug)]
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Mounts one of so many MiB at `at`; `None` where this user may not.
    ///
    /// # Errors
    /// Where there is no such folder.
    pub fn mount(at: &Path, mib: u32) -> anyhow::Result<Option<Self>> {
        place::make(at)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m,mode=0700"), "tmpfs"]).arg(at);
        let mounted = mount.stdin(Stdio::null()).stderr(Stdio::null()).status();
        Ok(mounted.is_ok_and(|status| status.success()).then(|| Self { at: at.to_owned() }))
    }

    /// Takes away the disks that ended processes left below `folder`.
    pub fn clear(folder: &Path) {
        let mounted = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let below =
            mounted.lines().filter_map(|line| line.split(' ').nth(1)).filter(|at| Path::new(at).starts_with(folder));
        below.for_each(|at| unmount(Path::new(at)));
    }

    /// Fills it until `left` bytes are free.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn fill(&self, left: u64) -> anyhow::Result<()> {
        let told = statvfs(&self.at).context("the disk does not say how full it is")?;
        let free = told.f_bavail.saturating_mul(told.f_frsize);
        let Some(bytes) = free.checked_sub(left).filter(|bytes| *bytes > 0) else { return Ok(()) };
        let file = File::create(self.at.join(BALLAST)).context("the disk takes no ballast")?;
        match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            // Somebody else wrote meanwhile; it is as full as can be.
            Ok(()) | Err(rustix::io::Errno::NOSPC) => Ok(()),
            Err(error) => bail!("the disk cannot be filled: {error}"),
        }
    }

    /// Lets nothing be written, or again; nobody may have a file open for writing meanwhile.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn set_read_only(&self, read_only: bool) -> anyhow::Result<()> {
        let how = if read_only { "remount,ro" } else { "remount,rw" };
        let done = Command::new("mount").args(["-o", how]).arg(&self.at).status().context("mount cannot be started")?;
        if !done.success() {
            bail!("the disk at {} cannot be made {how}", self.at.display());
        }
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn free(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.at.join(BALLAST)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("the ballast stays"),
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.at);
    }
}

fn unmount(at: &Path) {
    // Lazily: a process that is just dying may still hold a file.
    let _ = Command::new("umount").arg("-l").arg(at).stderr(Stdio::null()).status();
}
