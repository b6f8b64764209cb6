//! The whole program as it is installed: configured by a file, sent to by C-STORE, killed, started again, asked to stop.
//! With the reader's tiny model, which gives a real logit in no time.
//!
//! Needs ONNX Runtime's library: `HILUM_ONNXRUNTIME`, else target/hilum/onnxruntime/, where `cargo xtask setup` puts it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use appliance::at_rest::AtRest;
use appliance::privacy::PseudonymKey;
use outbox::{DatabaseKey, NewInstance, Outbox, Rank};
use tempfile::TempDir;
use wire::codec;
use wire::topics::Up;
use wire::v1::result::OutcomeV1;
use wire::v1::{ImageV1, ResultV1};

#[path = "service/damage.rs"]
mod damage;
#[path = "service/deliveries.rs"]
mod deliveries;
#[path = "service/erase.rs"]
mod erase;
#[path = "service/heat.rs"]
mod heat;
#[path = "../../reader/tests/support/onnxruntime.rs"]
mod onnxruntime;
#[allow(dead_code, reason = "of the papers these tests need the collector's alone")]
#[path = "support/papers.rs"]
mod papers;
#[path = "service/reload.rs"]
mod reload;
#[path = "service/spans.rs"]
mod spans;

use onnxruntime::library;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hilum-appliance");

/// A configured appliance in a folder of its own.
struct Lab {
    folder: TempDir,
    dicom: u16,
    http: u16,
}

/// Killed where a test ends early.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pseudonym.key"), "0a".repeat(32)).unwrap();
        give_key(&folder.path().join("at-rest.key"), "0b");
        let lab = Self { folder, dicom: free_port(), http: free_port() };
        lab.configure(|text| text);
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, change: impl FnOnce(String) -> String) {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = format!(
            "[device]\nid = \"lab-1\"\nsite = \"Lab\"\nstate_dir = {state:?}\npseudonym_key = {key:?}\n\
             at_rest_key = {at_rest:?}\n\
             [dicom]\nlisten = \"127.0.0.1:{dicom}\"\nae_title = \"HILUM\"\n\
             [[dicom.allow]]\nae_title = \"XR-ROOM-1\"\n\
             [model]\nbundle = {bundle:?}\ntrusted_keys = [{publisher:?}]\nonnxruntime = {library:?}\nprovider = \"cpu\"\nthreads = 1\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\n",
            state = self.path("state"),
            key = self.path("pseudonym.key"),
            at_rest = self.path("at-rest.key"),
            dicom = self.dicom,
            http = self.http,
            bundle = here.join("../reader/tests/models/tiny"),
            publisher = here.join("../reader/tests/models/tiny.pub"),
            library = library(),
        );
        std::fs::write(self.path("appliance.toml"), change(text)).unwrap();
    }

    fn start(&self) -> Running {
        let running = self.launch();
        eventually("ready", || self.get("/health/ready").is_some_and(|(status, _)| status == 200));
        running
    }

    /// Starts the service and waits for nothing. Files that grow beyond a limit are an error of the write, not its end.
    fn launch(&self) -> Running {
        self.launch_with(&[])
    }

    /// The same with variables in its environment.
    fn launch_with(&self, environment: &[(&str, &Path)]) -> Running {
        let config = self.path("appliance.toml");
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\"", PROGRAM]).arg(config);
        let log = std::fs::File::options().create(true).append(true).open(self.path("service.log")).unwrap();
        Running(command.envs(environment.iter().copied()).stderr(log).spawn().unwrap())
    }

    /// Starts a service that cannot start: its status and its last words.
    fn failing(&self) -> (Option<i32>, String) {
        let output = run(&["serve", "--config", self.path("appliance.toml").to_str().unwrap()]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn synth(&self, count: u32) -> PathBuf {
        self.draw(count, 5)
    }

    fn draw(&self, count: u32, seed: u32) -> PathBuf {
        let films = self.path(&format!("films-{seed}"));
        let (count, seed) = (count.to_string(), seed.to_string());
        let drawn = run(&["synth", "--count", &count, "--seed", &seed, "--out", films.to_str().unwrap()]);
        assert!(drawn.status.success(), "{drawn:?}");
        films
    }

    fn send(&self, path: &Path) -> Output {
        self.sender(path).output().unwrap()
    }

    fn sender(&self, path: &Path) -> Command {
        self.sender_from("XR-ROOM-1", path)
    }

    fn sender_from(&self, title: &str, path: &Path) -> Command {
        let mut sender = Command::new(PROGRAM);
        let to = format!("HILUM@127.0.0.1:{}", self.dicom);
        sender.args(["send", "--to", &to, "--from", title]).arg(path);
        sender
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut response = agent.get(format!("http://127.0.0.1:{}{path}", self.http)).call().ok()?;
        Some((response.status().as_u16(), response.body_mut().read_to_string().ok()?))
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(&self.path("state/outbox.sqlite"), &self.database_key()).unwrap()
    }

    /// As the sync-agent gets it: once, from a configuration that is whole.
    fn database_key(&self) -> DatabaseKey {
        let (config, key) = (self.path("appliance.toml"), self.path("database.key"));
        if !key.exists() {
            let made = run(&["key", "database", "--config", config.to_str().unwrap(), "--out", key.to_str().unwrap()]);
            assert!(made.status.success(), "{made:?}");
        }
        DatabaseKey::load(None, Some(&key)).unwrap()
    }

    fn await_concluded(&self, count: u64) {
        eventually("every image concluded", || {
            let counts = self.outbox().journal_counts().unwrap();
            counts.accepted == 0 && counts.concluded == count
        });
    }

    /// All messages, as the sync-agent would get them.
    fn messages(&self) -> (Vec<ResultV1>, Vec<ImageV1>) {
        let mut outbox = self.outbox();
        let leased = outbox.lease(1000, 0, 1).unwrap();
        outbox.end_leases().unwrap();
        let of = |kind| leased.iter().filter(move |message| message.kind == kind);
        let results = of(Up::Result).map(|message| codec::decode(&message.payload).unwrap()).collect();
        let images = of(Up::Image).map(|message| {
            let mut image: ImageV1 = codec::decode(&message.payload).unwrap();
            image.preview.unpack().unwrap();
            image
        });
        (results, images.collect())
    }
}

#[test]
fn every_image_that_was_acknowledged_has_its_one_result() {
    let lab = Lab::new();
    let films = lab.synth(3);
    std::fs::write(films.join("LICENCE.txt"), "not a film").unwrap();
    let service = lab.start();
    let sent = lab.send(&films);
    let lines = String::from_utf8(sent.stdout).unwrap();
    assert!(sent.status.success(), "a licence in the folder is no failure: {lines}");
    assert_eq!((lines.matches("\"0x0000\"").count(), lines.matches("\"not_dicom\"").count()), (3, 1), "{lines}");
    // A second time: acknowledged, read nothing again.
    assert!(lab.send(&films).status.success());
    lab.await_concluded(3);

    let (results, images) = lab.messages();
    assert_eq!((results.len(), images.len()), (3, 3));
    let instances: BTreeSet<&str> = results.iter().map(|result| result.instance.0.as_str()).collect();
    assert_eq!(instances.len(), 3);
    for result in &results {
        let OutcomeV1::Read(read) = &result.outcome else { panic!("{:?}", result.outcome) };
        assert!((0.0..=1.0).contains(&read.probability) && read.provider == "CPU" && read.model.digest.len() == 64);
        assert_eq!((result.site.as_str(), result.study.0.len()), ("Lab", 26));
        assert!(result.stages.total_ms > 0.0 && result.stages.decode_ms > 0.0);
    }
    assert!(images.iter().all(|image| image.saliency.is_some() && !image.preview.samples.is_empty()));

    let (status, page) = lab.get("/").unwrap();
    assert_eq!(status, 200);
    assert!(page.contains("lab-1, Lab") && page.contains("Everything works"), "{page}");
    let (_, metrics) = lab.get("/metrics").unwrap();
    for name in [
        "build_info{version=",
        "pneumonia_predictions_total{",
        "model_inference_duration_seconds_count",
        "dicom_stores_total{",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    stop(service);
}

#[test]
fn a_killed_service_goes_on_with_what_it_had_acknowledged() {
    let lab = Lab::new();
    let films = lab.synth(6);
    let mut service = lab.start();
    assert!(lab.send(&films).status.success());
    service.0.kill().unwrap();
    service.0.wait().unwrap();
    let service = lab.start();
    lab.await_concluded(6);
    let (results, _) = lab.messages();
    let instances: BTreeSet<&str> = results.iter().map(|result| result.instance.0.as_str()).collect();
    assert_eq!((results.len(), instances.len()), (6, 6));
    stop(service);
}

#[test]
fn what_cannot_be_read_is_answered_and_kept_aside() {
    let lab = Lab::new();
    let films = lab.synth(2);
    let mut broken = std::fs::read(films.join("synthetic-0001-normal.dcm")).unwrap();
    broken.truncate(broken.len() / 2);
    std::fs::write(films.join("synthetic-0001-normal.dcm"), broken).unwrap();
    let service = lab.start();
    assert!(lab.send(&films).status.success());
    lab.await_concluded(2);
    let (results, _) = lab.messages();
    let unreadable = results.iter().filter(|result| matches!(result.outcome, OutcomeV1::Unreadable { .. })).count();
    assert_eq!((results.len(), unreadable), (2, 1));
    let kept = std::fs::read_dir(lab.path("state/quarantine")).unwrap().count();
    assert_eq!(kept, 2, "the file and its note");
    stop(service);
}

#[test]
fn an_acknowledged_image_that_can_never_be_read_is_answered_all_the_same() {
    let lab = Lab::new();
    let film = lab.synth(1).join("synthetic-0001-normal.dcm");
    // A folder that holds images has a key already.
    stop(lab.start());
    std::fs::copy(film, lab.path("state/spool/deadly.dcm")).unwrap();
    let mut outbox = lab.outbox();
    for (number, file) in ["gone.dcm", "deadly.dcm"].into_iter().enumerate() {
        let image = NewInstance {
            sop_class: "1.2",
            sop_instance: file,
            digest: [number as u8; 32],
            file,
            source: "XR-ROOM-1",
            received_ms: 1,
            receive_ms: 1.0,
            traceparent: None,
        };
        outbox.accept(&image).unwrap();
    }
    // The second ended the service three times.
    let deadly = outbox.unread(None, 10).unwrap()[1].id;
    for _ in 0..3 {
        outbox.begin_reading(deadly).unwrap();
    }
    drop(outbox);
    let service = lab.start();
    lab.await_concluded(2);
    let (results, _) = lab.messages();
    let codes: BTreeSet<String> = results
        .into_iter()
        .map(|result| match result.outcome {
            OutcomeV1::Unreadable { reason } => reason.code,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, BTreeSet::from(["file_not_found".to_owned(), "reader_crashed".to_owned()]));
    assert!(lab.path("state/quarantine/deadly.dcm").is_file());
    stop(service);
}

/// A decoding process that is frozen, as by a disk that does not answer: the stop comes first.
#[test]
fn a_reading_that_a_stop_cuts_short_is_not_counted_as_a_crash() {
    let lab = Lab::new();
    let films = lab.synth(2);
    let service = lab.start();
    assert!(lab.send(&films.join("synthetic-0001-normal.dcm")).status.success());
    lab.await_concluded(1);
    let pid = service.0.id();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    let all: String = threads.map(|thread| of(thread.unwrap()) + " ").collect();
    let decoders: BTreeSet<&str> = all.split_whitespace().collect();
    assert!(!decoders.is_empty());
    for decoder in &decoders {
        assert!(Command::new("kill").args(["-STOP", decoder]).status().unwrap().success());
    }
    assert!(lab.send(&films).status.success());
    let attempts = || lab.outbox().unread(None, 10).unwrap().iter().map(|image| image.attempts).collect::<Vec<_>>();
    eventually("a reading begun", || attempts() == [1]);
    stop(service);
    assert_eq!(attempts(), [0]);
}

#[test]
fn what_is_wrong_is_said_in_one_sentence_with_the_remedy() {
    let lab = Lab::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    type Change<'a> = Box<dyn Fn(String) -> String + 'a>;
    let cases: [(&str, i32, Change); 8] = [
        ("place: unknown key", 2, Box::new(|text| text.replace("site =", "place ="))),
        ("[[dicom.allow]]", 2, Box::new(|text| text.replace("[[dicom.allow]]\nae_title = \"XR-ROOM-1\"\n", ""))),
        ("openssl rand -hex 32", 1, Box::new(|text| text.replace("pseudonym.key", "nowhere.key"))),
        ("64 hexadecimal", 1, Box::new(|text| text.replace("pseudonym.key", "appliance.toml"))),
        ("no key for the encryption", 1, Box::new(|text| text.replace("at_rest_key", "#"))),
        ("64 hexadecimal", 1, Box::new(|text| text.replace("at-rest.key", "appliance.toml"))),
        ("[dicom] listen", 1, Box::new(|text| text.replace(&format!("127.0.0.1:{}", lab.dicom), &taken.to_string()))),
        ("state_dir", 1, Box::new(|text| text.replace("/state\"", "/pseudonym.key/state\""))),
    ];
    for (words, code, change) in cases {
        lab.configure(change);
        let (status, said) = lab.failing();
        let last = said.lines().filter(|line| line.starts_with("hilum-appliance: ")).count();
        assert!(said.contains(words) && last == 1, "{words}: {said}");
        assert_eq!(status, Some(code), "{words}");
    }
}

/// Without a model scanners are answered all the same, the health page says why nothing is read, and a model that comes
/// later reads what waited.
#[test]
fn a_model_that_cannot_be_loaded_yet_costs_no_image() {
    let lab = Lab::new();
    let bundle = lab.path("bundle");
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models/tiny");
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    lab.configure(|text| text.replace(&quoted(&tiny), &quoted(&bundle)));
    let service = lab.launch();
    let ready = || lab.get("/health/ready").unwrap_or_default();
    eventually("the reason", || ready().1.contains("[model] bundle"));
    assert_eq!(ready().0, 503);
    assert!(ready().1.contains("\"dicom\":\"ok\""), "{}", ready().1);
    assert!(lab.send(&lab.synth(1)).status.success());
    assert_eq!(lab.outbox().journal_counts().unwrap().accepted, 1);
    assert!(Command::new("cp").arg("-r").args([&tiny, &bundle]).status().unwrap().success());
    lab.await_concluded(1);
    assert_eq!(ready().0, 200);
    stop(service);
}

#[test]
fn another_at_rest_key_is_refused_before_a_scanner_is_answered() {
    let lab = Lab::new();
    stop(lab.start());
    let written = std::fs::read(lab.path("state/at-rest.check")).unwrap();
    give_key(&lab.path("at-rest.key"), "0c");
    let (status, said) = lab.failing();
    assert!(said.contains("not the one that") && said.contains("the device's own key back"), "{said}");
    assert_eq!(status, Some(1));
    let checked = run(&["check-config", "--config", lab.path("appliance.toml").to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    give_key(&lab.path("at-rest.key"), "0b");
    stop(lab.start());
    assert_eq!(std::fs::read(lab.path("state/at-rest.check")).unwrap(), written);
}

#[test]
fn two_services_do_not_share_a_state_directory() {
    let lab = Lab::new();
    let service = lab.start();
    let (dicom, http) = (free_port(), free_port());
    lab.configure(|text| {
        text.replace(&lab.dicom.to_string(), &dicom.to_string()).replace(&lab.http.to_string(), &http.to_string())
    });
    let (status, said) = lab.failing();
    assert!(said.contains("another hilum-appliance uses state_dir"), "{said}");
    assert_eq!(status, Some(1));
    stop(service);
}

#[test]
fn check_config_finds_every_mistake_at_once_and_changes_nothing() {
    let lab = Lab::new();
    let config = lab.path("appliance.toml");
    let check = || run(&["check-config", "--config", config.to_str().unwrap()]);
    assert!(check().status.success(), "{:?}", check());
    let stow = "[stow]\nlisten = \"127.0.0.1:0\"\n[[stow.client]]\nname = \"PACS\"\ntoken_file = \"nowhere.token\"\n";
    lab.configure(|text| {
        text.replace("pseudonym.key", "nowhere.key").replace("models/tiny\"", "models/nowhere\"") + stow
    });
    let output = check();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("[device] pseudonym_key") && said.contains("[model] bundle"), "{said}");
    assert!(said.contains("the token file nowhere.token cannot be read"), "{said}");
    assert!(!lab.path("state").exists());
}

/// Without a model nothing is read, so that everything waits: the film that came last is the first in the line.
#[test]
fn a_route_has_its_sources_images_read_first() {
    let lab = Lab::new();
    lab.configure(|text| {
        let allowed = text.replace("[[dicom.allow]]", "[[dicom.allow]]\nae_title = \"XR-ER\"\n[[dicom.allow]]");
        let route = "[[route]]\nfrom = [\"XR-ER\"]\nreading = \"urgent\"\n";
        allowed.replace("models/tiny\"", "models/nowhere\"") + route
    });
    let (others, urgent) = (lab.draw(2, 1), lab.draw(1, 2));
    let service = lab.launch();
    eventually("dicom", || lab.get("/health/ready").is_some_and(|(_, words)| words.contains("\"dicom\":\"ok\"")));
    assert!(lab.send(&others).status.success());
    assert!(lab.sender_from("XR-ER", &urgent).output().unwrap().status.success());
    let line = lab.outbox().unread_since(0, 0, 9).unwrap();
    let line: Vec<(&str, Rank)> = line.iter().map(|image| (image.source.as_str(), image.rank)).collect();
    let expected = [("XR-ER", Rank::Urgent), ("XR-ROOM-1", Rank::Medium), ("XR-ROOM-1", Rank::Medium)];
    assert_eq!(line, expected);
    stop(service);
}

#[test]
fn a_bundle_may_be_an_archive() {
    let lab = Lab::new();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models/tiny");
    let archive = lab.path("tiny.tar.gz");
    let packed = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&tiny).arg(".").status().unwrap();
    assert!(packed.success());
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    lab.configure(|text| text.replace(&quoted(&tiny), &quoted(&archive)));
    let config = lab.path("appliance.toml");
    let checked = run(&["check-config", "--config", config.to_str().unwrap()]);
    assert!(checked.status.success(), "{checked:?}");
    let out = lab.path("diag.tar.gz");
    assert!(run(&["diag", "--config", config.to_str().unwrap(), "--out", out.to_str().unwrap()]).status.success());
    let told = Command::new("tar").args(["-xzOf", out.to_str().unwrap(), "hilum-diag/versions.json"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(told["model"]["id"].is_string(), "{told}");
    let service = lab.start();
    assert!(lab.send(&lab.synth(1)).status.success());
    lab.await_concluded(1);
    stop(service);

    // Somebody else's bytes in the archive are a mistake of the configuration.
    std::fs::write(&archive, b"no archive at all").unwrap();
    let checked = run(&["check-config", "--config", config.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&checked.stderr).contains("[model] bundle"), "{checked:?}");
}

#[test]
fn plain_images_become_objects_that_are_read() {
    let lab = Lab::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models/tiny/golden");
    let out = lab.path("wrapped");
    let wrapped = run(&["wrap", "--out", out.to_str().unwrap(), golden.to_str().unwrap()]);
    assert!(wrapped.status.success(), "{wrapped:?}");
    let count = String::from_utf8(wrapped.stdout).unwrap().lines().count() as u64;
    let service = lab.start();
    assert!(count > 0 && lab.send(&out).status.success());
    lab.await_concluded(count);
    stop(service);
}

/// Asks a service to stop: it must do so well, and within what its unit allows.
fn stop(mut service: Running) {
    let asked = Command::new("kill").args(["-TERM", &service.0.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let began = Instant::now();
    assert!(service.0.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(30), "stopped after {:?}", began.elapsed());
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Lets a running service write files of at most so many bytes.
fn limit_files(service: &Running, bytes: &str) {
    let limited =
        Command::new("prlimit").arg(format!("--pid={}", service.0.id())).arg(format!("--fsize={bytes}:")).status();
    assert!(limited.unwrap().success());
}

/// A key of 32 bytes `byte`, for its owner alone.
fn give_key(file: &Path, byte: &str) {
    std::fs::write(file, byte.repeat(32)).unwrap();
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
