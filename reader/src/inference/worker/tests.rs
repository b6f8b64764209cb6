//! The worker around models that fail: each request still gets exactly one answer.

use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::inference::BatchPolicy;
use crate::model::session::SessionConfig;
use crate::model::{Manifest, Provider};
use crate::saliency::Saliency;

const BYTES: usize = INPUT_SIDE * INPUT_SIDE;

fn info() -> ModelInfo {
    let manifest: Manifest = serde_json::from_str(include_str!("../../../tests/models/tiny/manifest.json")).unwrap();
    ModelInfo { manifest, provider: Provider::Cpu, runtime: "none".into() }
}

fn config(max_batch: usize, queue: usize) -> EngineConfig {
    let batch = BatchPolicy { max_batch, max_delay: Duration::from_millis(1) };
    EngineConfig { session: SessionConfig::default(), batch, queue }
}

fn output(image: &[u8]) -> Output {
    Output { logit: f32::from(image[0]), saliency: Saliency::from_map(&[1.0], 1, 1), embedding: vec![] }
}

#[tokio::test]
async fn a_failed_or_panicking_batch_is_told_to_each_and_the_next_one_runs() {
    let model = |images: &[Vec<u8>]| match images[0][0] {
        1 => Err("out of device memory".to_owned()),
        2 => panic!("a bug"),
        3 => Ok(vec![]),
        _ => Ok(images.iter().map(|image| output(image)).collect()),
    };
    let engine = Engine::with_model(info(), &config(1, 8), model).unwrap();
    for (first, problem) in [(1, "out of device memory"), (2, "it panicked"), (3, "0 answers for 1 images")] {
        let answer = engine.infer(vec![first; BYTES], Priority::Live).await;
        assert_eq!(answer, Err(InferError::Session(problem.into())));
    }
    assert_eq!(engine.infer(vec![7; BYTES], Priority::Live).await.unwrap().logit, 7.0);
}

/// A model that stands still until it is let go.
fn stuck() -> (Engine, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((entered, has_entered), (go, may_go)) = (mpsc::channel(), mpsc::channel());
    let model = move |images: &[Vec<u8>]| {
        entered.send(()).unwrap();
        may_go.recv().unwrap();
        Ok(images.iter().map(|image| output(image)).collect())
    };
    (Engine::with_model(info(), &config(1, 2), model).unwrap(), has_entered, go)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_urgent_overtakes() {
    let (engine, has_entered, go) = stuck();
    let ask = |first: u8, priority| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.infer(vec![first; BYTES], priority).await })
    };
    let running = ask(1, Priority::Live);
    has_entered.recv().unwrap();
    let backlog = ask(2, Priority::Backlog);
    let urgent = ask(3, Priority::Urgent);
    while engine.queued() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(engine.infer(vec![4; BYTES], Priority::Urgent).await, Err(InferError::Full { capacity: 2 }));
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
    let impatient = tokio::spawn(async move { theirs.infer(vec![1; BYTES], Priority::Live).await });
    has_entered.recv().unwrap();
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    for _ in 0..2 {
        go.send(()).unwrap();
    }
    assert_eq!(engine.infer(vec![5; BYTES], Priority::Live).await.unwrap().logit, 5.0);
}
