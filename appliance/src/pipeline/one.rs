//! One image from the journal to its result. Whatever is not the image's fault is tried again; whatever is ends as a result
//! that says so.

use std::fs::File;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fail_points::Point;
use metrics::{counter, histogram};
use outbox::{Instance, OutboxError};
use reader::inference::{Admission, InferError};
use reader::pixels::Unreadable;
use reader::pixels::sandbox::SandboxError;
use reader::reading::{ReadingError, StageTimes};
use reader::{Outcome, Priority, Reading, Reason};
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::turns::{MAX_ATTEMPTS, Tries, pause, priority};
use super::{PLAIN_MIB, Pipeline};
use crate::journal::JournalError;
use crate::ledger::Line;
use crate::quarantine::Note;
use crate::result_record::{self, Source};
use crate::spans::Concluded;
use crate::spool::SpoolError;

/// Longest a reading in hand may take once the service was asked to stop; then it is left for the next start. Most take
/// under a second. A decoding process may take longer, and the service's own grace must outlast this, so that the journal
/// learns of it.
const AFTER_STOP: Duration = Duration::from_secs(10);

/// What became of an image in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It has its one result, or is to be read from another file.
    Concluded,
    /// Not this time. `refused` where it may be the image that the machine will not have.
    Failed {
        /// See there.
        refused: bool,
    },
    /// It was let go: the service stops, or the device is too hot for what can wait.
    Left,
}

impl Pipeline {
    /// Reads and concludes one image that has been through `tries`. What is not concluded is as it was before.
    pub(super) async fn read_one(&self, image: Instance, tries: Tries, stop: &CancellationToken) -> Ended {
        if image.attempts >= MAX_ATTEMPTS {
            tracing::error!(attempts = image.attempts, "an image is given up: each reading of it ended the service");
            return self.end(&image, &crashed(), stop).await;
        }
        // Without a model nothing is begun, so that no number of restarts meanwhile looks like a crash of the image's making.
        if !matches!(stop.run_until_cancelled(self.reader.engine().ready()).await, Some(Ok(_))) {
            return Ended::Left;
        }
        if self.patiently(stop, || self.journal.begin_reading(image.id)).await.is_none() {
            return Ended::Left;
        }
        fail_points::reach(Point::ReadingBegun);
        let ended = match self.within(&image, tries, stop).await {
            Some(Ok(reading)) => self.end(&image, &reading, stop).await,
            Some(Err(error)) => {
                self.health.down(&vitals::exit::chain(&error));
                counter!("pipeline_retries_total").increment(1);
                // Whoever waits for the machine has made nothing crash. If this fails, one attempt is counted too many.
                let _ = self.journal.withdraw_reading(image.id).await;
                return Ended::Failed { refused: error.is_refusal() };
            }
            None => Ended::Left,
        };
        if ended == Ended::Left {
            // Three stops must not look like three crashes.
            let _ = self.journal.withdraw_reading(image.id).await;
        }
        ended
    }

    /// [`Self::reading`]; `None` where a stop leaves no time for it, or where it can wait and the device is too hot.
    async fn within(
        &self,
        image: &Instance,
        tries: Tries,
        stop: &CancellationToken,
    ) -> Option<Result<Reading, NotNow>> {
        let priority = priority(image.rank, image.received_ms, (self.world.now_ms)());
        let too_late = async {
            stop.cancelled().await;
            tokio::time::sleep(AFTER_STOP).await;
        };
        let mut admission = self.reader.engine().admission();
        let held_back = async {
            let closed = |admission: &Admission| priority == Priority::Backlog && !admission.backlog;
            if admission.wait_for(closed).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            reading = self.reading(image, priority, tries) => Some(reading),
            () = too_late => None,
            () = held_back => None,
        }
    }

    /// One try.
    async fn reading(&self, image: &Instance, priority: Priority, tries: Tries) -> Result<Reading, NotNow> {
        let _memory = self.memory_for(image).await;
        let object = match self.open(image).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(gone()),
            Err(NotNow::Spool(SpoolError::Damaged(what))) => {
                tracing::error!(what, "a stored file is damaged; look at the disk and at who else writes there");
                return Ok(damaged());
            }
            Err(error) if error.is_refusal() && tries.is_last() => return Ok(damaged()),
            Err(error) => return Err(error),
        };
        match self.reader.read(object, priority).await.map_err(NotNow::Reading) {
            Err(error) if error.is_refusal() && tries.is_last() => Ok(crashed()),
            other => other,
        }
    }

    /// Room for its plain bytes, to be held as long as they are in memory.
    async fn memory_for(&self, image: &Instance) -> Option<SemaphorePermit<'_>> {
        let bytes = std::fs::metadata(self.spool.path(&image.file)).map_or(0, |file| file.len());
        let mib = u32::try_from(bytes >> 20).unwrap_or(PLAIN_MIB).saturating_add(1).min(PLAIN_MIB);
        self.memory.acquire_many(mib).await.ok()
    }

    /// The image's file, or `None` where it is gone for good.
    async fn open(&self, image: &Instance) -> Result<Option<File>, NotNow> {
        let opened = self.open_file(image.file.clone()).await;
        if matches!(opened, Ok(Some(_)) | Err(NotNow::Reading(_))) {
            return opened;
        }
        // Sent again since it was listed, it lies under another name.
        match self.journal.file_of(image.id).await? {
            Some(file) if file != image.file => self.open_file(file).await,
            _ => opened,
        }
    }

    async fn open_file(&self, file: String) -> Result<Option<File>, NotNow> {
        let spool = self.spool.clone();
        let opened = tokio::task::spawn_blocking(move || spool.open_plain(&file)).await;
        Ok(opened.map_err(|_| ReadingError::Interrupted)??)
    }

    async fn end(&self, image: &Instance, reading: &Reading, stop: &CancellationToken) -> Ended {
        fail_points::reach(Point::ReadingEnded);
        let read_ms = (self.world.now_ms)();
        if let Outcome::Unreadable(reason) = &reading.outcome {
            self.keep_aside(image, reason).await;
        }
        match self.conclude(image, reading, stop).await {
            None if stop.is_cancelled() => return Ended::Left,
            None => return Ended::Failed { refused: false },
            Some(false) => return Ended::Concluded,
            Some(true) => {}
        }
        let model = self.reader.engine().model();
        let version = model.as_ref().map_or("none", |model| &model.manifest.version);
        let concluded_ms = (self.world.now_ms)();
        measure(image, reading, version, concluded_ms);
        self.spans.concluded(&Concluded { image, reading, read_ms, concluded_ms });
        Ended::Concluded
    }

    /// False where the journal would not have it: it has its one result already, or its file, whose loss this tells of, came
    /// again meanwhile and is to be read.
    async fn conclude(&self, image: &Instance, reading: &Reading, stop: &CancellationToken) -> Option<bool> {
        let now_ms = (self.world.now_ms)();
        let source = Source {
            image,
            reading,
            privacy: &self.privacy,
            site: &self.site,
            now_ms,
            ids: [self.world.uuid(), self.world.uuid()],
            // A file system that does not say is tried: the commit tells, and is tried again.
            with_picture: self.spool.has_room_for_pictures().unwrap_or(true),
        };
        // Compressing a picture takes some 10 ms, in which associations want to be served.
        let messages = match tokio::task::block_in_place(|| result_record::messages(&source)) {
            Ok(messages) => messages,
            Err(error) => {
                self.health
                    .down(&format!("a result could not be encoded ({error}); report this with the software's version"));
                return None;
            }
        };
        let when = (now_ms, source.with_picture);
        let owed = match self.dispatch.owed(image, reading, result_record::told(&source), when) {
            Ok(owed) => owed.map(Arc::new),
            Err(error) => {
                self.health.down(&vitals::exit::chain(&error));
                return None;
            }
        };
        let line = Arc::new(Line::of(image, reading, &self.privacy, &self.dispatch.at_rest, now_ms));
        let concluded = self.patiently(stop, || async {
            let trace = image.traceparent.clone();
            match self
                .journal
                .conclude(image.id, now_ms, trace, messages.clone(), owed.clone(), Arc::clone(&line))
                .await
            {
                Err(JournalError::Outbox(OutboxError::Refused { .. })) => Ok(false),
                other => other.map(|()| true),
            }
        });
        let concluded = concluded.await?;
        if concluded && owed.is_some() {
            self.dispatch.arrived.notify_waiters();
        }
        Some(concluded)
    }

    async fn keep_aside(&self, image: &Instance, reason: &Reason) {
        let (spool, quarantine, file) = (self.spool.clone(), self.quarantine.clone(), image.file.clone());
        let (reason, kept_at_ms) = (reason.clone(), (self.world.now_ms)());
        let kept = tokio::task::spawn_blocking(move || {
            let note = Note {
                code: reason.code,
                words: reason.words,
                kept_at_ms,
                appliance_version: env!("CARGO_PKG_VERSION").to_owned(),
            };
            quarantine.keep(&spool, &file, &note)
        });
        // The result matters more than the copy: the spool keeps the file until the receipt anyway.
        if let Ok(Err(error)) = kept.await {
            tracing::warn!(error = vitals::exit::chain(&error), "an unreadable file was not kept aside");
        }
    }

    /// Tries until it works; `None` at a stop.
    async fn patiently<T, E, F>(&self, stop: &CancellationToken, mut attempt: impl FnMut() -> F) -> Option<T>
    where
        E: std::error::Error + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let mut failures = 0_u32;
        loop {
            match attempt().await {
                Ok(done) => return Some(done),
                Err(error) => self.health.down(&vitals::exit::chain(&error)),
            }
            counter!("pipeline_retries_total").increment(1);
            failures = failures.saturating_add(1);
            stop.run_until_cancelled(tokio::time::sleep(pause(failures))).await?;
        }
    }
}

/// Why an image was not read this time.
#[derive(Debug, thiserror::Error)]
enum NotNow {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Reading(#[from] ReadingError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl NotNow {
    /// True where the machine has refused this very image: mostly it recovers, but where it never does, the image is given up.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Spool(error) => error.is_medium(),
            Self::Reading(ReadingError::Sandbox(error)) => {
                matches!(error, SandboxError::Killed | SandboxError::Stopped | SandboxError::Machine { .. })
            }
            Self::Reading(ReadingError::Infer(error)) => matches!(error, InferError::Fatal { .. }),
            Self::Reading(ReadingError::Interrupted) | Self::Journal(_) => false,
        }
    }
}

/// The reading of an image whose file is no longer in the spool.
fn gone() -> Reading {
    unreadable(Unreadable::NotFound.reason())
}

/// The reading of an image whose file is no longer what was received.
fn damaged() -> Reading {
    let words = "the stored file was damaged on the appliance's disk; send the image again and look at the disk";
    unreadable(Reason { code: "file_damaged".to_owned(), words: words.to_owned() })
}

/// The reading of an image that ended the service each time.
fn crashed() -> Reading {
    let words = "the service or its decoder ended each time it read this image; the file is kept aside for analysis";
    unreadable(Reason { code: "reader_crashed".to_owned(), words: words.to_owned() })
}

fn unreadable(reason: Reason) -> Reading {
    Reading {
        about: None,
        preview: None,
        outcome: Outcome::Unreadable(reason),
        caveats: Vec::new(),
        times: StageTimes::default(),
    }
}

/// Counts, times and logs one result; no label or field holds anything about the patient.
fn measure(image: &Instance, reading: &Reading, model_version: &str, now_ms: i64) {
    let times = &reading.times;
    let total_ms = now_ms.saturating_sub(image.received_ms).max(0) as f64;
    let (status, detail) = match &reading.outcome {
        Outcome::Read { finding, .. } => {
            let finding = if finding.positive { "positive" } else { "negative" };
            counter!("pneumonia_predictions_total", "finding" => finding).increment(1);
            histogram!("model_inference_duration_seconds").record(times.infer_ms / 1e3);
            stage("queue", times.queue_ms);
            stage("transfer", times.transfer_ms);
            stage("infer", times.infer_ms);
            ("read", finding.to_owned())
        }
        Outcome::Abstained(reason) => ("abstained", reason.code.clone()),
        Outcome::Unreadable(reason) => ("unreadable", reason.code.clone()),
    };
    let version = model_version.to_owned();
    counter!("predictions_total", "model_version" => version, "status" => status).increment(1);
    stage("receive", image.receive_ms);
    stage("decode", times.decode_ms);
    stage("total", total_ms);
    tracing::info!(
        trace = image.traceparent.as_deref(),
        source = image.source,
        outcome = status,
        detail,
        receive_ms = tenths(image.receive_ms),
        decode_ms = tenths(times.decode_ms),
        queue_ms = tenths(times.queue_ms),
        transfer_ms = tenths(times.transfer_ms),
        infer_ms = tenths(times.infer_ms),
        total_ms,
        "image concluded"
    );
}

/// For people's eyes: what is finer is in the histograms.
fn tenths(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

fn stage(name: &'static str, ms: f64) {
    histogram!("stage_duration_seconds", "stage" => name).record(ms / 1e3);
}
