//! Each mistake that a technician can make is told on stderr with what happened and what to do.

#![cfg(test)]

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use lab::hospital::{Hospital, HospitalPlan};
use lab::house::House;
use lab::modality::{self, Modality};
use lab::{api, patience, place, ports};

/// What a program says that is to fail at its start.
fn refusal(program: &str, arguments: &[&str], config: &Path) -> String {
    let mut command = Command::new("timeout");
    // It ends by itself within a second or two; one that serves instead is stopped and then fails the test.
    command.arg("60").arg(place::program(program).unwrap()).args(arguments).arg("--config").arg(config);
    let done = command.output().unwrap();
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(matches!(done.status.code(), Some(1 | 2)), "{program} ended with {}: {words}", done.status);
    words
}

/// What the appliance says under a plan that has a mistake.
fn appliance_with(kind: &str, mistake: impl FnOnce(&mut HospitalPlan)) -> String {
    let hospital = Hospital::alone(kind, mistake).unwrap();
    refusal("hilum-appliance", &["serve"], &hospital.appliance_config())
}

/// What the status page of a running appliance comes to say under a plan whose model has a mistake. It does not end: it goes on
/// receiving, and reads what it has once the mistake is mended.
fn page_with(kind: &str, wanted: &str, mistake: impl FnOnce(&mut HospitalPlan)) -> String {
    let mut hospital = Hospital::alone(kind, mistake).unwrap();
    hospital.launch_appliance().unwrap();
    let address = format!("http://127.0.0.1:{}/", hospital.plan.appliance_port);
    // Nothing listens in the first moments.
    let page = || Ok(api::text(&address).ok().map(|(_, page)| page).filter(|page| page.contains(wanted)));
    let page = patience::until(&format!("{wanted:?} on the status page"), patience::START, page).unwrap();
    let film = modality::draw(&hospital.plan.folder.join("films"), 1, 3).unwrap();
    let answers = Modality::known(hospital.plan.dicom_port).send_all(&film).unwrap();
    assert!(answers[0].is_accepted(), "{answers:?}");
    page
}

fn says(words: &str, wanted: &[&str]) {
    for part in wanted {
        assert!(words.contains(part), "{part:?} is not in: {words}");
    }
}

#[test]
fn a_port_in_use() {
    let port = ports::free().unwrap();
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let words = appliance_with("port-dicom", |plan| plan.dicom_port = port);
    says(&words, &[&port.to_string(), "in use by another program", "[dicom] listen"]);
    let words = appliance_with("port-http", |plan| plan.appliance_port = port);
    says(&words, &[&port.to_string(), "in use by another program", "[http] listen"]);
}

#[test]
fn a_port_in_use_in_the_cloud_and_at_the_sync_agent() {
    let mut house = House::for_test("ports-in-use").unwrap();
    house.cloud.start().unwrap();
    says(&refusal("cloud-gateway", &["serve"], &house.cloud.config()), &["in use by another program", "[http] listen"]);
    let _taken = TcpListener::bind(("127.0.0.1", house.hospital.plan.agent_port)).unwrap();
    let words = refusal("hilum-sync-agent", &["run"], &house.hospital.agent_config());
    says(&words, &["in use by another program", "[http] listen"]);
}

#[test]
fn a_missing_library() {
    let missing = "/nowhere/libonnxruntime.so";
    let words = page_with("library", missing, |plan| plan.onnxruntime = missing.into());
    says(&words, &["ONNX Runtime cannot be loaded", "[model] onnxruntime"]);
}

#[test]
fn a_model_that_is_not_the_one_its_manifest_names() {
    let words = page_with("digest", "model.onnx", |plan| {
        let copy = plan.folder.join("bundle");
        let copied = Command::new("cp").arg("-r").arg(&plan.bundle).arg(&copy).status().unwrap();
        assert!(copied.success());
        let model = copy.join("model.onnx");
        let mut bytes = std::fs::read(&model).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&model, bytes).unwrap();
        plan.bundle = copy;
    });
    says(&words, &["SHA-256", "install the bundle again"]);
}

#[test]
fn a_wrong_key() {
    let hospital = Hospital::alone("pseudonym-key", |_| ()).unwrap();
    let key = hospital.plan.folder.join("pseudonym.key");
    std::fs::write(&key, "0123").unwrap();
    let words = refusal("hilum-appliance", &["serve"], &hospital.appliance_config());
    says(&words, &["pseudonym", "64"]);

    let house = House::for_test("sealing-key").unwrap();
    std::fs::write(house.folder.join("cloud/hpke.key"), "not a key").unwrap();
    says(&refusal("cloud-gateway", &["serve"], &house.cloud.config()), &["hpke.key", "X25519"]);
}

#[test]
fn a_device_that_was_not_enrolled() {
    let hospital = Hospital::alone("not-enrolled", |_| ()).unwrap();
    says(&refusal("hilum-sync-agent", &["run"], &hospital.agent_config()), &["enrol"]);
}

#[test]
fn a_mistake_in_a_configuration() {
    let hospital = Hospital::alone("configuration", |_| ()).unwrap();
    let config = hospital.appliance_config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("ae_title = \"HILUM\"", "ae_titel = \"HILUM\"")).unwrap();
    for command in ["serve", "check-config"] {
        let words = refusal("hilum-appliance", &[command], &config);
        says(&words, &["appliance.toml", "ae_titel"]);
    }
}

#[test]
fn an_unknown_scanner_and_a_file_that_is_none() {
    let mut hospital = Hospital::alone("stranger", |_| ()).unwrap();
    hospital.start_appliance().unwrap();
    let file = hospital.plan.folder.join("letter.dcm");
    std::fs::write(&file, "Dear colleague, please find enclosed").unwrap();
    let known = Modality::known(hospital.plan.dicom_port);
    let answer = known.send_all(std::slice::from_ref(&file)).unwrap().remove(0);
    assert!(!answer.is_accepted(), "{answer:?}");
    says(&answer.words.to_lowercase(), &["dicom"]);

    let film = lab::modality::draw(&hospital.plan.folder.join("images"), 1, 5).unwrap();
    let stranger = Modality { calling: "STRANGER".to_owned(), ..known };
    let answer = stranger.send_all(&film).unwrap().remove(0);
    assert!(!answer.is_accepted(), "{answer:?}");
    says(&answer.words.to_lowercase(), &["calling", "not recognized"]);
    // And the device's own log tells whoever looks after it how to let that scanner in.
    let log = std::fs::read_to_string(hospital.plan.folder.join("hilum-appliance.log")).unwrap();
    says(&log, &["STRANGER", "[[dicom.allow]]"]);
}
