//! What became of each image, step by step, for the hospital's own OpenTelemetry collector. Off unless configured. It never
//! makes an image wait, keeps nothing on the disk, and holds nothing about a patient: outcome, codes, versions and times.

mod exporter;
mod tree;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{counter, describe_counter};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde::Deserialize;
use tokio::sync::mpsc;
use ureq::http::Uri;
use vitals::config::Mistakes;
use wire::ids::DeviceId;

pub use self::exporter::Exporter;
pub use self::tree::{Bringer, Concluded};
use crate::world::World;

/// Images whose spans wait for the collector, at most: some 5 MB, and ten seconds of a collector that hangs at a hundred
/// images a second. What does not fit is dropped and counted.
const WAITING: usize = 1024;

/// `[telemetry]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Base address of a collector that speaks OTLP over HTTP, such as `https://10.1.2.9:4318`; none is told anything where
    /// it is absent.
    pub otlp_endpoint: Option<String>,
    /// The authority of its certificate, PEM; for https:// without it, those that this machine believes.
    pub otlp_ca: Option<PathBuf>,
}

impl TelemetryConfig {
    /// What cannot work in `[telemetry]`.
    pub(crate) fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        let fine = self.otlp_endpoint.as_deref().is_none_or(|endpoint| traces_url(endpoint).is_some());
        let remedy = "name a collector of your own network as https://HOST:4318 or http://HOST:4318, without a name or \
                      password in it";
        mistakes.require(fine, "otlp_endpoint", remedy);
        let secured = self.otlp_endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("https://"));
        mistakes.require(self.otlp_ca.is_none() || secured, "otlp_ca", "it is for https://; leave it out for http://");
    }
}

/// Where spans are handed over; clones share it. The default hands them to nobody.
#[derive(Clone, Default)]
pub struct Spans(Option<Handover>);

#[derive(Clone)]
struct Handover {
    waiting: mpsc::Sender<Vec<Span>>,
    /// That spans are lost was said, and none went out since.
    said: Arc<AtomicBool>,
    world: World,
}

impl Spans {
    /// With who brings them to the collector, if one is configured.
    #[must_use]
    pub fn open(config: &TelemetryConfig, device: &DeviceId, world: World) -> (Self, Option<Exporter>) {
        let Some(url) = config.otlp_endpoint.as_deref().and_then(traces_url) else { return (Self(None), None) };
        let (waiting, handed) = mpsc::channel(WAITING);
        let said = Arc::new(AtomicBool::new(false));
        let exporter = Exporter::new(url, config.otlp_ca.clone(), device, handed, Arc::clone(&said));
        (Self(Some(Handover { waiting, said, world })), Some(exporter))
    }

    /// An image got its result.
    pub fn concluded(&self, image: &Concluded<'_>) {
        if let Some(handover) = &self.0 {
            handover.hand_over(tree::of_image(image, handover.world.random));
        }
    }

    /// Images were brought under this trace context, from `began_ms` (milliseconds since the Unix epoch) until now.
    pub fn brought(&self, by: Bringer, traceparent: &str, began_ms: i64) {
        if let Some(handover) = &self.0 {
            handover.hand_over(tree::of_bringer(by, traceparent, began_ms, (handover.world.now_ms)()));
        }
    }
}

impl Handover {
    fn hand_over(&self, spans: Vec<Span>) {
        let count = spans.len();
        // An empty batch would tell the exporter that nothing more comes.
        if count > 0 && self.waiting.try_send(spans).is_err() {
            lost(count, "full", "the collector is too slow", &self.said);
        }
    }
}

/// Says what each metric of this room means.
pub fn describe() {
    describe_counter!("spans_exported_total", "Spans that the OTLP collector took");
    describe_counter!(
        "spans_dropped_total",
        "Spans that the OTLP collector never got, by reason (full: too many waited; refused; unreachable)"
    );
}

/// Counts what is lost, and says so once until something goes out again.
fn lost(spans: usize, reason: &'static str, why: &str, said: &AtomicBool) {
    counter!("spans_dropped_total", "reason" => reason).increment(spans as u64);
    if !said.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            reason,
            why,
            "spans are lost; images are not: look at the collector and at [telemetry] otlp_endpoint"
        );
    }
}

/// Where traces are posted below a collector's base address (OTLP 1.3, OTLP/HTTP Request), or `None` for what is no such
/// address.
fn traces_url(endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.parse().ok()?;
    let authority = uri.authority()?;
    let fine = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.query().is_none()
        && !authority.as_str().contains('@')
        && !authority.host().is_empty();
    fine.then(|| format!("{}/v1/traces", endpoint.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_the_base_and_nowhere_else() {
        for (endpoint, expected) in [
            ("http://10.1.2.9:4318", Some("http://10.1.2.9:4318/v1/traces")),
            ("http://[fd00::1]:4318/", Some("http://[fd00::1]:4318/v1/traces")),
            ("http://collector/otlp", Some("http://collector/otlp/v1/traces")),
            ("https://collector:4318", Some("https://collector:4318/v1/traces")),
            ("ftp://collector:4318", None),
            ("http://who:secret@collector:4318", None),
            ("http://collector:4318?key=secret", None),
            ("http://:4318", None),
            ("collector:4318", None),
            ("/v1/traces", None),
            ("", None),
        ] {
            assert_eq!(traces_url(endpoint).as_deref(), expected, "{endpoint}");
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_nobody_waits() {
        let config = TelemetryConfig { otlp_endpoint: Some("http://127.0.0.1:1".to_owned()), otlp_ca: None };
        let world = World { now_ms: || 2, random: || [1; 16] };
        let (spans, exporter) = Spans::open(&config, &"lab-1".parse().unwrap(), world);
        let handover = spans.0.clone().unwrap();
        let bring = || spans.brought(Bringer::Association, &world.trace(), 1);
        (0..WAITING).for_each(|_| bring());
        assert!(handover.waiting.capacity() == 0 && !handover.said.load(Ordering::Relaxed));
        bring();
        assert!(handover.said.load(Ordering::Relaxed), "it is said once that spans are lost");
        drop(exporter);
    }
}
