//! The inference process with the real ONNX Runtime and the tiny bundle: killed, frozen, grown old, exchanged. Each image
//! still gets exactly one answer, and it is the model's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

#[path = "support/engine.rs"]
mod engine;
#[path = "support/onnxruntime.rs"]
mod onnxruntime;
#[path = "support/publisher.rs"]
mod publisher;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reader::Priority;
use reader::inference::{BatchPolicy, Engine, EngineConfig, Recycling, Standing, WorkerConfig};

use engine::SIDE;
use publisher::variant;

fn start(bend: impl FnOnce(&mut EngineConfig)) -> Engine {
    let mut config = engine::config(BatchPolicy { max_batch: 4, max_delay: Duration::from_millis(1) }, 1000);
    bend(&mut config);
    Engine::start(config).unwrap()
}

/// Processes of the engines of this very process: nextest gives each test one of its own.
fn processes() -> BTreeSet<String> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let of = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    let all: String = threads.map(|thread| of(thread.unwrap()) + " ").collect();
    all.split_whitespace().map(str::to_owned).collect()
}

fn signal(name: &str, processes: &BTreeSet<String>) {
    for process in processes {
        // It may have ended by itself meanwhile.
        let _ = Command::new("kill").args([name, process]).status().unwrap();
    }
}

fn expected(grey: u8) -> f32 {
    8.0 * (f32::from(grey) / 255.0) - 4.0
}

async fn ask(engine: Engine, grey: u8) {
    let inference = engine.infer(vec![grey; SIDE * SIDE], Priority::Live).await.unwrap();
    // A mean of 50,176 f32 values, whose order of summation is the library's: neighbours are 0.03 apart.
    assert!((inference.logit - expected(grey)).abs() < 5e-3, "{grey}: {}", inference.logit);
}

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    // Far longer than any of it takes on a busy machine: it only ends a test that would hang.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Asks for one image after the other until told to stop, and counts the answers.
async fn keep_asking(engine: Engine, first: u8, answered: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    let mut grey = first;
    while !stop.load(Ordering::Relaxed) {
        ask(engine.clone(), grey).await;
        grey = grey.wrapping_add(7);
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// There is always work in hand when the processes are killed. Between two rounds each caller gets its answer, so no
/// image meets as many deaths as would make it a suspect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_killed_in_the_middle_of_their_batches_lose_nothing() {
    let engine = start(|config| config.workers = 2);
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Vec<Arc<AtomicUsize>> = (0..16).map(|_| Arc::default()).collect();
    let asking = counts.iter().zip(0u8..);
    let callers: Vec<_> = asking
        .map(|(count, first)| tokio::spawn(keep_asking(engine.clone(), first, Arc::clone(count), Arc::clone(&stop))))
        .collect();
    let mut killed = BTreeSet::new();
    for _ in 0..5 {
        let seen: Vec<usize> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let each_went_on = || counts.iter().zip(&seen).all(|(count, seen)| count.load(Ordering::Relaxed) > seen + 1);
        eventually("two answers for each caller", each_went_on).await;
        let now = processes();
        signal("-KILL", &now);
        killed.extend(now);
    }
    eventually("a process that lives", || engine.standing().borrow().trouble.is_none()).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(killed.len() >= 5, "only {} were killed in five rounds", killed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_process_is_replaced() {
    let engine = start(|config| config.worker.batch_floor = Duration::from_millis(500));
    ask(engine.clone(), 10).await;
    let frozen = processes();
    assert_eq!(frozen.len(), 1);
    signal("-STOP", &frozen);
    ask(engine.clone(), 200).await;
    assert!(processes().is_disjoint(&frozen), "the frozen one is gone");
}

/// The old one goes on until the new one is ready: the engine never tells of trouble meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_of_a_certain_age_is_replaced_without_a_gap() {
    let engine = start(|config| config.recycling = Recycling { batches: 3, growth_bytes: u64::MAX });
    engine.ready().await.unwrap();
    let (first, mut all) = (processes(), BTreeSet::new());
    let mut standing = engine.standing();
    standing.mark_unchanged();
    let started = Instant::now();
    while all.len() < 4 {
        ask(engine.clone(), 77).await;
        all.extend(processes());
        let gap = |standing: &Standing| standing.trouble.clone();
        assert_eq!(gap(&standing.borrow_and_update()), None);
        assert!(started.elapsed() < Duration::from_secs(60), "{all:?}");
    }
    eventually("the first one's end", || processes().is_disjoint(&first)).await;
}

/// The tiny bundle under another version, with another golden logit where one is given.
fn bundle(version: &str, golden: Option<f64>) -> tempfile::TempDir {
    variant(|manifest| {
        manifest["version"] = version.into();
        if let Some(logit) = golden {
            manifest["golden"][0]["logit"] = logit.into();
        }
    })
}

fn version(engine: &Engine) -> String {
    engine.model().unwrap().manifest.version.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_fails_its_golden_check_is_not_put_in_force_and_one_that_passes_is() {
    let engine = start(|_| ());
    ask(engine.clone(), 3).await;
    let before = processes();
    let (bad, good) = (bundle("2.0.0", Some(1.5)), bundle("3.0.0", None));
    let activate = |bundle: PathBuf| {
        let engine = engine.clone();
        tokio::task::spawn_blocking(move || {
            let mut steps = Vec::new();
            engine.activate(&bundle, &mut |step| steps.push(step.to_owned())).map(|model| (model, steps))
        })
    };
    let refused = activate(bad.path().to_owned()).await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("ramp.png") && refused.contains("on CPU instead of 1.5"), "{refused}");
    ask(engine.clone(), 4).await;
    assert_eq!((version(&engine), processes()), ("1.0.0".to_owned(), before.clone()));
    let (model, steps) = activate(good.path().to_owned()).await.unwrap().unwrap();
    assert_eq!(model.manifest.version, "3.0.0");
    assert!(steps.iter().any(|step| step.contains("golden")), "{steps:?}");
    eventually("the new model", || version(&engine) == "3.0.0").await;
    ask(engine.clone(), 5).await;
    eventually("the old process's end", || processes().is_disjoint(&before)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_inference_process_is_said_so() {
    let cases = [
        ("/bin/sh", "echo 'HTTP/1.1 200 OK' >&0", "is not the inference process"),
        ("/bin/sh", "exit 1", "ended while it loaded the model"),
        ("/nowhere/program", "", "cannot be started"),
    ];
    for (program, script, words) in cases {
        let args = vec!["-c".to_owned(), script.to_owned()];
        let engine = start(|config| config.worker = WorkerConfig::new(program.into(), args));
        let mut standing = engine.standing();
        let said = |standing: &Standing| standing.trouble.as_ref().is_some_and(|trouble| trouble.contains(words));
        standing.wait_for(said).await.unwrap();
        assert!(engine.model().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_in_shadow_reads_the_same_images() {
    let engine = start(|_| ());
    let mut pairs = engine.pairs().unwrap();
    let next = bundle("2.0.0", None);
    let (theirs, path) = (engine.clone(), next.path().to_owned());
    let candidate = tokio::task::spawn_blocking(move || theirs.shadow(Some(&path))).await.unwrap().unwrap().unwrap();
    assert_eq!(candidate.manifest.version, "2.0.0");
    ask(engine.clone(), 120).await;
    let pair = pairs.recv().await.unwrap();
    assert_eq!((pair.active, pair.candidate), (pair.candidate, pair.active), "the same model gives the same");
    assert_eq!(pair.candidate_model.manifest.version, "2.0.0");
    assert_eq!(version(&engine), "1.0.0");
}

#[tokio::test]
async fn the_last_handle_ends_the_process() {
    let engine = start(|_| {});
    let other = engine.clone();
    ask(engine, 9).await;
    let running = processes();
    assert!(!running.is_empty(), "the other handle keeps it");
    drop(other);
    eventually("the process's end", || processes().is_disjoint(&running)).await;
}
