//! Who is read when, with the real reader: an image that cannot be read holds up nobody, and what can wait gives its place to
//! what cannot.
//!
//! Needs ONNX Runtime's library: `HILUM_ONNXRUNTIME`, else target/hilum/onnxruntime/, where `cargo xtask setup` puts it.

#![allow(clippy::unwrap_used, reason = "a test states its expectations")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use appliance::at_rest::AtRest;
use appliance::journal::Journal;
use appliance::output::record::Origin;
use appliance::output::{Dispatch, OutputConfig};
use appliance::pipeline::{PLAIN_MIB, Pipeline};
use appliance::privacy::{Privacy, PseudonymKey};
use appliance::quarantine::Quarantine;
use appliance::spans::Spans;
use appliance::spool::{FileMeta, Spool};
use appliance::world::World;
use outbox::{NewInstance, Outbox};
use reader::inference::{Admission, BatchPolicy, Engine, EngineConfig, WorkerConfig};
use reader::model::{ProviderChoice, SessionConfig, Trust};
use reader::pixels::Limits;
use reader::pixels::sandbox::SandboxConfig;
use reader::{Reader, ReaderConfig};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use vitals::health::Health;

#[path = "../../reader/tests/support/onnxruntime.rs"]
mod onnxruntime;

/// Images in hand at the same time.
const SEATS: u32 = 2;

/// More of them than all seats and the line of the model hold.
const PILED_UP: usize = 12;

struct Lab {
    runtime: Runtime,
    folder: TempDir,
    spool: Spool,
    engine: Engine,
    arrived: Arc<Notify>,
    health: Health,
    /// Taken when it begins to read.
    pipeline: Option<Pipeline>,
    stop: CancellationToken,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn reader() -> Reader {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_hilum-appliance"));
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models");
    let worker = WorkerConfig::new(
        program.clone(),
        ["inference-worker", "--log-format", "json", "--log-level", "warn"].map(str::to_owned).into(),
    );
    let trust = Trust::load(&[models.join("tiny.pub")]).unwrap();
    let engine = EngineConfig {
        session: SessionConfig { threads: 1, provider: ProviderChoice::Cpu, ..SessionConfig::default() },
        batch: BatchPolicy { max_batch: 1, max_delay: Duration::from_millis(1) },
        ..EngineConfig::new(models.join("tiny"), trust, onnxruntime::library(), worker)
    };
    let args = vec!["decode-worker".to_owned()];
    let sandbox = SandboxConfig { program, args, workers: 1, limits: Limits::default() };
    Reader::open(ReaderConfig { engine, sandbox }).unwrap()
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at_rest = AtRest::new(&[7; 32], rand::random);
        let spool = Spool::open(&folder.path().join("spool"), &at_rest).unwrap();
        let key = folder.path().join("pseudonym.key");
        std::fs::write(&key, "0a".repeat(32)).unwrap();
        let (reader, arrived, health) = (reader(), Arc::new(Notify::new()), Health::default());
        let engine = reader.engine().clone();
        let origin = Origin { device: "lab-1".into(), site: "Lab".into(), version: "0".into() };
        let pipeline = Pipeline {
            reader,
            journal: Journal::start(Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap())
                .unwrap(),
            spool: spool.clone(),
            quarantine: Quarantine::open(&folder.path().join("quarantine")).unwrap(),
            privacy: Privacy::new(PseudonymKey::load(&key).unwrap()),
            dispatch: Dispatch {
                config: watch::channel(Arc::new(OutputConfig::default())).1,
                origin,
                at_rest,
                utc_offset: |_| 0,
                arrived: Arc::default(),
            },
            spans: Spans::default(),
            site: "Lab".into(),
            world: World::real(),
            arrived: Arc::clone(&arrived),
            in_hand: SEATS,
            memory: Semaphore::new(PLAIN_MIB as usize),
            health: health.part("reader", "nothing was read"),
        };
        let (runtime, stop) = (Runtime::new().unwrap(), CancellationToken::new());
        Self { runtime, folder, spool, engine, arrived, health, pipeline: Some(pipeline), stop }
    }

    fn read(&mut self) {
        self.runtime.spawn(self.pipeline.take().unwrap().run(self.stop.clone()));
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(&self.folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap()
    }

    /// Journals a small radiograph; gives the path of its file.
    fn arrive(&self, number: u8, received_ms: i64) -> PathBuf {
        let meta =
            FileMeta { sop_class: "1.2", sop_instance: "1.3", transfer_syntax: "1.2.840.10008.1.2", source: "XR" };
        let mut writer = self.spool.create(uuid::Uuid::from_u128(number.into()), &meta).unwrap();
        writer.write(&film(number)).unwrap();
        let file = writer.finish().unwrap().name;
        self.spool.forget_plain(&file);
        let image = NewInstance {
            sop_class: "1.2",
            sop_instance: &format!("1.3.{number}"),
            digest: [number; 32],
            file: &file,
            source: "XR",
            received_ms,
            receive_ms: 1.0,
            traceparent: None,
        };
        self.outbox().accept(&image).unwrap();
        self.arrived.notify_one();
        self.spool.path(&file)
    }

    fn unread(&self) -> Vec<String> {
        self.outbox().unread(None, 100).unwrap().into_iter().map(|image| image.sop_instance).collect()
    }

    /// Far longer than any of it takes on a busy machine: it only ends a test that would hang.
    fn eventually(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !condition() {
            assert!(Instant::now() < deadline, "not within a minute: {what}; unread: {:?}", self.unread());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The dataset of a small radiograph in implicit little endian.
fn film(shade: u8) -> Vec<u8> {
    use reader::pixels::plain::{Plain, Samples};
    let samples = (0..256 * 256).map(|at: usize| (at % 251) as u8 ^ shade).collect();
    let plain = Plain { rows: 256, columns: 256, samples: Samples::Eight(samples) };
    let object = reader::pixels::wrap::to_dicom(&plain, &reader::pixels::wrap::WrapFacts::default()).unwrap();
    let mut dataset = Vec::new();
    let syntax = dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN.erased();
    object.write_dataset_with_ts(&mut dataset, &syntax).unwrap();
    dataset
}

/// Too hot for what can wait: it keeps no seat from what has just come, neither while it waits in the journal nor in hand.
#[test]
fn what_had_piled_up_gives_its_seats_to_what_comes_when_the_device_is_too_hot() {
    let mut lab = Lab::new();
    for number in 0..PILED_UP {
        lab.arrive(number as u8, 1);
    }
    lab.engine.admit(Admission { max_batch: 1, backlog: false });
    lab.read();
    let ready = async { tokio::time::timeout(Duration::from_secs(60), lab.engine.ready()).await };
    lab.runtime.block_on(ready).unwrap().unwrap();
    lab.arrive(200, (World::real().now_ms)());
    lab.eventually("what just came", || !lab.unread().contains(&"1.3.200".to_owned()));
    assert_eq!(lab.unread().len(), PILED_UP, "nothing else is read while it is that hot");
    assert!(lab.outbox().unread(None, 100).unwrap().iter().all(|image| image.attempts == 0));
    lab.engine.admit(Admission::default());
    lab.eventually("all the rest", || lab.unread().is_empty());
}

#[test]
fn what_just_came_does_not_wait_for_what_had_piled_up() {
    let mut lab = Lab::new();
    for number in 0..40 {
        lab.arrive(number, 1);
    }
    lab.arrive(200, (World::real().now_ms)());
    let last = lab.outbox().unread(None, 100).unwrap().pop().unwrap().id;
    lab.read();
    lab.eventually("all of them", || lab.unread().is_empty());
    let entries = lab.outbox().entries(None, 100).unwrap();
    let its = entries.iter().find(|entry| entry.id == last).unwrap().concluded_ms;
    let before = entries.iter().filter(|entry| entry.concluded_ms < its).count();
    assert!(before < 4, "{before} of 40 were read before it");
}

/// Its file does not open, and it may have ended the service before: others are read meanwhile, and it is read when it can be.
#[test]
fn an_image_that_cannot_be_read_for_now_holds_up_nobody_and_is_read_in_the_end() {
    let mut lab = Lab::new();
    let bad = lab.arrive(1, 1);
    let suspect = lab.outbox().unread(None, 1).unwrap().remove(0);
    lab.outbox().begin_reading(suspect.id).unwrap();
    let aside = bad.with_extension("aside");
    std::fs::rename(&bad, &aside).unwrap();
    // A folder opens and does not read.
    std::fs::create_dir(&bad).unwrap();
    for number in 2..8 {
        lab.arrive(number, 1);
    }
    lab.read();
    lab.eventually("the others", || lab.unread() == ["1.3.1"]);
    let words = lab.health.report().parts["reader"].clone();
    assert!(words.contains("cannot read a file"), "its reason stands although others were read: {words}");
    lab.eventually("a try that ended", || lab.outbox().unread(None, 1).unwrap()[0].attempts == 1);
    std::fs::remove_dir(&bad).unwrap();
    std::fs::rename(&aside, &bad).unwrap();
    lab.eventually("the one", || lab.unread().is_empty());
    lab.eventually("a reader that is well", || lab.health.is_ready());
}
