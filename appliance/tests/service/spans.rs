//! The spans of a running service, as a collector on the network gets them: decoded from its requests with OTLP's own types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use dicom_dictionary_std::tags;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::runtime::Runtime;

use super::*;

/// A collector that is busy at first, and keeps what it took afterwards.
struct Collector {
    runtime: Runtime,
    endpoint: String,
    asked: Arc<Mutex<Asked>>,
}

#[derive(Default)]
struct Asked {
    turned_away: u32,
    taken: Vec<Bytes>,
}

impl Collector {
    fn start() -> Self {
        let (runtime, asked) = (Runtime::new().unwrap(), Arc::new(Mutex::new(Asked::default())));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&asked));
        runtime.spawn(async { axum::serve(listener, router).await });
        Self { runtime, endpoint, asked }
    }

    fn taken(&self) -> Vec<Bytes> {
        self.asked.lock().unwrap().taken.clone()
    }

    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for body in self.taken() {
            for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
                let named = &resource.resource.as_ref().unwrap().attributes;
                assert!(named.iter().any(|named| named.key == "service.instance.id"), "{named:?}");
                spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        spans
    }
}

async fn take(State(asked): State<Arc<Mutex<Asked>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut asked = asked.lock().unwrap();
    if headers.get("content-type").is_none_or(|kind| kind != "application/x-protobuf") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    if asked.turned_away == 0 {
        asked.turned_away += 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    asked.taken.push(body);
    StatusCode::OK
}

fn export_to(lab: &Lab, endpoint: &str) {
    lab.configure(|text| format!("{text}[telemetry]\notlp_endpoint = \"{endpoint}\"\n"));
}

/// What the outbox says of each trace: how many results were concluded under it.
fn journalled(lab: &Lab) -> BTreeMap<String, usize> {
    let mut traces = BTreeMap::new();
    for message in lab.outbox().lease(1000, 0, 1).unwrap() {
        if message.kind == Up::Result {
            *traces.entry(message.traceparent.unwrap()).or_default() += 1;
        }
    }
    traces
}

#[test]
fn each_image_is_a_tree_of_spans_in_the_trace_that_the_journal_names() {
    let (lab, collector) = (Lab::new(), Collector::start());
    export_to(&lab, &collector.endpoint);
    let films = lab.synth(3);
    let service = lab.start();
    assert!(lab.send(&films).status.success());
    eventually("the collector turned spans away and got them again", || {
        collector.spans().iter().filter(|span| span.name == "image").count() == 3
    });
    let more = lab.draw(1, 6);
    assert!(lab.send(&more).status.success());
    lab.await_concluded(4);
    // What waits is brought while the service stops.
    stop(service);

    let (spans, traces) = (collector.spans(), journalled(&lab));
    assert_eq!(collector.asked.lock().unwrap().turned_away, 1);
    assert_eq!(traces.values().sum::<usize>(), 4, "{traces:?}");
    let ids: BTreeSet<&[u8]> = spans.iter().map(|span| span.span_id.as_slice()).collect();
    assert_eq!(ids.len(), spans.len(), "no span came twice");
    for (traceparent, images) in &traces {
        let [_, trace, parent, _] = traceparent.split('-').collect::<Vec<_>>().try_into().unwrap();
        let of_trace: Vec<&Span> = spans.iter().filter(|span| hex::encode(&span.trace_id) == trace).collect();
        let roots: Vec<&&Span> = of_trace.iter().filter(|span| span.parent_span_id.is_empty()).collect();
        assert!(matches!(roots[..], [root] if root.name == "association" && hex::encode(&root.span_id) == parent));
        let whole = of_trace.iter().filter(|span| span.name == "image");
        assert_eq!(whole.map(|image| check_image(image, roots[0], &of_trace)).count(), *images);
        assert_eq!(of_trace.len(), 1 + 8 * images, "nothing else is in the trace");
    }
    assert_eq!(spans.len(), traces.len() + 4 * 8);
    assert_no_patient(&collector.taken(), &films);
    collector.runtime.shutdown_background();
}

fn check_image(image: &Span, association: &Span, all: &[&Span]) {
    assert_eq!(image.parent_span_id, association.span_id);
    let said = |key: &str| {
        let found = image.attributes.iter().find(|attribute| attribute.key == key);
        match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
            Some(Value::StringValue(text)) => text.as_str(),
            other => panic!("{key}: {other:?}"),
        }
    };
    assert_eq!((said("hilum.outcome"), said("hilum.provider"), said("hilum.source")), ("read", "CPU", "XR-ROOM-1"));
    assert!(["positive", "negative"].contains(&said("hilum.finding")) && !said("hilum.model.version").is_empty());
    let steps: Vec<&&Span> = all.iter().filter(|span| span.parent_span_id == image.span_id).collect();
    let names: Vec<&str> = steps.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["receive", "wait", "decode", "queue", "transfer", "infer", "conclude"]);
    let mut at = image.start_time_unix_nano;
    for step in steps {
        assert!(step.start_time_unix_nano == at && step.end_time_unix_nano >= at, "{step:?}");
        at = step.end_time_unix_nano;
    }
    assert_eq!(at, image.end_time_unix_nano);
}

/// Nothing by which the films can be told is in what was sent.
fn assert_no_patient(bodies: &[Bytes], films: &Path) {
    let identifying = [
        tags::PATIENT_ID,
        tags::PATIENT_NAME,
        tags::ACCESSION_NUMBER,
        tags::STUDY_INSTANCE_UID,
        tags::SERIES_INSTANCE_UID,
        tags::SOP_INSTANCE_UID,
    ];
    let mut looked_for = 0;
    for film in std::fs::read_dir(films).unwrap() {
        let film = dicom_object::open_file(film.unwrap().path()).unwrap();
        for tag in identifying {
            let Some(value) = film.element_opt(tag).unwrap() else { continue };
            let value = value.to_str().unwrap().trim_end_matches([' ', '\0']).to_owned();
            if value.is_empty() {
                continue;
            }
            let value = value.as_bytes();
            assert!(bodies.iter().all(|body| !body.windows(value.len()).any(|window| window == value)), "{tag}");
            looked_for += 1;
        }
    }
    assert!(looked_for >= 6, "the films name somebody: {looked_for}");
}

#[test]
fn images_are_read_whatever_becomes_of_the_collector() {
    // Takes connections and never answers.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    for (seed, port) in [(7, free_port()), (8, mute.local_addr().unwrap().port())] {
        let lab = Lab::new();
        export_to(&lab, &format!("http://127.0.0.1:{port}"));
        let films = lab.draw(2, seed);
        let service = lab.start();
        assert!(lab.send(&films).status.success());
        lab.await_concluded(2);
        stop(service);
        assert_eq!(lab.messages().0.len(), 2);
    }
}
