//! The whole program as it is installed: configured by a file, sent to by C-STORE, killed, started again, asked to stop.
//! With the reader's tiny model, which gives a real logit in no time.
//!
//! Needs ONNX Runtime's library: `HILUM_ONNXRUNTIME`, else target/hilum/onnxruntime/, where `cargo xtask setup` puts it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use appliance::at_rest::AtRest;
use appliance::privacy::PseudonymKey;
use outbox::{NewInstance, Outbox};
use tempfile::TempDir;
use wire::codec;
use wire::topics::Up;
use wire::v1::result::OutcomeV1;
use wire::v1::{ImageV1, ResultV1};

#[path = "service/spans.rs"]
mod spans;

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
        let config = self.path("appliance.toml");
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\"", PROGRAM]).arg(config);
        Running(command.stderr(Stdio::null()).spawn().unwrap())
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
        let mut sender = Command::new(PROGRAM);
        let to = format!("HILUM@127.0.0.1:{}", self.dicom);
        sender.args(["send", "--to", &to, "--from", "XR-ROOM-1"]).arg(path);
        sender
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut response = agent.get(format!("http://127.0.0.1:{}{path}", self.http)).call().ok()?;
        Some((response.status().as_u16(), response.body_mut().read_to_string().ok()?))
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(&self.path("state/outbox.sqlite")).unwrap()
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
        (results, of(Up::Image).map(|message| codec::decode(&message.payload).unwrap()).collect())
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

/// The power goes while images come in, at one moment or another: whoever was told success has one row, and a file that opens.
#[test]
fn whatever_was_acknowledged_before_a_kill_is_read_and_read_once() {
    let lab = Lab::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..6_u32 {
        let films = lab.draw(3, 100 + round);
        let mut service = lab.start();
        let sender = lab.sender(&films).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // Three films are sent within this time on a machine that does nothing else; whenever it is, the promise is the same.
        std::thread::sleep(Duration::from_millis(rand::random_range(50..700)));
        service.0.kill().unwrap();
        service.0.wait().unwrap();
        let said = String::from_utf8(sender.wait_with_output().unwrap().stdout).unwrap();
        let lines = said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let stored = lines.filter(|line| line["status"] == "0x0000");
        acknowledged.extend(stored.map(|line| line["sop_instance"].as_str().unwrap().to_owned()));
    }
    assert!(!acknowledged.is_empty(), "no image came before a kill: nothing was tested");
    let service = lab.start();
    eventually("every image concluded", || lab.outbox().journal_counts().unwrap().accepted == 0);
    let (results, _) = lab.messages();
    let key = PseudonymKey::load(&lab.path("pseudonym.key")).unwrap();
    for instance in &acknowledged {
        let stand_in = key.pseudonym("instance", instance);
        let its: Vec<&ResultV1> = results.iter().filter(|result| result.instance == stand_in).collect();
        let [result] = its.as_slice() else { panic!("{} results for one image", its.len()) };
        assert!(matches!(result.outcome, OutcomeV1::Read(_)), "{:?}", result.outcome);
    }
    // What was stored and not acknowledged may be there, too; what was neither is not.
    let files = std::fs::read_dir(lab.path("state/spool")).unwrap().count();
    assert_eq!(files, results.len());
    stop(service);
}

/// A database that cannot grow, as on a disk that fails to write: the scanner is refused, and all goes on once it can.
#[test]
fn an_image_that_cannot_be_journalled_is_refused_and_its_file_waits_for_the_truth() {
    let lab = Lab::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models/tiny/golden");
    let images = lab.path("images");
    assert!(run(&["wrap", "--out", images.to_str().unwrap(), golden.to_str().unwrap()]).status.success());
    let mut images: Vec<PathBuf> = std::fs::read_dir(images).unwrap().map(|entry| entry.unwrap().path()).collect();
    let last = images.pop().unwrap();
    let service = lab.start();
    for image in &images {
        assert!(lab.send(image).status.success());
    }
    lab.await_concluded(images.len() as u64);

    // From here on its write-ahead log cannot grow by a byte.
    let log = std::fs::metadata(lab.path("state/outbox.sqlite-wal")).unwrap().len();
    assert!(log > std::fs::metadata(&last).unwrap().len() + 4096, "the image itself must still fit: {log}");
    limit_files(&service, &log.to_string());
    let refused = lab.send(&last);
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(lab.outbox().journal_counts().unwrap().accepted, 0);
    limit_files(&service, "unlimited");
    assert!(lab.send(&last).status.success(), "it recovers by itself");
    lab.await_concluded(images.len() as u64 + 1);
    let files = || std::fs::read_dir(lab.path("state/spool")).unwrap().count();
    assert_eq!(files(), images.len() + 2, "nobody could tell whether the first attempt had its row");
    stop(service);
    stop(lab.start());
    assert_eq!(files(), images.len() + 1, "the next start can");
}

/// The disk does not give a file back, and then it does: nothing is said about the image meanwhile.
#[test]
fn an_image_whose_file_cannot_be_read_waits_until_it_can() {
    let lab = Lab::new();
    let film = std::fs::read(lab.synth(1).join("synthetic-0001-normal.dcm")).unwrap();
    let key = AtRest::load(None, Some(&lab.path("at-rest.key")), rand::random).unwrap();
    std::fs::create_dir(lab.path("state")).unwrap();
    key.claim(&lab.path("state")).unwrap();
    let (spool, aside) = (lab.path("state/spool"), lab.path("aside"));
    std::fs::create_dir(&spool).unwrap();
    let mut sealer = key.sealer("film.dcm", std::fs::File::create(&aside).unwrap()).unwrap();
    sealer.write(&film).unwrap();
    sealer.finish().unwrap();
    // A folder opens and does not read.
    std::fs::create_dir(spool.join("film.dcm")).unwrap();
    let image = NewInstance {
        sop_class: "1.2",
        sop_instance: "1.3",
        digest: [1; 32],
        file: "film.dcm",
        source: "XR-ROOM-1",
        received_ms: 1,
        receive_ms: 1.0,
        traceparent: None,
    };
    lab.outbox().accept(&image).unwrap();
    let service = lab.launch();
    eventually("words about the file", || lab.get("/").is_some_and(|(_, page)| page.contains("cannot read a file")));
    assert_eq!(lab.outbox().journal_counts().unwrap().accepted, 1);
    std::fs::remove_dir(spool.join("film.dcm")).unwrap();
    std::fs::rename(&aside, spool.join("film.dcm")).unwrap();
    lab.await_concluded(1);
    let (results, _) = lab.messages();
    assert!(matches!(results[0].outcome, OutcomeV1::Read(_)), "{:?}", results[0].outcome);
    stop(service);
}

#[test]
fn a_stored_file_that_was_tampered_with_is_answered_as_such() {
    let lab = Lab::new();
    let films = lab.synth(1);
    let mut service = lab.start();
    assert!(lab.send(&films).status.success());
    service.0.kill().unwrap();
    service.0.wait().unwrap();
    if lab.outbox().journal_counts().unwrap().accepted == 0 {
        return eprintln!("left out: the film was read before the kill");
    }
    let file = std::fs::read_dir(lab.path("state/spool")).unwrap().next().unwrap().unwrap().path();
    let mut sealed = std::fs::read(&file).unwrap();
    let middle = sealed.len() / 2;
    sealed[middle] ^= 1;
    std::fs::write(&file, sealed).unwrap();
    let service = lab.start();
    lab.await_concluded(1);
    let (results, _) = lab.messages();
    let OutcomeV1::Unreadable { reason } = &results[0].outcome else { panic!("{:?}", results[0].outcome) };
    assert_eq!(reason.code, "file_damaged");
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

fn library() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/hilum/onnxruntime/libonnxruntime.so");
    let library = std::env::var_os("HILUM_ONNXRUNTIME").map_or(own, PathBuf::from);
    assert!(
        library.is_file(),
        "{} is not there: run `cargo xtask setup`, or set HILUM_ONNXRUNTIME to libonnxruntime.so (1.24 or newer)",
        library.display()
    );
    library
}
