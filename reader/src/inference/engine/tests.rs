//! The engine around runners that fail in every way: each request still gets exactly one answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::inference::runner::{Fault, Order, Ran};
use crate::inference::{BatchPolicy, Inference, Recycling};
use crate::model::session::Output;
use crate::model::{Manifest, Provider, Rule};
use crate::saliency::Saliency;

const BYTES: usize = INPUT_SIDE * INPUT_SIDE;

type Model = dyn FnMut(&[&[u8]]) -> Result<Vec<Output>, Fault> + Send;

struct Fake {
    info: Arc<ModelInfo>,
    model: Box<Model>,
    bytes: Arc<AtomicU64>,
    batches: u64,
}

impl Runner for Fake {
    fn model(&self) -> &Arc<ModelInfo> {
        &self.info
    }

    fn run(&mut self, images: &[&[u8]]) -> Result<Ran, Fault> {
        self.batches += 1;
        Ok(Ran { outputs: (self.model)(images)?, compute_ms: 2.0, transfer_ms: 1.0 })
    }

    fn alive(&mut self) -> bool {
        true
    }

    fn resident_bytes(&self) -> Option<u64> {
        Some(self.bytes.load(Ordering::Relaxed))
    }

    fn batches(&self) -> u64 {
        self.batches
    }
}

/// Makes runners, each around what `model` gives for it, and counts them.
#[derive(Clone)]
struct Agency {
    hired: Arc<AtomicUsize>,
    bytes: Arc<AtomicU64>,
    recycling: Recycling,
}

impl Agency {
    fn new() -> Self {
        let recycling = Recycling { batches: u64::MAX, growth_bytes: 1000 };
        Self { hired: Arc::default(), bytes: Arc::default(), recycling }
    }

    fn hired(&self) -> usize {
        self.hired.load(Ordering::SeqCst)
    }

    /// An engine whose n-th runner, from 1, is `model(n, order)`.
    fn engine(
        &self,
        (max_batch, queue): (usize, usize),
        model: impl Fn(usize, &Order) -> Result<Box<Model>, OpenError> + Send + Sync + 'static,
    ) -> Engine {
        let theirs = self.clone();
        let hire: Box<Hire> = Box::new(move |order: &Order, _: &Stop, tell: &mut dyn FnMut(&str)| {
            tell("being hired");
            let number = theirs.hired.fetch_add(1, Ordering::SeqCst) + 1;
            let mut info = info();
            info.manifest.version = order.bundle.display().to_string();
            let (info, bytes) = (Arc::new(info), Arc::clone(&theirs.bytes));
            Ok(Box::new(Fake { info, model: model(number, order)?, bytes, batches: 0 }) as Box<dyn Runner>)
        });
        let line = Line::new(BatchPolicy { max_batch, max_delay: Duration::from_millis(1) }, queue);
        Engine::with(Shared::new(line, "1".into(), self.recycling, hire), 1, usize::MAX).unwrap()
    }
}

fn info() -> ModelInfo {
    let manifest: Manifest = serde_json::from_str(include_str!("../../../tests/models/tiny/manifest.json")).unwrap();
    ModelInfo {
        rule: Rule::at(&manifest, ""),
        bundle: "none".into(),
        publisher: "nobody".into(),
        distribution: None,
        manifest,
        provider: Provider::Cpu,
        runtime: "none".into(),
    }
}

fn read(images: &[&[u8]]) -> Vec<Output> {
    let output = |image: &&[u8]| Output {
        logit: f32::from(image[0]),
        saliency: Saliency::from_map(&[1.0], 1, 1),
        embedding: vec![],
    };
    images.iter().map(output).collect()
}

fn image(first: u8) -> Vec<u8> {
    vec![first; BYTES]
}

async fn logit(engine: &Engine, first: u8) -> f32 {
    engine.infer(image(first), Priority::Live).await.unwrap().logit
}

async fn all(engine: &Engine, firsts: impl IntoIterator<Item = u8>) -> Vec<Answer> {
    let ask = |first| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.infer(image(first), Priority::Live).await })
    };
    let asked: Vec<_> = firsts.into_iter().map(ask).collect();
    let mut answers = Vec::new();
    for one in asked {
        answers.push(one.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn whatever_befalls_a_batch_the_next_process_runs_it_again() {
    let faults = [
        Fault::Died,
        Fault::Hung(Duration::from_secs(1)),
        Fault::Nonsense("rubbish".into()),
        Fault::Failed("out of device memory".into()),
    ];
    for fault in faults {
        let agency = Agency::new();
        let engine = agency.engine((4, 8), move |number, _| {
            let fault = fault.clone();
            Ok(Box::new(move |images: &[&[u8]]| if number == 1 { Err(fault.clone()) } else { Ok(read(images)) }))
        });
        let answers = all(&engine, [3, 4, 5]).await;
        let logits: Vec<f32> = answers.into_iter().map(|answer| answer.unwrap().logit).collect();
        assert_eq!((logits, agency.hired()), (vec![3.0, 4.0, 5.0], 2));
    }
}

#[tokio::test]
async fn too_few_answers_are_no_answers() {
    let agency = Agency::new();
    let engine = agency.engine((1, 8), |number, _| {
        Ok(Box::new(move |images: &[&[u8]]| Ok(read(&images[usize::from(number == 1)..]))))
    });
    assert_eq!((logit(&engine, 7).await, agency.hired()), (7.0, 2));
}

/// One image that brings down every process is told alone; its neighbours are read.
#[tokio::test]
async fn a_culprit_is_told_alone() {
    let agency = Agency::new();
    let engine = agency.engine((8, 16), |_, _| {
        Ok(Box::new(
            |images: &[&[u8]]| {
                if images.iter().any(|image| image[0] == 66) { Err(Fault::Died) } else { Ok(read(images)) }
            },
        ))
    });
    let answers = all(&engine, [1, 2, 66, 4, 5, 6, 7, 8]).await;
    for (at, answer) in answers.into_iter().enumerate() {
        match (at, answer) {
            (2, Err(InferError::Fatal { times: 3, problem })) => assert!(problem.contains("ended"), "{problem}"),
            (2, other) => panic!("{other:?}"),
            (_, answer) => assert_eq!(answer.unwrap().logit, at as f32 + 1.0),
        }
    }
}

/// A model that cannot be loaded is told and tried again; requests wait for it.
#[tokio::test]
async fn a_model_that_loads_later_reads_what_waited() {
    let agency = Agency::new();
    let engine = agency.engine((1, 8), |number, _| match number {
        1 | 2 => Err(OpenError::Refused("the digest differs".into())),
        _ => Ok(Box::new(|images: &[&[u8]]| Ok(read(images)))),
    });
    let mut standing = engine.standing();
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.infer(image(9), Priority::Live).await }
    });
    let told = |standing: &Standing| standing.trouble.as_ref().is_some_and(|words| words.contains("digest differs"));
    standing.wait_for(told).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().logit, 9.0);
    assert_eq!(engine.ready().await.unwrap().manifest.version, "1");
    assert!(engine.standing().borrow().trouble.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_model_is_put_in_force_or_nothing_changes() {
    let agency = Agency::new();
    let engine = agency.engine((1, 8), |_, order| {
        if order.bundle.ends_with("bad") {
            return Err(OpenError::Refused("a golden radiograph differs".into()));
        }
        Ok(Box::new(|images: &[&[u8]]| Ok(read(images))))
    });
    let version = |inference: Inference| inference.model.manifest.version.clone();
    assert_eq!(version(engine.infer(image(1), Priority::Live).await.unwrap()), "1");
    let activate = |bundle: &'static str| {
        let engine = engine.clone();
        tokio::task::spawn_blocking(move || engine.activate(Path::new(bundle), &mut |_| ()))
    };
    assert!(activate("bad").await.unwrap().unwrap_err().to_string().contains("golden radiograph differs"));
    assert_eq!(version(engine.infer(image(1), Priority::Live).await.unwrap()), "1");
    assert_eq!(activate("2").await.unwrap().unwrap().manifest.version, "2");
    let mut standing = engine.standing();
    let changed = standing.wait_for(|s| s.model.as_ref().is_some_and(|model| model.manifest.version == "2")).await;
    assert!(changed.unwrap().trouble.is_none());
    assert_eq!(version(engine.infer(image(1), Priority::Live).await.unwrap()), "2");
    assert_eq!(agency.hired(), 3);
}

#[tokio::test]
async fn a_process_that_grows_is_replaced_without_a_gap() {
    let agency = Agency::new();
    let engine = agency.engine((1, 8), |_, _| Ok(Box::new(|images: &[&[u8]]| Ok(read(images)))));
    assert_eq!((logit(&engine, 1).await, agency.hired()), (1.0, 1));
    agency.bytes.store(1001, Ordering::Relaxed);
    for n in 0..=255 {
        assert_eq!(logit(&engine, n).await, f32::from(n));
        assert!(engine.standing().borrow().trouble.is_none());
        if agency.hired() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was not replaced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_sees_the_same_images_and_changes_nothing() {
    let agency = Agency::new();
    let engine = agency.engine((2, 8), |_, order| {
        let plus = if order.yielding { 0.5 } else { 0.0 };
        Ok(Box::new(move |images: &[&[u8]]| {
            if order_fails(images, plus) {
                return Err(Fault::Died);
            }
            let mut outputs = read(images);
            outputs.iter_mut().for_each(|output| output.logit += plus);
            Ok(outputs)
        }))
    });
    let mut pairs = engine.pairs().unwrap();
    assert!(engine.pairs().is_none());
    let theirs = engine.clone();
    let begun = tokio::task::spawn_blocking(move || theirs.shadow(Some(Path::new("next")))).await.unwrap();
    assert_eq!(begun.unwrap().unwrap().manifest.version, "next");
    // 200 kills the candidate, which costs that pair and nothing else.
    for n in [3, 200, 4] {
        assert_eq!(logit(&engine, n).await, f32::from(n));
        if n == 3 {
            let pair = pairs.recv().await.unwrap();
            assert_eq!((pair.active, pair.candidate), (3.0, 3.5));
            assert_eq!((&*pair.active_model.manifest.version, &*pair.candidate_model.manifest.version), ("1", "next"));
        }
    }
    assert!(engine.shadow(None).unwrap().is_none());
}

fn order_fails(images: &[&[u8]], plus: f32) -> bool {
    plus > 0.0 && images.iter().any(|image| image[0] == 200)
}

/// A runner that stands still until it is let go.
fn stuck() -> (Engine, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((entered, has_entered), (go, may_go)) = (mpsc::channel(), mpsc::channel());
    let ends = Mutex::new(Some((entered, may_go)));
    let engine = Agency::new().engine((1, 2), move |_, _| {
        let (entered, may_go) = ends.lock().unwrap().take().ok_or(OpenError::Ended)?;
        Ok(Box::new(move |images: &[&[u8]]| {
            // Where the test has ended, nobody waits for the answer.
            let _ = entered.send(());
            let _ = may_go.recv();
            Ok(read(images))
        }))
    });
    (engine, has_entered, go)
}

async fn queued(engine: &Engine, requests: usize) {
    while engine.queued() < requests {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_urgent_overtakes() {
    let (engine, has_entered, go) = stuck();
    let ask = |first: u8, priority| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.infer(image(first), priority).await })
    };
    let running = ask(1, Priority::Live);
    has_entered.recv().unwrap();
    let backlog = ask(2, Priority::Backlog);
    // One after the other: behind an urgent one this queue would have no room for the backlog.
    queued(&engine, 1).await;
    let urgent = ask(3, Priority::Urgent);
    queued(&engine, 2).await;
    let refused = engine.infer(image(4), Priority::Urgent).await.unwrap_err();
    assert_eq!(refused, InferError::Full { capacity: 2 });
    go.send(()).unwrap();
    assert_eq!(running.await.unwrap().unwrap().logit, 1.0);
    has_entered.recv().unwrap();
    go.send(()).unwrap();
    assert_eq!(urgent.await.unwrap().unwrap().logit, 3.0);
    assert!(!backlog.is_finished());
    has_entered.recv().unwrap();
    go.send(()).unwrap();
    assert_eq!(backlog.await.unwrap().unwrap().logit, 2.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_waits_for_harms_nobody() {
    let (engine, has_entered, go) = stuck();
    let theirs = engine.clone();
    let impatient = tokio::spawn(async move { theirs.infer(image(1), Priority::Live).await });
    has_entered.recv().unwrap();
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    for _ in 0..2 {
        go.send(()).unwrap();
    }
    assert_eq!(logit(&engine, 5).await, 5.0);
}
