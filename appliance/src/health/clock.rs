//! Whether the machine's clock follows another one: results, audits and certificates are judged by it. It sets no clock, and
//! says that it does not know where nobody tells.

use std::path::Path;
use std::process::Command;

use metrics::{describe_gauge, gauge};

/// What is known of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// It follows a time server.
    Follows,
    /// It runs by itself.
    Alone,
    /// Nobody on this machine says.
    #[default]
    Unknown,
}

impl Clock {
    /// Looks now; may block for seconds. `system` is the root of the machine's own files, `/`; `kernel` asks what the kernel
    /// holds of it, `yes` or `no`.
    pub(super) fn measure(system: &Path, kernel: impl FnOnce() -> Option<String>) -> Self {
        // systemd-timesyncd(8): touched once the clock was set by a server.
        let timesync = system.join("run/systemd/timesync");
        if timesync.join("synchronized").exists() {
            return Self::Follows;
        }
        match kernel().as_deref().map(str::trim) {
            Some("yes") => Self::Follows,
            Some("no") => Self::Alone,
            _ if timesync.is_dir() => Self::Alone,
            _ => Self::Unknown,
        }
    }

    /// In words that follow the time.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Follows => "synchronised",
            Self::Alone => "not synchronised: set a time server, or results bear a wrong time sooner or later",
            Self::Unknown => "whether it is synchronised is not known",
        }
    }

    pub(super) fn show(self) {
        let value = match self {
            Self::Follows => 1.0,
            Self::Alone => 0.0,
            Self::Unknown => return,
        };
        gauge!("clock_synchronized").set(value);
    }
}

/// What adjtimex(2) says, by way of systemd: the service itself may not ask the kernel about clocks (`ProtectClock=`). It
/// knows chrony's and ntpd's work, too.
pub(super) fn kernel() -> Option<String> {
    let told = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output().ok()?;
    told.status.success().then(|| String::from_utf8_lossy(&told.stdout).into_owned())
}

/// Says what each metric of this room means.
pub(super) fn describe() {
    describe_gauge!(
        "clock_synchronized",
        "1 where the machine's clock follows a time server, 0 where not; absent where not known"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_only_where_somebody_says() {
        let root = tempfile::tempdir().unwrap();
        let says = |words: &'static str| move || Some(words.to_owned());
        assert_eq!(Clock::measure(root.path(), || None), Clock::Unknown);
        assert_eq!(Clock::measure(root.path(), says("")), Clock::Unknown);
        assert_eq!(Clock::measure(root.path(), says("yes\n")), Clock::Follows);
        assert_eq!(Clock::measure(root.path(), says("no\n")), Clock::Alone);
        let timesync = root.path().join("run/systemd/timesync");
        std::fs::create_dir_all(&timesync).unwrap();
        assert_eq!(Clock::measure(root.path(), || None), Clock::Alone);
        std::fs::write(timesync.join("synchronized"), "").unwrap();
        assert_eq!(Clock::measure(root.path(), says("no")), Clock::Follows);
    }
}
