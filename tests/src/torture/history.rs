//! What was sent, what was answered, what was done to whom: each as it happens, in memory and as a line of a file. It judges
//! nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};

use crate::modality::Answer;

/// A run's record.
#[derive(Debug)]
pub(super) struct History {
    began: Instant,
    /// Where its lines are.
    pub file: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    lines: File,
    images: BTreeMap<String, Image>,
    faults: BTreeMap<(String, String), u64>,
    refusals: BTreeMap<String, u64>,
}

/// One image as its scanner knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// How often it was sent.
    pub tries: u32,
    /// Whether the device promised to keep it.
    pub acknowledged: bool,
}

/// Everything that was counted.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// By SOP Instance UID.
    pub images: BTreeMap<String, Image>,
    /// How often, by kind and by what it was done to.
    pub faults: BTreeMap<(String, String), u64>,
    /// Answers other than success, and associations that broke, by status.
    pub refusals: BTreeMap<String, u64>,
}

impl History {
    /// Begins one.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub(super) fn begin(file: &Path) -> anyhow::Result<Self> {
        let lines = File::create(file).with_context(|| format!("{} cannot be written", file.display()))?;
        let (images, faults, refusals) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let inner = Mutex::new(Inner { lines, images, faults, refusals });
        Ok(Self { began: Instant::now(), file: file.to_owned(), inner })
    }

    /// An image is about to be sent.
    pub(super) fn sent(&self, instance: &str) {
        let mut inner = self.inner();
        inner.images.entry(instance.to_owned()).or_default().tries += 1;
        self.write(&mut inner, json!({ "sent": instance }));
    }

    /// The device answered.
    pub(super) fn answered(&self, instance: &str, answer: &Answer) {
        let mut inner = self.inner();
        if answer.is_accepted() {
            inner.images.entry(instance.to_owned()).or_default().acknowledged = true;
        } else {
            *inner.refusals.entry(answer.status.clone()).or_default() += 1;
        }
        self.write(&mut inner, json!({ "answered": instance, "status": answer.status }));
    }

    /// An association was refused or broke off.
    pub(super) fn broke_off(&self) {
        *self.inner().refusals.entry("no association, or broken off".to_owned()).or_default() += 1;
    }

    /// Something was done to somebody.
    pub(super) fn fault(&self, kind: &str, whom: &str) {
        let mut inner = self.inner();
        *inner.faults.entry((kind.to_owned(), whom.to_owned())).or_default() += 1;
        self.write(&mut inner, json!({ "fault": kind, "whom": whom }));
    }

    /// Something that is worth a line and no count.
    pub(super) fn note(&self, words: &str) {
        let mut inner = self.inner();
        self.write(&mut inner, json!({ "note": words }));
    }

    /// All that was counted so far.
    #[must_use]
    pub(super) fn record(&self) -> Record {
        let inner = self.inner();
        Record { images: inner.images.clone(), faults: inner.faults.clone(), refusals: inner.refusals.clone() }
    }

    fn write(&self, inner: &mut Inner, mut line: Value) {
        line["ms"] = json!(self.began.elapsed().as_millis() as u64);
        // What counts is in memory; a line that a full disk does not take is missed by a reader only.
        let _ = writeln!(inner.lines, "{line}");
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// Images that were sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.images.len()
    }

    /// Images that the device promised to keep.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.images.values().filter(|image| image.acknowledged).count()
    }

    /// Faults of kinds that end a process at once.
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.faults
            .iter()
            .filter(|((kind, _), _)| kind == super::KILLED || kind == super::DIED_AT)
            .map(|(_, n)| n)
            .sum()
    }
}
