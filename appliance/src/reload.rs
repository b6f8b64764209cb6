//! The configuration, read again while the service runs (SIGHUP): what may change then changes, all of it or none, what may
//! not is named and stays, and a file with mistakes changes nothing. Whatever key [`live`] does not know needs a restart.

mod live;

use std::path::PathBuf;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::config::{ConfigError, Difference, Reading, differences};
use vitals::health::Part;
use vitals::notify;

use crate::config::Config;
use crate::world::World;

pub use live::{Live, NotReady};

/// Who reads it again.
pub struct Reload {
    /// The file.
    pub file: PathBuf,
    /// What it said when the service started: what needs a restart is still so.
    pub started: String,
    /// What it said when it was last taken.
    pub taken: String,
    /// What may change.
    pub live: Live,
    /// Not well while the file has mistakes.
    pub health: Part,
    /// For the status page.
    pub told: watch::Sender<Reloaded>,
    /// Clock.
    pub world: World,
}

/// How the last reading ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// When, milliseconds since the Unix epoch, and why it was not taken where it was not; `None` before the first.
    pub last: Option<(i64, Result<(), String>)>,
    /// What was changed and needs a restart, a sentence each.
    pub waiting: Vec<String>,
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

/// What a new version of the file means.
struct Plan {
    changed: Vec<String>,
    restart: Vec<String>,
}

impl Reload {
    /// Reads again whenever it is asked to, until `stop`.
    pub async fn run(mut self, mut asked: Signal, stop: CancellationToken) {
        while let Some(Some(())) = stop.run_until_cancelled(asked.recv()).await {
            notify::reloading();
            self.again();
            notify::ready();
        }
    }

    /// Reads again once.
    pub fn again(&mut self) {
        let taken = self.take();
        let outcome = if taken.is_ok() { "taken" } else { "refused" };
        counter!("configuration_reloads_total", "outcome" => outcome).increment(1);
        gauge!("configuration_last_reload_successful").set(if taken.is_ok() { 1.0 } else { 0.0 });
        let now_ms = (self.world.now_ms)();
        let last = match &taken {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refuse(error)),
        };
        self.told.send_modify(|told| {
            told.last = Some((now_ms, last));
            if let Ok(waiting) = taken {
                told.waiting = waiting;
            }
        });
    }

    /// Takes the file whole, or not at all; gives what waits for a restart.
    fn take(&mut self) -> Result<Vec<String>, NotTaken> {
        let text = std::fs::read_to_string(&self.file);
        let text = text.map_err(|source| ConfigError::Read { file: self.file.clone(), source })?;
        let (config, _) = Reading::<Config>::of_text(&self.file, &text).finish()?;
        let plan = plan(&self.started, &self.taken, &text, |key| self.live.may_change(key, &config));
        self.live.put_in_force(&config)?;
        for key in &plan.changed {
            tracing::info!(key, "changed in the configuration, and in force");
        }
        for notice in &plan.restart {
            tracing::warn!("changed in the configuration and not in force: {notice}");
        }
        notify::status(&format!("Configuration read again; keys that need a restart: {}.", plan.restart.len()));
        self.taken = text;
        self.health.up();
        Ok(plan.restart)
    }

    fn refuse(&self, error: &NotTaken) -> String {
        let words = vitals::exit::chain(error).replace('\n', "; ");
        tracing::error!(mistakes = words, "the configuration has mistakes; the one before stays in force");
        notify::status("The configuration has mistakes; the one before stays in force.");
        self.health.down(&format!(
            "the changed file was not taken, the one before stays in force; correct it and reload: {words}"
        ));
        words
    }
}

/// Decides what of a new text is put in force and what waits for a restart.
fn plan(started: &str, taken: &str, new: &str, may_change: impl Fn(&str) -> bool) -> Plan {
    let still = |one: &Difference| match &one.before {
        Some(before) => format!("{} needs a restart; still {before}", one.key),
        None => format!("{} needs a restart; still as before", one.key),
    };
    let live = differences(taken, new).into_iter().filter(|one| may_change(&one.path));
    Plan {
        changed: live.map(|one| one.path).collect(),
        restart: differences(started, new).iter().filter(|one| !may_change(&one.path)).map(still).collect(),
    }
}

/// Says what each metric of this room means.
pub fn describe() {
    describe_counter!(
        "configuration_reloads_total",
        Unit::Count,
        "Times that the configuration was read again, by outcome (taken, refused)"
    );
    describe_gauge!(
        "configuration_last_reload_successful",
        "1 where the configuration in the file was taken when it was read last, 0 where the one before stays in force"
    );
    gauge!("configuration_last_reload_successful").set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "[dicom]\nlisten = \"0.0.0.0:11112\"\n[log]\nlevel = \"info\"\n";

    fn planned(taken: &str, new: &str) -> (Vec<String>, Vec<String>) {
        let plan = plan(BEFORE, taken, new, |key| key == "log.level");
        (plan.changed, plan.restart)
    }

    #[test]
    fn what_may_change_changes_and_the_rest_is_named_until_it_is_taken_back() {
        assert_eq!(planned(BEFORE, BEFORE), (vec![], vec![]));
        let louder = BEFORE.replace("info", "debug");
        assert_eq!(planned(BEFORE, &louder), (vec!["log.level".to_owned()], vec![]));
        assert_eq!(planned(&louder, &louder), (vec![], vec![]));
        assert_eq!(planned(&louder, BEFORE), (vec!["log.level".to_owned()], vec![]));
        let moved = louder.replace("11112", "104");
        let notice = "[dicom] listen needs a restart; still \"0.0.0.0:11112\"".to_owned();
        assert_eq!(planned(&louder, &moved), (vec![], vec![notice.clone()]));
        assert_eq!(planned(&moved, &moved), (vec![], vec![notice]));
        assert_eq!(planned(&moved, &louder), (vec![], vec![]));
    }

    #[test]
    fn a_key_that_nobody_thought_of_needs_a_restart() {
        let new = format!("{BEFORE}[new]\nkey = 1\n");
        assert_eq!(planned(BEFORE, &new).1, ["[new] key needs a restart; still as before"]);
    }
}
