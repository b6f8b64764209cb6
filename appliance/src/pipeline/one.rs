//! One image from the journal to its result. Whatever is not the image's fault is tried again; whatever is ends as a result
//! that says so.

use std::fs::File;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use metrics::{counter, histogram};
use outbox::{Instance, OutboxError};
use reader::inference::InferError;
use reader::pixels::Unreadable;
use reader::pixels::sandbox::SandboxError;
use reader::reading::{ReadingError, StageTimes};
use reader::{Outcome, Priority, Reading, Reason};
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::{PLAIN_MIB, Pipeline};
use crate::journal::JournalError;
use crate::ledger::Line;
use crate::quarantine::Note;
use crate::result_record::{self, Source};
use crate::spans::Concluded;
use crate::spool::SpoolError;

/// Readings begun for one image before it is given up: a crash may be chance once, and chance twice is rare.
const MAX_ATTEMPTS: u32 = 3;

/// Times the machine may kill a decoding process or refuse it the file, or inference processes may fail on it alone, before the image is given up: with the pauses between
/// them some two minutes. Mostly the machine is at fault and recovers; an image that is, must end as a result.
const MAX_REFUSALS: u32 = 12;

/// Age from which an image counts as backlog: nobody stands at the scanner for it any more.
const BACKLOG_AFTER_MS: i64 = 60_000;

/// First pause after a failure that is not the image's fault; doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest a reading in hand may take once the service was asked to stop; then it is left for the next start. Most take
/// under a second. A decoding process may take longer, and the service's own grace must outlast this, so that the journal
/// learns of it.
const AFTER_STOP: Duration = Duration::from_secs(10);

/// Longest pause: a disk that is full is looked at twice a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Pipeline {
    /// Reads and concludes one image. Returns early only at a stop; the image is then read at the next start.
    pub(super) async fn read_one(&self, image: Instance, stop: &CancellationToken) {
        if image.attempts >= MAX_ATTEMPTS {
            tracing::error!(attempts = image.attempts, "an image is given up: each reading of it ended the service");
            let _ = self.end(&image, &crashed(), stop).await;
            return;
        }
        // Without a model nothing is begun, so that no number of restarts meanwhile looks like a crash of the image's making.
        if !matches!(stop.run_until_cancelled(self.reader.engine().ready()).await, Some(Ok(_))) {
            return;
        }
        if self.patiently(stop, || self.journal.begin_reading(image.id)).await.is_none() {
            return;
        }
        let ended = match self.reading(&image, stop).await {
            Some(reading) => self.end(&image, &reading, stop).await,
            None => None,
        };
        if ended.is_none() && stop.is_cancelled() {
            // Three stops must not look like three crashes. If this fails too, one attempt is counted too many.
            let _ = self.journal.withdraw_reading(image.id).await;
        }
    }

    /// One reading; `None` where a stop leaves no time for it.
    async fn reading(&self, image: &Instance, stop: &CancellationToken) -> Option<Reading> {
        let refusals = AtomicU32::new(0);
        let reading = self.patiently(stop, || async {
            let _memory = self.memory_for(image).await;
            let object = match self.open(image).await {
                Ok(Some(object)) => object,
                Ok(None) => return Ok(gone()),
                Err(NotNow::Spool(SpoolError::Damaged(what))) => {
                    tracing::error!(what, "a stored file is damaged; look at the disk and at who else writes there");
                    return Ok(damaged());
                }
                Err(NotNow::Spool(error)) if error.is_medium() && given_up(&refusals) => return Ok(damaged()),
                Err(error) => return Err(error),
            };
            match self.reader.read(object, priority(image.received_ms, (self.world.now_ms)())).await {
                Err(
                    ReadingError::Sandbox(SandboxError::Killed | SandboxError::Stopped | SandboxError::Machine { .. })
                    | ReadingError::Infer(InferError::Fatal { .. }),
                ) if given_up(&refusals) => Ok(crashed()),
                other => other.map_err(NotNow::Reading),
            }
        });
        let too_late = async {
            stop.cancelled().await;
            tokio::time::sleep(AFTER_STOP).await;
        };
        tokio::select! {
            reading = reading => reading,
            () = too_late => None,
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

    async fn end(&self, image: &Instance, reading: &Reading, stop: &CancellationToken) -> Option<()> {
        let read_ms = (self.world.now_ms)();
        if let Outcome::Unreadable(reason) = &reading.outcome {
            self.keep_aside(image, reason).await;
        }
        let concluded = self.conclude(image, reading, stop).await?;
        self.health.up();
        if !concluded {
            return Some(());
        }
        let model = self.reader.engine().model();
        let version = model.as_ref().map_or("none", |model| &model.manifest.version);
        let concluded_ms = (self.world.now_ms)();
        measure(image, reading, version, concluded_ms);
        self.spans.concluded(&Concluded { image, reading, read_ms, concluded_ms });
        Some(())
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
        let mut pause = FIRST_PAUSE;
        loop {
            match attempt().await {
                Ok(done) => return Some(done),
                Err(error) => self.health.down(&vitals::exit::chain(&error)),
            }
            counter!("pipeline_retries_total").increment(1);
            stop.run_until_cancelled(tokio::time::sleep(pause)).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
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

/// The reading of an image whose file is no longer in the spool.
fn gone() -> Reading {
    unreadable(Unreadable::NotFound.reason())
}

/// The reading of an image whose file is no longer what was received.
fn damaged() -> Reading {
    let words = "the stored file was damaged on the appliance's disk; send the image again and look at the disk";
    unreadable(Reason { code: "file_damaged".to_owned(), words: words.to_owned() })
}

/// Counts one more refusal of the machine; true with the last that is borne.
fn given_up(refusals: &AtomicU32) -> bool {
    refusals.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_REFUSALS
}

/// An image that comes now is read before what had piled up.
fn priority(received_ms: i64, now_ms: i64) -> Priority {
    if now_ms.saturating_sub(received_ms) > BACKLOG_AFTER_MS { Priority::Backlog } else { Priority::Live }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_had_piled_up_comes_after_what_comes_now() {
        for (age_ms, expected) in
            [(-5, Priority::Live), (0, Priority::Live), (60_000, Priority::Live), (60_001, Priority::Backlog)]
        {
            assert_eq!(priority(1_000_000, 1_000_000 + age_ms), expected, "{age_ms}");
        }
        assert_eq!(priority(i64::MIN, i64::MAX), Priority::Backlog);
    }
}
