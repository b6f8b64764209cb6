//! The decoding and inference processes are killed again and again while images come: each image is read once all the same.

#![cfg(test)]

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use lab::hospital::Hospital;
use lab::modality::{self, Modality};
use lab::{api, journal, patience, process};

const FILMS: usize = 24;

/// Kills of each kind at most: an image whose decoder is killed 12 times is given up, so none can be by this test's doing.
const KILLS: usize = 8;

/// Kills what the appliance started with `word`, once; gives how many that were.
fn kill(hospital: &Hospital, word: &str) -> usize {
    process::signal(process::Signal::KILL, &hospital.workers(word).unwrap()).unwrap()
}

#[test]
fn workers_that_are_killed_again_and_again_cost_no_image() {
    let mut hospital = Hospital::alone("workers-killed", |_| ()).unwrap();
    hospital.start_appliance().unwrap();
    let files = modality::draw(&hospital.plan.folder.join("images"), FILMS, 31).unwrap();
    let port = hospital.plan.dicom_port;
    let sending = thread::spawn(move || Modality::known(port).send_all(&files).unwrap());

    let outbox = hospital.outbox();
    let concluded = || {
        let entries = journal::entries(&outbox).unwrap();
        entries.len() == FILMS && entries.iter().all(|entry| entry.state != "accepted")
    };
    let (mut decoders, mut sessions) = (0, 0);
    for _ in 0..KILLS {
        if concluded() {
            break;
        }
        sessions += kill(&hospital, "inference-worker");
        decoders += kill(&hospital, "decode-worker");
        // Long enough for a new inference process to get at a batch now and then, and not always.
        thread::sleep(Duration::from_millis(1500));
    }
    let answers = sending.join().unwrap();
    assert!(answers.iter().all(modality::Answer::is_accepted), "{answers:#?}");
    patience::until("every image to be read", patience::BATCH, || Ok(concluded().then_some(()))).unwrap();
    assert!(
        decoders > 0 && sessions > 0,
        "{decoders} decoders and {sessions} sessions were killed: nothing was tested"
    );

    let entries = journal::entries(&outbox).unwrap();
    let results: BTreeSet<_> = entries.iter().filter_map(|entry| entry.result.clone()).collect();
    let instances: BTreeSet<_> = entries.iter().map(|entry| entry.sop_instance.clone()).collect();
    assert_eq!((entries.len(), results.len(), instances.len()), (FILMS, FILMS, FILMS));
    // Each was read: none was called unreadable for the sake of a process that somebody killed.
    let (_, metrics) = api::text(&format!("http://127.0.0.1:{}/metrics", hospital.plan.appliance_port)).unwrap();
    let read: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("predictions_total{") && line.contains("status=\"read\""))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum();
    assert_eq!(read as usize, FILMS, "{metrics}");
}

/// The model lives in a process of its own: the service itself holds no more than its promise of 64 MiB, and answers
/// scanners while that process still loads.
#[test]
fn the_service_itself_is_small_and_answers_before_the_model_is_loaded() {
    let mut hospital = Hospital::alone("service-small", |_| ()).unwrap();
    hospital.start_appliance().unwrap();
    assert!(!hospital.workers("inference-worker").unwrap().is_empty());
    let service = hospital.processes().next().unwrap().id();
    let maps = std::fs::read_to_string(format!("/proc/{service}/maps")).unwrap();
    assert!(!maps.contains("libonnxruntime"), "the service has loaded ONNX Runtime");
    let status = std::fs::read_to_string(format!("/proc/{service}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches("kB").trim().parse().unwrap();
    assert!(kilobytes <= 64 << 10, "{kilobytes} kB are resident");
}
