//! Reads a configuration to its end, however many mistakes it has: stops at a mistake, notes it, puts a stand-in there, and
//! reads again. Whoever asks gets the configuration only if there was none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::deserializer::{Attempt, Patch, Patches, Tables};
use super::document::Document;
use super::fault::Fault;
use super::key_path::{KeyPath, Step};
use super::mistakes::{Finding, Mistake, MistakeList, Mistakes};
use super::{Checked, ConfigError, stand_in, words};

/// Attempts at one file. Each ends at one value, and a value takes as many as there are stand-ins: this is enough for a
/// hundred mistakes, and a file with more is another kind of file.
const ATTEMPTS: usize = 100 * (stand_in::TRIES + 1);

/// A configuration that was read, with what was found.
pub struct Reading<T> {
    file: PathBuf,
    text: String,
    /// There where every value is the file's own or a stand-in.
    config: Option<T>,
    patches: Patches,
    findings: Vec<Finding>,
}

impl<T: Checked> Reading<T> {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError::Read`]; mistakes are told by [`Reading::finish`].
    pub fn of_file(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        Ok(Self::of_text(file, &text))
    }

    /// Reads and checks `text`, which is the content of `file`.
    #[must_use]
    pub fn of_text(file: &Path, text: &str) -> Self {
        let document = Document::parse(text);
        let (mut patches, mut findings) = (Patches::new(), Vec::new());
        let config = attempts(&document, &mut patches, &mut findings);
        let reading = Self { file: file.to_owned(), text: text.to_owned(), config, patches, findings };
        reading.also(T::mistakes)
    }

    /// The file's own text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks more than the values alone, such as the files that they name.
    #[must_use]
    pub fn also(mut self, check: impl FnOnce(&T, &mut Mistakes<'_>)) -> Self {
        let mut found = Vec::new();
        if let Some(config) = &self.config {
            check(config, &mut Mistakes::at_root(&mut found));
        }
        // What was found of a stand-in says nothing about the file.
        found.retain(|finding| !self.patches.keys().any(|patched| finding.path.is_within(patched)));
        self.findings.append(&mut found);
        self
    }

    /// The configuration and what is unwise about it.
    ///
    /// # Errors
    /// [`ConfigError::Mistakes`], all of them.
    pub fn finish(self) -> Result<(T, MistakeList), ConfigError> {
        let document = Document::parse(&self.text);
        let (warnings, mistakes): (Vec<Finding>, Vec<Finding>) =
            self.findings.into_iter().partition(|finding| finding.warning);
        let told = |found: Vec<Finding>| found.into_iter().map(|one| located(&self.file, &document, one));
        let broken = document.broken().iter().map(|(line, words)| Mistake {
            file: self.file.display().to_string(),
            line: Some(*line),
            key: String::new(),
            words: words.clone(),
        });
        let sound = |mistake: &Mistake| !document.is_doubtful(mistake.line);
        let mistakes = MistakeList::sorted(broken.chain(told(mistakes).filter(sound)).collect());
        match self.config {
            Some(config) if mistakes.as_slice().is_empty() => {
                Ok((config, MistakeList::sorted(told(warnings).collect())))
            }
            _ => Err(ConfigError::Mistakes(mistakes)),
        }
    }
}

/// Reads until nothing stops it or nothing more can be put in the way.
fn attempts<T: Checked>(document: &Document<'_>, patches: &mut Patches, findings: &mut Vec<Finding>) -> Option<T> {
    let (mut tables, mut unknown) = (Tables::new(), BTreeSet::new());
    let mut config = None;
    for _ in 0..ATTEMPTS {
        let attempt = Attempt::new(document, patches);
        let made = T::deserialize(attempt.root());
        attempt.add_seen(&mut tables, &mut unknown);
        match made {
            Ok(made) => config = Some(made),
            Err(fault) => {
                if step(&fault, document, patches, findings) {
                    continue;
                }
            }
        }
        break;
    }
    note_unknown(&tables, unknown, findings);
    config
}

/// Notes a fault and patches its place; false where the whole file would have to be left out.
fn step(fault: &Fault, document: &Document<'_>, patches: &mut Patches, findings: &mut Vec<Finding>) -> bool {
    let place = fault.place();
    let next = match patches.get(&place) {
        None => {
            // Inside a stand-in for a table everything is missing: the table was noted.
            let known = patches.keys().any(|patched| place.is_within(patched));
            // Nor is anything known to be missing from a file that could not be read in full.
            let echo = fault.is_missing() && !document.broken().is_empty();
            if known {
                need(&place, findings);
            } else if !echo {
                findings.push(Finding::mistake(place.clone(), fault.remedy()));
            }
            Patch::StandIn(0)
        }
        Some(Patch::StandIn(number)) if number + 1 < stand_in::TRIES => Patch::StandIn(number + 1),
        Some(Patch::StandIn(_)) => Patch::LeftOut,
        // It is missing because it was left out: what holds it cannot be had either.
        Some(Patch::LeftOut) => match place.parent() {
            Some(parent) if parent.parent().is_some() => {
                patches.insert(parent, Patch::LeftOut);
                return true;
            }
            _ => return false,
        },
    };
    patches.insert(place, next);
    true
}

/// A missing table is told with what it needs.
fn need(place: &KeyPath, findings: &mut [Finding]) {
    let table = place.parent();
    let noted = findings.iter_mut().find(|finding| Some(&finding.path) == table.as_ref());
    if let (Some(noted), Some(Step::Key(key))) = (noted, place.steps().last()) {
        noted.needs.push(key.clone());
    }
}

/// Notes keys that their tables do not have.
fn note_unknown(tables: &Tables, unknown: BTreeSet<KeyPath>, findings: &mut Vec<Finding>) {
    for path in unknown {
        let (Some(table), Some(Step::Key(key))) = (path.parent(), path.steps().last()) else { continue };
        let known = tables.get(&table).copied().unwrap_or_default();
        let meant = words::alike(key, known.iter().copied());
        if let Some(meant) = meant {
            // One slip, one mistake: the key that was meant is not missing, too.
            findings.retain(|finding| finding.path != table.key(meant));
        }
        let elsewhere = || tables.iter().find(|(_, fields)| fields.contains(&key.as_str()));
        let words = match (meant, elsewhere()) {
            (Some(meant), _) => format!("unknown key, did you mean {meant}?"),
            (None, Some((owner, _))) => format!("unknown key here; it belongs in {}", owner.words(true)),
            (None, None) => format!("unknown key; remove it, or use one of {}", words::list(known)),
        };
        findings.push(Finding::mistake(path, words));
    }
}

fn located(file: &Path, document: &Document<'_>, found: Finding) -> Mistake {
    let (is_table, with) = match found.needs.as_slice() {
        [] => (document.is_table(&found.path), String::new()),
        needs => (true, format!(" with {}", words::list(needs))),
    };
    Mistake {
        file: file.display().to_string(),
        line: document.line(&found.path),
        key: found.path.words(is_table),
        words: found.words + &with,
    }
}
