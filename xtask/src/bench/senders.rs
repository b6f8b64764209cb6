//! Three modalities at once: dcmtk's storescu, the same command for everybody who receives.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, bail};
use lab::hospital::{AE_TITLE, SCANNER};
use lab::process;

/// Senders at the same time.
pub(super) const SENDERS: usize = 3;

/// What storescu says of each image that was taken.
const SUCCESS: &str = "Received Store Response (Success)";

/// When the images were taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// The first success status.
    pub(super) first: Instant,
    /// The last.
    pub(super) last: Instant,
}

/// Sends `files`, each sender its share, and waits until all are taken.
///
/// # Errors
/// Where one is not taken, with what the sender said last.
pub(super) fn send(port: u16, files: &[PathBuf]) -> anyhow::Result<Sent> {
    let shares = shares(files);
    let times: Vec<Vec<Instant>> = std::thread::scope(|scope| {
        let senders: Vec<_> = shares.iter().map(|share| scope.spawn(move || send_share(port, share))).collect();
        let joined =
            senders.into_iter().map(|sender| sender.join().unwrap_or_else(|_| bail!("a sender's thread failed")));
        joined.collect::<anyhow::Result<_>>()
    })?;
    let all = || times.iter().flatten().copied();
    let (first, last) = (all().min(), all().max());
    let taken = all().count();
    match (first, last) {
        (Some(first), Some(last)) if taken == files.len() => Ok(Sent { first, last }),
        _ => bail!("{taken} of {} images were taken", files.len()),
    }
}

/// Whether somebody answers a C-ECHO there.
pub(super) fn echoes(port: u16) -> bool {
    let mut command = process::command(Path::new("echoscu"));
    command.args(["-to", "2", "-ta", "30", "-td", "30", "-aet", SCANNER, "-aec", AE_TITLE, "127.0.0.1"]);
    command.arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn shares(files: &[PathBuf]) -> Vec<Vec<&PathBuf>> {
    let share = |sender| files.iter().skip(sender).step_by(SENDERS).collect();
    (0..SENDERS.min(files.len())).map(share).collect()
}

/// The time of each success status.
fn send_share(port: u16, files: &[&PathBuf]) -> anyhow::Result<Vec<Instant>> {
    let mut command = process::command(Path::new("storescu"));
    // A receiver that hangs ends the trial instead of the bench.
    command.args(["-v", "-R", "-to", "10", "-ta", "60", "-td", "60", "-aet", SCANNER, "-aec", AE_TITLE, "127.0.0.1"]);
    command.arg(port.to_string()).args(files).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("storescu cannot be started; run `cargo xtask setup`")?;
    let words = child.stderr.take().context("storescu has no stderr")?;
    let (mut times, mut last) = (Vec::with_capacity(files.len()), String::new());
    // It writes each line at once.
    for line in BufReader::new(words).lines().map_while(Result::ok) {
        if line.contains(SUCCESS) {
            times.push(Instant::now());
        }
        last = line;
    }
    let status = child.wait().context("storescu cannot be waited for")?;
    if !status.success() || times.len() != files.len() {
        bail!("storescu ended with {status} after {} of {} images: {last}", times.len(), files.len());
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_shared_out_once() {
        let files: Vec<PathBuf> = (0..10).map(|number| PathBuf::from(number.to_string())).collect();
        let shares = shares(&files);
        assert_eq!(shares.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3, 3]);
        let mut all: Vec<&PathBuf> = shares.into_iter().flatten().collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 10);
    }
}
