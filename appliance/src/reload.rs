//! The configuration, read again while the service runs (SIGHUP): what may change then changes, what may not is named and
//! stays, and a file with mistakes changes nothing. Whatever key this room does not know needs a restart.

use std::path::PathBuf;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::config::{ConfigError, Difference, Reading, differences};
use vitals::health::Part;
use vitals::logging::{LogLevel, LoggingError};
use vitals::notify;

use crate::config::Config;
use crate::dicom::Rules;

/// What may change while the service runs.
pub struct Live {
    /// `[log] level`.
    pub log: LogLevel,
    /// `[[dicom.allow]]`.
    pub rules: watch::Sender<Rules>,
}

/// Puts a value of the new configuration in force.
type Apply = fn(&Live, &Config) -> Result<(), LoggingError>;

/// Each key that may change, with how.
const LIVE: &[(&str, Apply)] = &[
    ("log.level", |live, config| live.log.set(&config.log.level)),
    ("dicom.allow", |live, config| {
        live.rules.send_modify(|rules| rules.allow.clone_from(&config.dicom.allow));
        Ok(())
    }),
];

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
    /// What was changed and needs a restart, a sentence each.
    pub notices: watch::Sender<Vec<String>>,
}

/// What a new version of the file means.
struct Plan {
    apply: Vec<&'static (&'static str, Apply)>,
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
        let text = std::fs::read_to_string(&self.file);
        let text = text.map_err(|source| ConfigError::Read { file: self.file.clone(), source });
        let read = text.and_then(|text| Ok((Reading::<Config>::of_text(&self.file, &text).finish()?.0, text)));
        match read {
            Ok((config, text)) => self.take(&config, text),
            Err(error) => self.refuse(&error),
        }
    }

    fn take(&mut self, config: &Config, text: String) {
        let plan = plan(&self.started, &self.taken, &text);
        for (key, apply) in plan.apply {
            match apply(&self.live, config) {
                Ok(()) => tracing::info!(key, "changed in the configuration, and in force"),
                Err(error) => tracing::error!(key, error = vitals::exit::chain(&error), "could not be changed"),
            }
        }
        for notice in &plan.restart {
            tracing::warn!("changed in the configuration and not in force: {notice}");
        }
        notify::status(&format!("Configuration read again; {} key(s) need a restart.", plan.restart.len()));
        self.notices.send_replace(plan.restart);
        self.taken = text;
        self.health.up();
    }

    fn refuse(&self, error: &ConfigError) {
        let words = vitals::exit::chain(error);
        tracing::error!(mistakes = words, "the configuration has mistakes; the one before stays in force");
        notify::status("The configuration has mistakes; the one before stays in force.");
        self.health.down(&format!(
            "the changed file was not taken, the one before stays in force; correct it and reload: {}",
            words.replace('\n', "; ")
        ));
    }
}

/// Decides what of a new text is put in force and what waits for a restart.
fn plan(started: &str, taken: &str, new: &str) -> Plan {
    let live = |one: &Difference| LIVE.iter().find(|(key, _)| *key == one.path);
    let still = |one: &Difference| match &one.before {
        Some(before) => format!("{} needs a restart; still {before}", one.key),
        None => format!("{} needs a restart; still as before", one.key),
    };
    Plan {
        apply: differences(taken, new).iter().filter_map(live).collect(),
        restart: differences(started, new).iter().filter(|one| live(one).is_none()).map(still).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "[dicom]\nlisten = \"0.0.0.0:11112\"\n[log]\nlevel = \"info\"\n";

    fn planned(taken: &str, new: &str) -> (Vec<&'static str>, Vec<String>) {
        let plan = plan(BEFORE, taken, new);
        (plan.apply.iter().map(|(key, _)| *key).collect(), plan.restart)
    }

    #[test]
    fn what_may_change_changes_and_the_rest_is_named_until_it_is_taken_back() {
        assert_eq!(planned(BEFORE, BEFORE), (vec![], vec![]));
        let louder = BEFORE.replace("info", "debug");
        assert_eq!(planned(BEFORE, &louder), (vec!["log.level"], vec![]));
        assert_eq!(planned(&louder, &louder), (vec![], vec![]));
        assert_eq!(planned(&louder, BEFORE), (vec!["log.level"], vec![]));
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
