//! What a device service tells systemd: ready, alive, stopping. Without systemd, or without the `systemd` feature, every
//! call does nothing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Start-up is complete (`Type=notify` in the unit).
pub fn ready() {
    send(&[("READY", "1")]);
}

/// Shutdown has begun: systemd waits `TimeoutStopSec` from here.
pub fn stopping() {
    send(&[("STOPPING", "1")]);
}

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

#[cfg(feature = "systemd")]
fn send(state: &[(&'static str, &'static str)]) {
    // A failure means that systemd went away; its own timeouts deal with that.
    let _ = systemd::daemon::notify(state.iter());
}

#[cfg(feature = "systemd")]
fn watchdog_period() -> Option<Duration> {
    let micros = systemd::daemon::watchdog_enabled().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

#[cfg(not(feature = "systemd"))]
fn send(_state: &[(&'static str, &'static str)]) {}

#[cfg(not(feature = "systemd"))]
fn watchdog_period() -> Option<Duration> {
    None
}
