//! systemd's watchdog on the installed service: its process is stopped as if it hung, systemd must start it again, and its model
//! must pass its golden check again. It stops that one service for a minute, and nothing else.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::check::Outcome;

/// Between two questions to systemd or to the service.
const PAUSE: Duration = Duration::from_secs(1);

/// What ending and starting a hung process may take beyond its watchdog: the unit's TimeoutStopSec (30 s), RestartSec, and the
/// start itself (2 min).
const GRACE: Duration = Duration::from_secs(180);

/// The model loads and proves itself; a TensorRT engine that must be built anew takes minutes.
const PROVED_WITHIN: Duration = Duration::from_secs(600);

/// What systemd says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unit {
    is_known: bool,
    is_active: bool,
    process: u32,
    restarts: u32,
    /// None where it has no watchdog.
    watchdog: Option<Duration>,
}

/// Stops `unit`'s process and follows what becomes of it; `health` is where its status page listens.
pub(crate) fn check(unit: &str, health: SocketAddr) -> Outcome {
    let first = std::fs::read_to_string("/proc/1/comm").unwrap_or_default();
    let before = match allowed(first.trim(), unit, || ask(unit)) {
        Ok(before) => before,
        Err(words) => return Outcome::Refused(words),
    };
    if before.watchdog.is_none() {
        return Outcome::failed(format!("{unit} has no WatchdogSec=: nobody would notice if it hung"));
    }
    if let Err(words) = systemctl(&["kill", "--kill-who=main", "--signal=SIGSTOP", unit]) {
        return Outcome::Refused(format!("its process cannot be stopped, run this as root: {words}"));
    }
    let began = Instant::now();
    match restarted(unit, &before, began).and_then(|seconds| Ok((seconds, proved(health, began)?))) {
        Ok((again, proved)) => Outcome::Passed(
            format!("{unit} was stopped; systemd started it again after {again:.0} s, and its model had proved itself after {proved:.0} s").into(),
        ),
        Err(words) => Outcome::failed(words),
    }
}

/// Whether this machine can answer at all; `first` is the name of its first process.
fn allowed(first: &str, unit: &str, ask: impl FnOnce() -> Result<Unit, String>) -> Result<Unit, String> {
    if first != "systemd" {
        return Err(format!(
            "systemd is not this machine's first process ({first} is), so there is no watchdog to see"
        ));
    }
    match ask()? {
        found if !found.is_known => {
            Err(format!("systemd knows no {unit} here: install the package, or name another unit with --unit"))
        }
        found if !found.is_active => Err(format!("{unit} does not run: `systemctl start {unit}` first")),
        found => Ok(found),
    }
}

/// Seconds until it ran again.
fn restarted(unit: &str, before: &Unit, began: Instant) -> Result<f64, String> {
    let patience = before.watchdog.unwrap_or_default() + GRACE;
    while began.elapsed() < patience {
        std::thread::sleep(PAUSE);
        if ask(unit).is_ok_and(|now| is_restarted(before, &now)) {
            return Ok(began.elapsed().as_secs_f64());
        }
    }
    // Better a service that runs than one that a test left stopped.
    let _ = systemctl(&["kill", "--kill-who=main", "--signal=SIGCONT", unit]);
    Err(format!("systemd did not start {unit} again within {} s of its process being stopped", patience.as_secs()))
}

fn is_restarted(before: &Unit, now: &Unit) -> bool {
    now.is_active && now.restarts > before.restarts && now.process != 0 && now.process != before.process
}

/// Seconds until the service said that its model is in use: before it passed its golden check it never is.
fn proved(health: SocketAddr, began: Instant) -> Result<f64, String> {
    let until = began.elapsed() + PROVED_WITHIN;
    let mut last = "it does not answer".to_owned();
    while began.elapsed() < until {
        match get(health).as_deref().map(reader_of) {
            Some(Some(state)) if state == "ok" => return Ok(began.elapsed().as_secs_f64()),
            Some(Some(state)) => last = state,
            _ => {}
        }
        std::thread::sleep(PAUSE);
    }
    Err(format!("the service runs again, and its model is not in use after {} s: {last}", PROVED_WITHIN.as_secs()))
}

/// What `/health/ready` says of the part "reader".
fn reader_of(answer: &str) -> Option<String> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let report: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(report["parts"]["reader"].as_str()?.to_owned())
}

fn get(health: SocketAddr) -> Option<String> {
    let mut socket = TcpStream::connect_timeout(&health, PAUSE).ok()?;
    socket.set_read_timeout(Some(5 * PAUSE)).ok()?;
    // HTTP/1.0: the answer ends where the connection does.
    write!(socket, "GET /health/ready HTTP/1.0\r\nHost: {health}\r\n\r\n").ok()?;
    let mut answer = String::new();
    // The report is a few lines.
    socket.take(1 << 20).read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn ask(unit: &str) -> Result<Unit, String> {
    let properties = "--property=LoadState,ActiveState,MainPID,NRestarts,WatchdogUSec";
    systemctl(&["show", properties, unit]).map(|text| parse(&text))
}

fn systemctl(arguments: &[&str]) -> Result<String, String> {
    let done = Command::new("systemctl").args(arguments).output();
    let done = done.map_err(|error| format!("systemctl cannot be started: {error}"))?;
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if done.status.success() { Ok(words(&done.stdout)) } else { Err(words(&done.stderr)) }
}

/// `systemctl show`: NAME=VALUE lines.
fn parse(text: &str) -> Unit {
    let values: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str| values.get(name).copied().unwrap_or_default();
    Unit {
        is_known: value("LoadState") == "loaded",
        is_active: value("ActiveState") == "active",
        process: value("MainPID").parse().unwrap_or(0),
        restarts: value("NRestarts").parse().unwrap_or(0),
        watchdog: time_span(value("WatchdogUSec")),
    }
}

/// A time span as systemd writes it (systemd.time(7)), such as `1min 30s`; none for 0 and `infinity`.
fn time_span(text: &str) -> Option<Duration> {
    let part = |word: &str| {
        let digits = word.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = (word[..digits].parse::<f64>().ok()?, &word[digits..]);
        let scales = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0)];
        scales.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| number * seconds)
    };
    let seconds: f64 = text.split_whitespace().map(part).sum::<Option<f64>>()?;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = "MainPID=812\nNRestarts=0\nWatchdogUSec=30s\nLoadState=loaded\nActiveState=active";

    #[test]
    fn what_systemd_says_is_read() {
        let runs = parse(RUNS);
        let watchdog = Some(Duration::from_secs(30));
        assert_eq!(runs, Unit { is_known: true, is_active: true, process: 812, restarts: 0, watchdog });
        assert_eq!(parse("LoadState=not-found\nActiveState=inactive\nMainPID=0"), Unit::default());
        for (text, seconds) in
            [("1min 30s", Some(90.0)), ("500ms", Some(0.5)), ("0", None), ("infinity", None), ("", None), ("3 x", None)]
        {
            assert_eq!(time_span(text), seconds.map(Duration::from_secs_f64), "{text}");
        }
    }

    #[test]
    fn a_machine_that_cannot_answer_is_refused_in_a_sentence() {
        let (dead, unknown) = (RUNS.replace("=active", "=failed"), RUNS.replace("=loaded", "=not-found"));
        for (first, text, words) in [
            ("systemd", RUNS, None),
            ("tini", RUNS, Some("systemd is not this machine's first process (tini is)")),
            ("systemd", &*dead, Some("does not run: `systemctl start x.service`")),
            ("systemd", &*unknown, Some("knows no x.service here")),
        ] {
            let found = allowed(first, "x.service", || Ok(parse(text)));
            match words {
                None => assert_eq!(found, Ok(parse(text))),
                Some(words) => assert!(found.as_ref().is_err_and(|told| told.contains(words)), "{found:?}"),
            }
        }
    }

    #[test]
    fn only_another_process_that_systemd_started_counts_as_restarted() {
        let with = |changes: &[(&str, &str)]| {
            parse(&changes.iter().fold(RUNS.to_owned(), |text, (from, to)| text.replace(from, to)))
        };
        for (changes, expected) in [
            (&[][..], false),
            (&[("=812", "=913")], false),
            (&[("Restarts=0", "Restarts=1")], false),
            (&[("=812", "=0"), ("Restarts=0", "Restarts=1")], false),
            (&[("=812", "=913"), ("Restarts=0", "Restarts=1"), ("=active", "=activating")], false),
            (&[("=812", "=913"), ("Restarts=0", "Restarts=1")], true),
        ] {
            assert_eq!(is_restarted(&with(&[]), &with(changes)), expected, "{changes:?}");
        }
    }

    #[test]
    fn the_models_state_is_read_from_the_services_answer() {
        let answer =
            |body: &str| format!("HTTP/1.0 503 Service Unavailable\r\ncontent-type: application/json\r\n\r\n{body}");
        for (body, expected) in [
            (r#"{"status":"not ready","parts":{"disk":"full","reader":"ok"}}"#, Some("ok")),
            (
                r#"{"status":"not ready","parts":{"reader":"the inference process is being started"}}"#,
                Some("the inference process is being started"),
            ),
            ("{}", None),
            ("<", None),
        ] {
            assert_eq!(reader_of(&answer(body)).as_deref(), expected);
        }
        assert_eq!(reader_of("nothing"), None);
    }
}
