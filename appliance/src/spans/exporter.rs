//! Brings spans to the collector: in batches, a few times over, then not at all. It never holds up a stop for long.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::counter;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::ids::DeviceId;

use super::lost;
use super::tree::text;
use crate::http_client::{self, Papers};

/// Spans in one request: some 100 kB, far below the 4 MiB that collectors commonly take.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others: nobody watches a trace faster.
const LINGER: Duration = Duration::from_secs(1);
/// Time for a request: a collector on the same network takes milliseconds.
const ANSWER: Duration = Duration::from_secs(5);
/// Times that a batch is brought: with the pauses between them some 15 seconds, a collector's restart.
const ATTEMPTS: u32 = 5;
/// Pause after the first failure; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause that a collector may ask for: what waits meanwhile is bounded.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Bytes of an answer that are looked at: it holds a number and a sentence.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Who brings spans to the collector.
pub struct Exporter {
    url: String,
    ca: Option<PathBuf>,
    resource: Resource,
    handed: mpsc::Receiver<Vec<Span>>,
    said: Arc<AtomicBool>,
}

/// What became of a request.
#[derive(Debug, PartialEq)]
enum Answer {
    /// Taken but for so many spans.
    Taken { refused: usize },
    /// Never to be taken.
    Refused(String),
    /// To be tried again, after so long where the collector said it.
    Later { why: String, after: Option<Duration> },
}

impl Exporter {
    pub(super) fn new(
        url: String,
        ca: Option<PathBuf>,
        device: &DeviceId,
        handed: mpsc::Receiver<Vec<Span>>,
        said: Arc<AtomicBool>,
    ) -> Self {
        let attributes = vec![
            text("service.name", "hilum-appliance"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", device.as_str()),
        ];
        Self { url, ca, resource: Resource { attributes, ..Resource::default() }, handed, said }
    }

    /// Brings what is handed over until `stop`, then what is there already, once.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let batch = self.gather(&stop).await;
            if batch.is_empty() {
                return;
            }
            self.bring(batch, &stop).await;
        }
    }

    /// The next batch; empty once there is nothing left after `stop`.
    async fn gather(&mut self, stop: &CancellationToken) -> Vec<Span> {
        let Some(first) = stop.run_until_cancelled(self.handed.recv()).await else { return self.rest() };
        let mut batch = first.unwrap_or_default();
        let until = Instant::now() + LINGER;
        while batch.len() < BATCH {
            let more = tokio::time::timeout_at(until, self.handed.recv());
            match stop.run_until_cancelled(more).await {
                Some(Ok(Some(more))) => batch.extend(more),
                _ => break,
            }
        }
        batch
    }

    fn rest(&mut self) -> Vec<Span> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Ok(more) = self.handed.try_recv() else { break };
            batch.extend(more);
        }
        batch
    }

    /// Brings one batch, more than once where that may help; after `stop` once more.
    async fn bring(&self, batch: Vec<Span>, stop: &CancellationToken) {
        let count = batch.len();
        let body: Arc<[u8]> = self.request(batch).encode_to_vec().into();
        let mut pause = FIRST_PAUSE;
        let mut last = String::new();
        for attempt in 1..=ATTEMPTS {
            match self.post(Arc::clone(&body)).await {
                Answer::Taken { refused } => return self.taken(count, refused.min(count)),
                Answer::Refused(why) => return lost(count, "refused", &why, &self.said),
                Answer::Later { why, after } => {
                    last = why;
                    if attempt == ATTEMPTS || stop.is_cancelled() {
                        break;
                    }
                    let pause = after.unwrap_or(pause).min(LONGEST_PAUSE);
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                }
            }
            pause *= 2;
        }
        lost(count, "unreachable", &last, &self.said);
    }

    fn taken(&self, count: usize, refused: usize) {
        counter!("spans_exported_total").increment((count - refused) as u64);
        if refused > 0 {
            lost(refused, "refused", "the collector refused some of them", &self.said);
        } else if self.said.swap(false, Ordering::Relaxed) {
            tracing::info!("spans reach the collector again");
        }
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope { name: "hilum".to_owned(), ..InstrumentationScope::default() };
        let scoped = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans: vec![scoped], ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }
    }

    /// The client blocks, so it works on a thread of its own.
    async fn post(&self, body: Arc<[u8]>) -> Answer {
        let (url, ca) = (self.url.clone(), self.ca.clone());
        let posted = tokio::task::spawn_blocking(move || post(&url, ca.as_deref(), &body)).await;
        posted.unwrap_or_else(|_| Answer::Refused("the request was cut short".to_owned()))
    }
}

fn post(url: &str, ca: Option<&Path>, body: &[u8]) -> Answer {
    let later = |why: String| Answer::Later { why, after: None };
    let agent = match http_client::agent(ANSWER, Papers { ca, system: true, own: None }) {
        Ok(agent) => agent,
        Err(error) => return later(error.to_string()),
    };
    let mut answer = match agent.post(url).header("Content-Type", "application/x-protobuf").send(body) {
        Ok(answer) => answer,
        Err(error) => return later(http_client::failure(&error).to_owned()),
    };
    let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
    judge(status, &body.unwrap_or_default(), after.map(Duration::from_secs))
}

/// OTLP 1.3, OTLP/HTTP Response: which answers may be tried again, and how many spans one may refuse.
fn judge(status: u16, body: &[u8], after: Option<Duration>) -> Answer {
    let why = || format!("the collector answers {status}");
    match status {
        200..=299 => {
            let refused = ExportTraceServiceResponse::decode(body).ok().and_then(|answer| answer.partial_success);
            let refused = refused.map_or(0, |partial| partial.rejected_spans);
            Answer::Taken { refused: usize::try_from(refused).unwrap_or(0) }
        }
        429 | 502 | 503 | 504 => Answer::Later { why: why(), after },
        _ => Answer::Refused(why()),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    #[test]
    fn what_may_be_tried_again_is_and_nothing_else() {
        let after = Some(Duration::from_secs(7));
        let later = |status: u16| Answer::Later { why: format!("the collector answers {status}"), after };
        for status in [429, 502, 503, 504] {
            assert_eq!(judge(status, b"", after), later(status));
        }
        for status in [301, 400, 401, 404, 413, 500] {
            assert_eq!(judge(status, b"", after), Answer::Refused(format!("the collector answers {status}")));
        }
    }

    #[test]
    fn an_answer_may_refuse_some() {
        let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "too old".to_owned() };
        let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        assert_eq!(judge(200, &body, None), Answer::Taken { refused: 3 });
        assert_eq!(judge(200, b"", None), Answer::Taken { refused: 0 });
        assert_eq!(judge(200, b"no protobuf", None), Answer::Taken { refused: 0 });
    }
}
