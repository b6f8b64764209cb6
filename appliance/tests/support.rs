//! A listener on a port of its own over a throw-away state directory, and the bytes to provoke it with.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test states its expectations")]

// This file is a test target, too, beside whose root a folder would not be looked for.
#[path = "support/papers.rs"]
pub(crate) mod papers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use appliance::at_rest::AtRest;
use appliance::dicom::acceptance::APPLICATION_CONTEXT;
use appliance::dicom::commitment::{self, Desk, Notice, Provider, Report, Reporter};
use appliance::dicom::dimse::Response;
use appliance::dicom::scu::{Sent, send_all};
use appliance::dicom::tls::Acceptor;
use appliance::dicom::{AeTitle, AllowedScanner, Listener, Ports, Rules, Timeouts, TlsConfig};
use appliance::folder::{self, FolderConfig};
use appliance::intake::Intake;
use appliance::journal::Journal;
use appliance::refusals::Refusals;
use appliance::spans::Spans;
use appliance::spool::Spool;
use appliance::spool::watermarks::DiskConfig;
use appliance::stow::{self, StowConfig};
use appliance::world::World;
use outbox::Outbox;
use reader::pixels::plain::{Plain, Samples};
use reader::pixels::wrap::{WrapFacts, to_dicom};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// No disk has so much free.
pub(crate) const FULL: DiskConfig = DiskConfig { refuse_below_mib: u32::MAX, no_pictures_below_mib: 16 };

pub(crate) struct Scp {
    runtime: Runtime,
    state: Arc<TempDir>,
    address: SocketAddr,
    /// The port that speaks TLS.
    pub(crate) secured: Option<SocketAddr>,
    refusals: Refusals,
    spool: Spool,
    intake: Arc<Intake>,
    provider: Arc<Provider>,
    reported: mpsc::Receiver<Notice>,
    stop: CancellationToken,
}

impl Scp {
    pub(crate) fn start() -> Self {
        Self::with(|_, _| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Listener, &mut Intake)) -> Self {
        Self::over(Arc::new(tempfile::tempdir().unwrap()), change)
    }

    /// Over a state directory that may have been another's before.
    pub(crate) fn over(state: Arc<TempDir>, change: impl FnOnce(&mut Listener, &mut Intake)) -> Self {
        Self::open(state, None, change)
    }

    /// With a second port that speaks TLS.
    pub(crate) fn secured(tls: &Acceptor, change: impl FnOnce(&mut Listener, &mut Intake)) -> Self {
        Self::open(Arc::new(tempfile::tempdir().unwrap()), Some(tls), change)
    }

    fn open(state: Arc<TempDir>, tls: Option<&Acceptor>, change: impl FnOnce(&mut Listener, &mut Intake)) -> Self {
        let refusals = Refusals::default();
        let mut intake = Intake {
            spool: Spool::open(&state.path().join("spool"), &AtRest::new(&[7; 32], rand::random)).unwrap(),
            journal: Journal::start(Outbox::open(&state.path().join("outbox.sqlite"), &[9; 32].into()).unwrap())
                .unwrap(),
            arrived: Arc::default(),
            refusals: refusals.clone(),
            spans: Spans::default(),
            world: World::real(),
            longest_object: 64 << 20,
            output: watch::channel(Arc::default()).1,
        };
        let (notices, reported) = commitment::notices();
        let mut listener = listener(Arc::new(copy(&intake)), notices);
        change(&mut listener, &mut intake);
        let (spool, intake) = (intake.spool.clone(), Arc::new(intake));
        let provider = Arc::new(Provider::new(Arc::clone(&intake)));
        (listener.intake, listener.desk.provider) = (Arc::clone(&intake), Arc::clone(&provider));
        let runtime = Runtime::new().unwrap();
        let bind = || runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let ports = Ports { plain: bind(), secured: tls.map(|tls| (bind(), tls.clone())) };
        let (address, stop) = (ports.plain.local_addr().unwrap(), CancellationToken::new());
        let secured = ports.secured.as_ref().map(|(socket, _)| socket.local_addr().unwrap());
        runtime.spawn(listener.serve(ports, stop.clone()));
        Self { secured, runtime, state, address, refusals, spool, intake, provider, reported, stop }
    }

    /// Brings reports of storage commitment to these scanners from now on.
    pub(crate) fn report_to(&self, scanners: Vec<AllowedScanner>) {
        let reporter =
            Reporter { provider: Arc::clone(&self.provider), rules: watch::Sender::new(rules(scanners)), tls: None };
        self.runtime.spawn(reporter.run(self.stop.clone()));
    }

    /// Watches a folder from now on.
    pub(crate) fn watch(&self, config: FolderConfig) {
        self.runtime.spawn(folder::run(config, Arc::clone(&self.intake), self.stop.clone()));
    }

    /// Takes objects over HTTP from now on, at the address that comes back.
    pub(crate) fn stow(
        &self,
        config: &StowConfig,
        tls: Option<&TlsConfig>,
        change: impl FnOnce(&mut stow::Limits),
    ) -> SocketAddr {
        let service = self.runtime.block_on(stow::Service::open(Some(config), tls)).unwrap().unwrap();
        let mut limits = service.limits();
        change(&mut limits);
        let service = service.within(limits);
        let address = service.address().unwrap();
        self.runtime.spawn(service.serve(Arc::clone(&self.intake), self.stop.clone()));
        address
    }

    /// The next report that came in, recorded.
    pub(crate) fn noticed(&mut self) -> (AeTitle, Report) {
        let waited = async { tokio::time::timeout(Duration::from_secs(10), self.reported.recv()).await };
        let notice = self.runtime.block_on(waited).unwrap().unwrap();
        notice.recorded.send(()).unwrap();
        (notice.from, notice.report)
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn state(&self) -> Arc<TempDir> {
        Arc::clone(&self.state)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reports of storage commitment that are owed.
    pub(crate) fn owed(&self) -> u64 {
        Outbox::open(&self.state.path().join("outbox.sqlite"), &[9; 32].into()).unwrap().owed_report_count().unwrap()
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub(crate) fn refusals(&self) -> String {
        self.refusals.list().into_iter().map(|refusal| refusal.words).collect::<Vec<_>>().join("\n")
    }

    /// Images in the journal.
    pub(crate) fn accepted(&self) -> usize {
        let outbox = Outbox::open(&self.state.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        outbox.unread(None, 1000).unwrap().len()
    }

    /// Files that the journal names for unread images.
    pub(crate) fn unread_files(&self) -> Vec<String> {
        let outbox = Outbox::open(&self.state.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        outbox.unread(None, 1000).unwrap().into_iter().map(|image| image.file).collect()
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.state.path().join("spool")).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    }

    /// Every file as it was received, in `folder`.
    pub(crate) fn plain_files(&self, folder: &Path) -> Vec<PathBuf> {
        let open = |name: &str| {
            let path = folder.join(format!("received-{name}"));
            let mut plain = self.spool.open_plain(name).unwrap().unwrap();
            std::io::copy(&mut plain, &mut std::fs::File::create(&path).unwrap()).unwrap();
            path
        };
        self.unread_files().iter().map(|name| open(name)).collect()
    }

    /// Files without a row of the journal.
    pub(crate) fn half_received(&self) -> usize {
        let unread = self.unread_files();
        let named = |path: &PathBuf| unread.iter().any(|name| path.ends_with(name));
        self.files().iter().filter(|path| !named(path)).count()
    }

    pub(crate) fn send(&self, file: &Path) -> Sent {
        self.send_all(&[file.to_owned()]).remove(0)
    }

    pub(crate) fn send_all(&self, files: &[PathBuf]) -> Vec<Sent> {
        let target = format!("HILUM@{}", self.address).parse().unwrap();
        let mut sent = Vec::new();
        self.runtime.block_on(send_all(&target, &"XR-ROOM-1".parse().unwrap(), None, files, |one| sent.push(one)));
        sent
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    /// A connection with an accepted association: context 1 Verification, context 3 Secondary Capture.
    pub(crate) fn associate(&self) -> TcpStream {
        let mut socket = self.connect();
        socket.write_all(&association_request()).unwrap();
        let mut header = [0; 6];
        socket.read_exact(&mut header).unwrap();
        assert_eq!(header[0], 2, "an A-ASSOCIATE-AC");
        let mut body = vec![0; u32::from_be_bytes([header[2], header[3], header[4], header[5]]) as usize];
        socket.read_exact(&mut body).unwrap();
        socket
    }

    /// The service is as well as before: a good image is answered with success and stands in the journal.
    pub(crate) fn stores(&self) {
        let before = self.accepted();
        let file = self.state.path().join("good.dcm");
        film(&file, 100 + before as u8);
        let sent = self.send(&file);
        assert_eq!((sent.status.as_str(), self.accepted()), ("0x0000", before + 1), "{sent:?}");
    }

    pub(crate) fn echo_eventually(&self) {
        eventually(|| {
            let mut socket = self.connect();
            socket.write_all(&association_request()).unwrap();
            let mut first = [0];
            socket.read_exact(&mut first).is_ok() && first[0] == 2
        });
    }
}

impl Drop for Scp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn rules(allow: Vec<AllowedScanner>) -> Rules {
    Rules { ae_title: "HILUM".parse().unwrap(), allow }
}

fn listener(intake: Arc<Intake>, notices: mpsc::Sender<Notice>) -> Listener {
    let provider = Arc::new(Provider::new(Arc::clone(&intake)));
    Listener {
        rules: watch::Sender::new(rules(vec![scanner("XR-ROOM-1")])),
        intake,
        desk: Desk { provider, notices },
        max_associations: 4,
        timeouts: Timeouts::default(),
    }
}

fn copy(intake: &Intake) -> Intake {
    Intake {
        spool: intake.spool.clone(),
        journal: intake.journal.clone(),
        arrived: Arc::clone(&intake.arrived),
        refusals: intake.refusals.clone(),
        spans: intake.spans.clone(),
        world: intake.world,
        longest_object: intake.longest_object,
        output: intake.output.clone(),
    }
}

/// One that may send from anywhere.
pub(crate) fn scanner(title: &str) -> AllowedScanner {
    AllowedScanner { ae_title: title.parse().unwrap(), address: None, port: None, certificate: None }
}

pub(crate) fn eventually(condition: impl Fn() -> bool) {
    // A minute, as on a machine that does much else.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "did not come true within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A small film, told apart from others by `shade`.
pub(crate) fn film(path: &Path, shade: u8) {
    let samples = (0..256 * 256).map(|at: usize| (at % 251) as u8 ^ shade).collect();
    let plain = Plain { rows: 256, columns: 256, samples: Samples::Eight(samples) };
    to_dicom(&plain, &WrapFacts::default()).unwrap().write_to_file(path).unwrap();
}

pub(crate) fn association_request() -> Vec<u8> {
    let item = |kind: u8, body: &[u8]| -> Vec<u8> {
        [&[kind, 0], (body.len() as u16).to_be_bytes().as_slice(), body].concat()
    };
    let context = |id: u8, class: &str| {
        let inner = [item(0x30, class.as_bytes()), item(0x40, b"1.2.840.10008.1.2")].concat();
        item(0x20, &[&[id, 0, 0, 0], inner.as_slice()].concat())
    };
    let mut body = vec![0, 1, 0, 0];
    body.extend(format!("{:16}{:16}", "HILUM", "XR-ROOM-1").into_bytes());
    body.extend([0; 32]);
    body.extend(item(0x10, APPLICATION_CONTEXT.as_bytes()));
    body.extend(context(1, "1.2.840.10008.1.1"));
    body.extend(context(3, "1.2.840.10008.5.1.4.1.1.7"));
    body.extend(item(0x50, &item(0x51, &16_384u32.to_be_bytes())));
    pdu(1, &body)
}

/// A P-DATA-TF PDU with one value; `header` is the message control header: 1 command, 2 last.
pub(crate) fn fragment(context: u8, header: u8, data: &[u8]) -> Vec<u8> {
    let value = [((data.len() + 2) as u32).to_be_bytes().as_slice(), &[context, header], data].concat();
    pdu(4, &value)
}

pub(crate) fn echo_set() -> Vec<u8> {
    set(&[(0x0100, 0x0030), (0x0110, 7), (0x0800, 0x0101)])
}

/// A command set of numbers.
pub(crate) fn set(elements: &[(u16, u16)]) -> Vec<u8> {
    let mut set = Vec::new();
    for (element, value) in elements {
        set.extend([0, 0]);
        set.extend(element.to_le_bytes());
        set.extend([2, 0, 0, 0]);
        set.extend(value.to_le_bytes());
    }
    set
}

/// The response that comes back, in one fragment.
pub(crate) fn response(socket: &mut TcpStream) -> Response {
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 4, "a P-DATA-TF");
    let mut set = vec![0; u32::from_be_bytes([head[2], head[3], head[4], head[5]]) as usize - 6];
    socket.read_exact(&mut set).unwrap();
    Response::parse(&set).unwrap()
}

pub(crate) fn store_command(context: u8, class: &str, instance: &str) -> Vec<u8> {
    let set = appliance::dicom::dimse::store_request(1, &class.parse().unwrap(), &instance.parse().unwrap());
    fragment(context, 3, &set)
}

fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0], (body.len() as u32).to_be_bytes().as_slice(), body].concat()
}
