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
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::runtime::Runtime;

use super::papers::Papers;
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

    /// A door with TLS before it, whose certificate is `papers`' `collector`; gives its port.
    fn secured(&self, papers: &Papers) -> u16 {
        let (chain, key) = (papers.path("collector.pem"), papers.path("collector.key"));
        let chain = CertificateDer::pem_file_iter(chain).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap());
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.unwrap()));
        let door = self.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let (port, inside) = (door.local_addr().unwrap().port(), self.endpoint.replace("http://", ""));
        self.runtime.spawn(async move {
            while let Ok((socket, _)) = door.accept().await {
                let (acceptor, inside) = (acceptor.clone(), inside.clone());
                tokio::spawn(async move {
                    // A client that does not believe us hangs up here.
                    let Ok(mut stream) = acceptor.accept(socket).await else { return };
                    let mut inside = tokio::net::TcpStream::connect(inside).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut inside).await;
                });
            }
        });
        port
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

/// Over TLS spans go to a collector whose certificate the named authority signed, or one that the machine believes, and to
/// nobody else.
#[test]
fn over_tls_only_a_collector_that_is_believed_gets_spans() {
    let (ours, theirs) = (Papers::made(&["collector"]), Papers::made(&["collector"]));
    let (ca, other) = (ours.path("ca.pem"), theirs.path("ca.pem"));
    for (named, system, arrives) in [(Some(&ca), &other, true), (None, &ca, true), (Some(&other), &ca, false)] {
        let (lab, collector) = (Lab::new(), Collector::start());
        let ca = named.map_or_else(String::new, |file| format!("otlp_ca = {file:?}\n"));
        let telemetry = format!("[telemetry]\notlp_endpoint = \"https://127.0.0.1:{}\"\n", collector.secured(&ours));
        lab.configure(|text| text + &telemetry + &ca);
        let service = lab.launch_with(&[("SSL_CERT_FILE", system)]);
        eventually("ready", || lab.get("/health/ready").is_some_and(|(status, _)| status == 200));
        assert!(lab.send(&lab.synth(1)).status.success());
        lab.await_concluded(1);
        if arrives {
            eventually("the image's span", || collector.spans().iter().any(|span| span.name == "image"));
        } else {
            let lost = || lab.get("/metrics").unwrap().1.contains("spans_dropped_total{reason=\"unreachable\"}");
            eventually("given up", lost);
            assert_eq!(collector.taken().len(), 0);
            let log = std::fs::read_to_string(lab.path("service.log")).unwrap();
            assert!(log.contains("spans are lost; images are not") && log.contains("certificate"), "{log}");
        }
        stop(service);
        collector.runtime.shutdown_background();
    }
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
