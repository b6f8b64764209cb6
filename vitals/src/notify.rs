//! What a device service tells systemd: ready, alive, busy with what, stopping. Without systemd, or without the `systemd`
//! feature, every call does nothing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Start-up is complete (`Type=notify` in the unit).
pub fn ready() {
    send(&[("READY", "1")]);
}

/// Start-up goes on, and its next step may take `longest`, whatever `TimeoutStartSec` says.
pub fn starting(longest: Duration) {
    send(&[("EXTEND_TIMEOUT_USEC", &longest.as_micros().to_string())]);
}

/// What the service is doing, in words for `systemctl status`; nothing about a patient.
pub fn status(words: &str) {
    send(&[("STATUS", words)]);
}

/// The configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    // `sd_notify(3)`: a reload is told apart from an earlier one by the time of its beginning.
    send(&[("RELOADING", "1"), ("MONOTONIC_USEC", &monotonic_micros().to_string())]);
}

/// Shutdown has begun: systemd waits `TimeoutStopSec` from here, or `grace` and a little more where that is longer.
pub fn stopping(grace: Duration) {
    send(&[("STOPPING", "1")]);
    send(&[("EXTEND_TIMEOUT_USEC", &(grace + FAREWELL).as_micros().to_string())]);
}

/// What remains to be done after the grace: closing sockets and the database.
const FAREWELL: Duration = Duration::from_secs(5);

/// Feeds the watchdog until `stop`, as long as `alive` says so.
///
/// systemd asks for a sign every `WatchdogSec`; half of that leaves room for one late tick (`sd_watchdog_enabled(3)`
/// recommends it). A service that is hung returns false, or never returns, and is restarted.
pub async fn feed_watchdog(alive: impl Fn() -> bool, stop: CancellationToken) {
    let Some(period) = watchdog_period() else { return };
    let mut tick = tokio::time::interval(period / 2);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if alive() {
            send(&[("WATCHDOG", "1")]);
        }
    }
}

/// `CLOCK_MONOTONIC`, microseconds.
fn monotonic_micros() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

#[cfg(feature = "systemd")]
fn send(state: &[(&str, &str)]) {
    // A failure means that systemd went away; its own timeouts deal with that.
    let _ = systemd::daemon::notify(state.iter());
}

#[cfg(feature = "systemd")]
fn watchdog_period() -> Option<Duration> {
    let micros = systemd::daemon::watchdog_enabled().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

#[cfg(not(feature = "systemd"))]
fn send(_state: &[(&str, &str)]) {}

#[cfg(not(feature = "systemd"))]
fn watchdog_period() -> Option<Duration> {
    None
}
