//! Takes what devices send and gives receipts for what is committed. It never acknowledges anything before its commit.
//!
//! A message goes through [`judge`] (pure: accepted or refused, and why), [`desk`] (one transaction for a handful of
//! them) and [`receipt`]; [`session`] is one connection to the broker and [`run`] makes a new one whenever it ends.

use std::sync::Arc;
use std::time::Duration;

use metrics::{describe_counter, describe_histogram};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;

pub mod desk;
pub mod judge;
pub mod receipt;
pub mod session;
pub mod tls;

use crate::config::MqttConfig;
use desk::Desk;

/// How long one connection's last messages may take to be committed and answered once the service stops; systemd and
/// Kubernetes grant 30 s and more.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Says what this room measures, once a recorder is there.
pub fn describe_metrics() {
    describe_counter!("ingest_stored_total", "Messages stored for the first time, by kind");
    describe_counter!("ingest_replays_total", "Messages that were stored before and had no second effect");
    describe_counter!("ingest_refused_total", "Messages refused, by reason");
    describe_counter!("ingest_dropped_total", "Unacknowledged kinds of message dropped because the queue was full");
    describe_counter!("ingest_sessions_lost_total", "Connections to the broker that ended unasked");
    describe_counter!("receipts_total", "Batches of receipts, by whether they could be handed to the broker");
    describe_counter!("predictions_total", "Results stored, by model version and outcome");
    describe_counter!("pneumonia_predictions_total", "Results that the model read, by finding");
    describe_histogram!(
        "model_inference_duration_seconds",
        metrics::Unit::Seconds,
        "Time in the model on the device, as it reported it"
    );
}

/// Takes messages until `stop`, connecting again for ever: there is nothing better that an ingest could do. Lines of the broker's
/// log go to `log`.
pub async fn run(
    config: MqttConfig,
    tls: Arc<rustls::ClientConfig>,
    desk: Arc<Desk>,
    log: mpsc::Sender<String>,
    part: Part,
    stop: CancellationToken,
) {
    let client_id = format!("gateway-{}", uuid::Uuid::new_v4().simple());
    let mut failures = 0;
    while !stop.is_cancelled() {
        let session = session::run(&config, &client_id, tls.clone(), desk.clone(), &log, &part, stop.clone());
        let ended = tokio::select! {
            ended = session => ended,
            () = too_late(&stop) => break,
        };
        match ended {
            Ok(()) => break,
            Err(ended) => {
                failures = if ended.was_useful() { 0 } else { failures + 1 };
                metrics::counter!("ingest_sessions_lost_total").increment(1);
                part.down(&vitals::exit::chain(&ended.error));
            }
        }
        let wait = wire::backoff::BROKER.delay(failures, rand::random());
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            break;
        }
    }
    part.down("stopped");
}

async fn too_late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(DRAIN).await;
    tracing::warn!(grace_ms = DRAIN.as_millis(), "left the broker with messages unanswered; they will be sent again");
}
