//! STOW-RS: what a sender is answered, what is kept after it, and what the status page says.

#![allow(clippy::unwrap_used, reason = "a test states its expectations")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use appliance::dicom::identity;
use appliance::dicom::syntax::EXPLICIT_LE;
use appliance::spool::part10;
use appliance::stow::{ClientConfig, Limits, StowConfig};
use serde_json::{Value, json};
use support::papers::Papers;
use support::{FULL, Scp, eventually, film};
use tempfile::TempDir;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

const TOKEN: &str = "a-token-that-is-long-enough-0123456789";
const KIND: &str = "multipart/related; type=\"application/dicom\"; boundary=edge";

/// A device that takes objects over HTTP from the client `PACS`.
struct Device {
    scp: Scp,
    address: SocketAddr,
    folder: TempDir,
}

/// What came back: status, headers that matter, body.
struct Told {
    status: u16,
    retry: bool,
    body: String,
}

impl Device {
    fn start() -> Self {
        Self::within(|_| {})
    }

    fn within(change: impl FnOnce(&mut Limits)) -> Self {
        Self::over(Scp::start(), change)
    }

    fn over(scp: Scp, change: impl FnOnce(&mut Limits)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let token = Some(folder.path().join("token"));
        let address = scp.stow(&config(token, None), None, change);
        Self { scp, address, folder }
    }

    fn film(&self, shade: u8) -> Vec<u8> {
        let path = self.folder.path().join(format!("{shade}.dcm"));
        film(&path, shade);
        std::fs::read(path).unwrap()
    }

    fn post(&self, objects: &[&[u8]]) -> Told {
        self.post_to("/studies", objects)
    }

    fn post_to(&self, path: &str, objects: &[&[u8]]) -> Told {
        self.send(path, Some(TOKEN), KIND, SendBody::from_owned_reader(std::io::Cursor::new(body(objects))))
    }

    fn send(&self, path: &str, token: Option<&str>, kind: &str, body: SendBody<'_>) -> Told {
        let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(format!("http://{}{path}", self.address)).header("Content-Type", kind);
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(body).unwrap();
        let retry = response.headers().contains_key("retry-after");
        Told { status: response.status().as_u16(), retry, body: response.body_mut().read_to_string().unwrap() }
    }

    /// A request in bytes, of which the body may be less than its head says.
    fn raw(&self, length: usize, body: &[u8]) -> TcpStream {
        let mut socket = self.open(&format!("Content-Length: {length}\r\n"));
        socket.write_all(body).unwrap();
        socket
    }

    /// The head of a request with more headers.
    fn open(&self, more: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head = format!(
            "POST /studies HTTP/1.1\r\nHost: device\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {KIND}\r\n{more}\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket
    }

    fn assert_nothing_is_kept(&self) {
        eventually(|| self.scp.files().is_empty());
        assert_eq!(self.scp.accepted(), 0);
    }
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn failures(&self) -> Vec<u64> {
        let module = self.json();
        let items = ["00081198", "0008119A"].map(|tag| module[tag]["Value"].as_array().cloned().unwrap_or_default());
        items.concat().iter().map(|item| item["00081197"]["Value"][0].as_u64().unwrap()).collect()
    }
}

fn config(token_file: Option<PathBuf>, certificate: Option<&str>) -> StowConfig {
    let certificate = certificate.map(str::to_owned);
    let client = vec![ClientConfig { name: "PACS".parse().unwrap(), token_file, certificate }];
    StowConfig { listen: "127.0.0.1:0".parse().unwrap(), max_body_mib: 8, max_requests: 4, client }
}

fn body(objects: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for object in objects {
        body.extend(b"--edge\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend(*object);
        body.extend(b"\r\n");
    }
    body.extend(b"--edge--\r\n");
    body
}

/// SOP instance and study of a film.
fn named(film: &[u8]) -> (String, String) {
    let what = part10::of_head(film).unwrap();
    let study = identity::study(&film[what.offset as usize..], EXPLICIT_LE).unwrap();
    (what.sop_instance, study)
}

/// The film as another object: `from` is as long as `to`.
fn with(film: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut film = film.to_vec();
    let places: Vec<usize> =
        film.windows(from.len()).enumerate().filter(|(_, at)| *at == from.as_bytes()).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        film[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    film
}

#[test]
fn what_is_stored_is_what_was_sent() {
    let device = Device::start();
    let (one, two) = (device.film(1), device.film(2));
    let told = device.post(&[&one, &two]);
    assert_eq!(told.status, 200, "{}", told.body);
    let instances: Vec<_> = told.json()["00081199"]["Value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["00081155"]["Value"][0].clone())
        .collect();
    assert_eq!(instances, [json!(named(&one).0), json!(named(&two).0)]);
    assert_eq!(device.scp.accepted(), 2);
    let dataset = |film: &[u8]| film[part10::of_head(film).unwrap().offset as usize..].to_vec();
    let mut kept: Vec<_> = device
        .scp
        .plain_files(device.folder.path())
        .iter()
        .map(|file| dataset(&std::fs::read(file).unwrap()))
        .collect();
    let mut sent = vec![dataset(&one), dataset(&two)];
    kept.sort();
    sent.sort();
    assert!(kept == sent, "byte for byte");
    // Once more: acknowledged again, kept once.
    assert_eq!((device.post(&[&one]).status, device.scp.accepted()), (200, 2));
    assert_eq!(device.scp.refusals(), "");
}

#[test]
fn a_bad_object_costs_itself_and_no_other() {
    let device = Device::start();
    let (good, other) = (device.film(1), device.film(2));
    let scanned = with(&other, "1.2.840.10008.5.1.4.1.1.7\0", "1.2.840.10008.5.1.4.1.1.2\0");
    let encoded = with(&other, "1.2.840.10008.1.2.1\0", "1.2.840.10008.1.2.9\0");
    let told = device.post(&[&scanned, b"\x89PNG", &encoded, &good, &good[..90]]);
    assert_eq!(told.status, 202, "{}", told.body);
    assert_eq!(told.failures(), [0x0122, 0xC122, 0xC000, 0xC000]);
    assert_eq!(told.json()["00081198"]["Value"][0]["00081155"]["Value"][0], named(&other).0);
    assert_eq!(device.scp.accepted(), 1);
    assert!(
        device
            .scp
            .refusals()
            .contains("An object from PACS over HTTP was refused: this appliance does not take its SOP class."),
        "{}",
        device.scp.refusals()
    );
    assert_eq!(device.post(&[&scanned]).status, 409);
    assert_eq!(device.scp.half_received(), 0);
}

#[test]
fn an_object_of_another_study_than_the_address_names_is_refused() {
    let device = Device::start();
    let film = device.film(1);
    let told = device.post_to("/studies/1.2.3", &[&film]);
    assert_eq!((told.status, told.failures()), (409, vec![0xC409]));
    device.assert_nothing_is_kept();
    let told = device.post_to(&format!("/studies/{}", named(&film).1), &[&film]);
    assert_eq!((told.status, device.scp.accepted()), (200, 1), "{}", told.body);
}

#[test]
fn who_is_not_known_gets_no_object_in_and_its_token_is_nowhere() {
    let device = Device::start();
    let film = body(&[&device.film(1)]);
    for token in [None, Some("another-token-that-is-long-enough-012"), Some("")] {
        let told =
            device.send("/studies", token, KIND, SendBody::from_owned_reader(std::io::Cursor::new(film.clone())));
        assert_eq!(told.status, 401, "{token:?}");
    }
    assert!(
        device.scp.refusals().contains("from 127.0.0.1 was refused: no [[stow.client]] has the token"),
        "{}",
        device.scp.refusals()
    );
    assert!(!device.scp.refusals().contains("another-token"), "{}", device.scp.refusals());
    device.assert_nothing_is_kept();
}

#[test]
fn requests_of_another_kind_are_told_what_is_taken() {
    let device = Device::start();
    let film = body(&[&device.film(1)]);
    let of = |path: &str, kind: &str| {
        device.send(path, Some(TOKEN), kind, SendBody::from_owned_reader(std::io::Cursor::new(film.clone()))).status
    };
    for kind in [
        "application/dicom",
        "multipart/form-data; boundary=edge",
        "multipart/related; type=\"application/dicom+json\"; boundary=edge",
        "multipart/related; boundary=edge",
        "multipart/related; type=\"application/dicom\"",
    ] {
        assert_eq!(of("/studies", kind), 415, "{kind}");
    }
    assert_eq!(of("/studies", &KIND.replace("edge", "ridge")), 400);
    assert_eq!((of("/", KIND), of("/studies/1.2/series", KIND), of("/studies/a", KIND)), (404, 404, 400));
    let get =
        ureq::get(format!("http://{}/studies", device.address)).header("Authorization", format!("Bearer {TOKEN}"));
    assert!(matches!(get.call(), Err(ureq::Error::StatusCode(405))));
    assert_eq!(device.post(&[]).status, 400);
    device.assert_nothing_is_kept();
}

#[test]
fn of_a_body_that_breaks_off_nothing_is_kept() {
    let device = Device::start();
    let whole = body(&[&device.film(1)]);
    for kept in [whole.len() / 2, 200, 10] {
        let mut socket = device.raw(whole.len(), &whole[..kept]);
        socket.shutdown(Shutdown::Write).unwrap();
        let mut words = String::new();
        // Whether it can still be told depends on who closes first.
        let _ = socket.read_to_string(&mut words);
        assert!(words.is_empty() || words.starts_with("HTTP/1.1 400"), "{words}");
        device.assert_nothing_is_kept();
    }
    // A whole request whose body ends within an object, as a sender with a wrong length makes it.
    let mut words = String::new();
    device.raw(whole.len() / 2, &whole[..whole.len() / 2]).read_to_string(&mut words).unwrap();
    assert!(words.starts_with("HTTP/1.1 400") && words.contains("its body broke off"), "{words}");
    device.assert_nothing_is_kept();
    assert!(device.scp.refusals().contains("its body broke off"), "{}", device.scp.refusals());
    assert_eq!(device.post(&[&device.film(2)]).status, 200);
}

#[test]
fn a_body_over_a_limit_is_refused_announced_or_not() {
    let device = Device::within(|limits| limits.body = 60_000);
    let whole = body(&[&device.film(1)]);
    let told = device.post(&[&device.film(1)]);
    assert_eq!(told.status, 413, "as it streams: {}", told.body);
    let mut words = String::new();
    device.raw(whole.len(), &whole).read_to_string(&mut words).unwrap();
    assert!(words.starts_with("HTTP/1.1 413"), "as announced: {words}");
    device.assert_nothing_is_kept();
    assert!(device.scp.refusals().contains("[stow] max_body_mib"), "{}", device.scp.refusals());

    let device = Device::within(|limits| limits.parts = 1);
    let told = device.post(&[&device.film(1), &device.film(2)]);
    assert_eq!((told.status, device.scp.accepted()), (202, 1), "{}", told.body);
    let device = Device::over(Scp::with(|_, intake| intake.longest_object = 10_000), |_| {});
    let told = device.post(&[&device.film(1)]);
    assert_eq!((told.status, told.failures()), (409, vec![0xA700]));
    device.assert_nothing_is_kept();
}

#[test]
fn a_head_without_end_and_silence_end_their_own_connection() {
    let device = Device::within(|limits| limits.idle = Duration::from_millis(50));
    let mut socket = device.raw(1000, b"--edge\r\n");
    let mut words = String::new();
    socket.read_to_string(&mut words).unwrap();
    assert!(words.starts_with("HTTP/1.1 408"), "{words}");
    device.assert_nothing_is_kept();
    // Of another device, whose patience outlasts a busy machine's pauses.
    let device = Device::start();
    let mut socket = TcpStream::connect(device.address).unwrap();
    let endless = format!("POST /studies HTTP/1.1\r\nHost: device\r\nX: {}", "y".repeat(Limits::HEAD));
    socket.write_all(endless.as_bytes()).unwrap();
    let mut words = String::new();
    let _ = socket.read_to_string(&mut words);
    assert!(words.is_empty() || words.starts_with("HTTP/1.1 431"), "{words}");
    device.assert_nothing_is_kept();
    assert_eq!(device.post(&[&device.film(2)]).status, 200);
}

#[test]
fn one_request_too_many_is_told_to_come_again() {
    let device = Device::within(|limits| limits.requests = 1);
    let film = device.film(1);
    // Told to go on, it is in hand.
    let mut held = device.open(
        "Content-Length: 1000
Expect: 100-continue
",
    );
    let mut told = [0; 12];
    held.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100");
    let told = device.post(&[&film]);
    assert!(told.status == 503 && told.retry, "{}", told.body);
    let mut second = device.open(
        "Content-Length: 1000
Expect: 100-continue
",
    );
    let mut told = [0; 12];
    second.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 503", "having asked first");
    drop(held);
    eventually(|| device.post(&[&film]).status == 200);
}

#[test]
fn a_full_disk_is_told_with_when_to_come_again_and_nothing_is_kept() {
    let full = Scp::with(|_, intake| intake.spool = intake.spool.clone().on(FULL));
    let device = Device::over(full, |_| {});
    let told = device.post(&[&device.film(1)]);
    assert!(told.status == 503 && told.retry, "{}", told.body);
    assert_eq!(told.failures(), [0xA700]);
    device.assert_nothing_is_kept();
}

#[test]
fn over_tls_a_certificate_that_a_client_is_bound_to_is_enough_and_no_other() {
    let papers = Papers::made(&["appliance", "pacs", "stranger"]);
    let (scp, folder) = (Scp::start(), tempfile::tempdir().unwrap());
    let address = scp.stow(&config(None, Some("pacs")), Some(&papers.config()), |_| {});
    film(&folder.path().join("one.dcm"), 1);
    let film = body(&[&std::fs::read(folder.path().join("one.dcm")).unwrap()]);
    let post = |name: Option<&str>| {
        let pem = |name: String| std::fs::read(papers.path(&name)).unwrap();
        let own = name.map(|name| {
            let certificate = Certificate::from_pem(&pem(format!("{name}.pem"))).unwrap();
            ClientCert::new_with_certs(&[certificate], PrivateKey::from_pem(&pem(format!("{name}.key"))).unwrap())
        });
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem("ca.pem".to_owned())).unwrap()]);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().root_certs(roots).client_cert(own).unversioned_rustls_crypto_provider(provider);
        let agent: Agent = Agent::config_builder().http_status_as_error(false).tls_config(tls.build()).build().into();
        let request = agent.post(format!("https://{address}/studies")).header("Content-Type", KIND);
        request.send(&film[..]).map(|response| response.status().as_u16())
    };
    assert_eq!(post(Some("pacs")).unwrap(), 200);
    assert_eq!(scp.accepted(), 1);
    assert_eq!(post(Some("stranger")).unwrap(), 401);
    assert!(post(None).is_err());
    eventually(|| scp.refusals().contains("to the STOW port failed: peer sent no certificates"));
    assert!(TcpStream::connect(address).unwrap().write_all(b"POST /studies HTTP/1.1\r\n\r\n").is_ok());
    eventually(|| scp.refusals().matches("to the STOW port failed").count() == 2);
    assert_eq!(scp.accepted(), 1);
}
