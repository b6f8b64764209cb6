//! Measures what waits, every few seconds: for the gauges, the status page and the watchdog. It changes nothing.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;

use crate::journal::{Journal, Levels};
use crate::spool::Spool;
use crate::world::World;

/// Between two measurements: fine enough for a scrape every 15 s.
const PERIOD: Duration = Duration::from_secs(2);

/// What a technician reads where the file system takes nothing any more.
const READ_ONLY: &str = "the disk that holds state_dir has become read-only, which the system does where a disk fails: scanners are \
                         refused, nothing acknowledged is lost; look at `dmesg` and make it writable again";

/// Who measures.
pub struct Gauge {
    /// The database.
    pub journal: Journal,
    /// The disk.
    pub spool: Spool,
    /// Condition of the database.
    pub journal_health: Part,
    /// Condition of the disk.
    pub disk_health: Part,
    /// Clock.
    pub world: World,
}

impl Gauge {
    /// Measures until `stop`, telling of each on `levels`.
    pub async fn run(self, levels: watch::Sender<Levels>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(PERIOD);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            match self.journal.levels().await {
                Ok(found) => {
                    self.journal_health.up();
                    self.show(&found);
                    levels.send_replace(found);
                }
                Err(error) => self.journal_health.down(&vitals::exit::chain(&error)),
            }
            match self.spool.has_room() {
                Ok(_) if self.spool.is_read_only().unwrap_or(false) => self.disk_health.down(READ_ONLY),
                Ok(true) => self.disk_health.up(),
                Ok(false) => self
                    .disk_health
                    .down("the disk that holds state_dir is almost full: scanners are refused; free space on it"),
                Err(error) => self.disk_health.down(&vitals::exit::chain(&error)),
            }
        }
    }

    fn show(&self, levels: &Levels) {
        let age_ms = levels.depth.oldest_ms.map_or(0, |oldest| (self.world.now_ms)().saturating_sub(oldest).max(0));
        gauge!("outbox_depth").set(levels.depth.waiting as f64);
        gauge!("outbox_oldest_message_age_seconds").set(age_ms as f64 / 1e3);
        gauge!("outbox_rejected").set(levels.depth.rejected as f64);
        for (state, count) in [
            ("accepted", levels.counts.accepted),
            ("concluded", levels.counts.concluded),
            ("receipted", levels.counts.receipted),
        ] {
            gauge!("journal_images", "state" => state).set(count as f64);
        }
    }
}

/// Says what each metric of the appliance means.
pub fn describe() {
    describe_counter!("dicom_associations_total", "Associations ended or refused, by outcome");
    describe_counter!("dicom_stores_total", "C-STORE requests answered, by status");
    describe_counter!("stow_requests_total", "STOW-RS requests answered, by HTTP status");
    describe_counter!(
        "dicom_instances_total",
        "Objects stored: new, again (a resend), conflicting (other bytes under a known UID)"
    );
    describe_counter!("dicom_commitment_requests_total", "Requests for storage commitment, by outcome");
    describe_counter!("dicom_commitment_reports_total", "Reports of storage commitment brought to scanners, by way");
    describe_counter!("pneumonia_predictions_total", "Images read by the model, by finding");
    describe_counter!(
        "predictions_total",
        "Images concluded, by model version and status (read, abstained, unreadable)"
    );
    describe_counter!("pipeline_retries_total", "Attempts repeated for a reason that was not the image's fault");
    describe_gauge!("build_info", "1, with the version of this program");
    describe_gauge!("dicom_associations_open", "Associations open now");
    describe_gauge!(
        "decoder_confined",
        "1 while the kernel filters the decoding processes' system calls, 0 where it cannot"
    );
    describe_gauge!("outbox_depth", "Messages without a receipt");
    describe_gauge!("outbox_oldest_message_age_seconds", Unit::Seconds, "Age of the oldest message without a receipt");
    describe_gauge!("databases_put_aside", "Device databases that were found damaged and wait to be looked at");
    describe_gauge!("outbox_rejected", "Messages that the gateway rejected");
    describe_gauge!("journal_images", "Images by state: accepted (unread), concluded (result waits), receipted");
    describe_histogram!("dicom_store_duration_seconds", Unit::Seconds, "From a C-STORE command to its response");
    describe_counter!(
        "inference_process_replacements_total",
        "Inference processes replaced, by reason (died, hung, nonsense, failed, memory, age, another model)"
    );
    describe_counter!("shadow_images_dropped_total", "Images that the candidate model was too slow to see");
    describe_counter!("shadow_pairs_dropped_total", "Answers of the candidate model that nobody counted in time");
    describe_gauge!("model_in_use", "1 for the model in use, by model, version and execution provider");
    describe_histogram!("inference_batch_images", "Images in a batch");
    describe_histogram!("model_inference_duration_seconds", Unit::Seconds, "Time of a batch in the model");
    describe_histogram!(
        "stage_duration_seconds",
        Unit::Seconds,
        "Time of each stage of an image: receive, decode, queue, transfer, infer, total"
    );
}
