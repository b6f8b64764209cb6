//! What others make sends to the device as a scanner would: pynetdicom stores and asks for storage commitment, Orthanc
//! forwards from its archive, a sender over HTTP brings store requests (STOW-RS), dcmtk comes over several associations at once. dcmtk's programs one by one are in
//! `conversation.rs`.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lab::hospital::{AE_TITLE, Hospital, SCANNER};
use lab::orthanc::Orthanc;
use lab::{journal, modality, patience, place, ports};
use serde::Deserialize;

/// Films that each sender sends.
const FILMS: usize = 3;

/// Answer of Orthanc's `modalities/{name}/store` (its REST API, "Synchronous": true).
#[derive(Debug, Deserialize)]
struct Forwarded {
    #[serde(rename = "InstancesCount")]
    instances: u32,
    #[serde(rename = "FailedInstancesCount")]
    failed: u32,
}

/// A device that knows its scanner by the address and port that it listens on, and an archive.
fn clinic(kind: &str, scanner_port: u16, archive: &str) -> (Hospital, Vec<PathBuf>) {
    let mut hospital = Hospital::alone(kind, |_| ()).unwrap();
    let file = hospital.appliance_config();
    let known = format!("ae_title = \"{SCANNER}\"");
    let more =
        format!("{known}\naddress = \"127.0.0.1\"\nport = {scanner_port}\n\n[[dicom.allow]]\nae_title = \"{archive}\"");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&known), "{text}");
    std::fs::write(&file, text.replace(&known, &more)).unwrap();
    hospital.start_appliance().unwrap();
    let films = modality::draw(&hospital.plan.folder.join("images"), FILMS, 7).unwrap();
    (hospital, films)
}

/// Runs the pynetdicom scanner and gives what it was told.
fn scanner(hospital: &Hospital, way: &str, listen: u16, films: &[PathBuf]) -> serde_json::Value {
    let script = place::root().join("tests/dicom/scanner.py");
    let output = Command::new(place::python("dicom"))
        .arg(script)
        .args([&hospital.plan.dicom_port.to_string(), SCANNER, AE_TITLE, way, &listen.to_string()])
        .args(films)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn read_all(hospital: &Hospital, count: usize) {
    let outbox = hospital.outbox();
    patience::until("every film to be read", patience::BATCH, || {
        let entries = journal::entries(&outbox)?;
        Ok((entries.len() == count && entries.iter().all(|entry| entry.state == "concluded")).then_some(()))
    })
    .unwrap();
}

#[test]
fn pynetdicom_stores_and_is_told_what_is_held_on_its_own_association_and_where_it_listens() {
    let listen = ports::free().unwrap();
    let (hospital, films) = clinic("pynetdicom", listen, "ARCHIVE");
    for way in ["same", "other"] {
        let told = scanner(&hospital, way, listen, &films);
        assert_eq!((&told["echo"], &told["action"]), (&0.into(), &0.into()), "{told}");
        assert_eq!(told["stored"], serde_json::json!([0, 0, 0]), "{told}");
        let event = &told["event"];
        assert_eq!(event["transaction"], told["transaction"], "{way}: {told}");
        // Failures exist: the object that nobody stored. 274 is 0x0112, no such object instance.
        assert_eq!((&event["type"], &event["failed"]), (&2.into(), &serde_json::json!({ "2.25.1": 274 })), "{told}");
        assert_eq!(event["committed"].as_array().map(Vec::len), Some(FILMS), "{told}");
        if way == "other" {
            assert_eq!(event["from"], AE_TITLE, "the report comes under the title that was called");
        }
    }
    read_all(&hospital, FILMS);
}

#[test]
fn orthanc_forwards_from_its_archive() {
    let (hospital, films) = clinic("orthanc-sends", 104, "ARCHIVE");
    let folder = hospital.plan.folder.join("orthanc");
    let mut orthanc = Orthanc::prepare(&folder, "ARCHIVE", (AE_TITLE, hospital.plan.dicom_port)).unwrap();
    orthanc.start().unwrap();
    let base = format!("http://127.0.0.1:{}", orthanc.http_port);
    for film in &films {
        ureq::post(&format!("{base}/instances")).send(&std::fs::read(film).unwrap()[..]).unwrap();
    }
    let echoed = ureq::post(&format!("{base}/modalities/device/echo")).send("{}").unwrap();
    assert!(echoed.status().is_success());
    let ids: Vec<String> = orthanc.instances().unwrap().into_iter().map(|held| held.id).collect();
    let order = serde_json::json!({ "Resources": ids, "Synchronous": true });
    let mut answer = ureq::post(&format!("{base}/modalities/device/store")).send_json(order).unwrap();
    let forwarded: Forwarded = answer.body_mut().read_json().unwrap();
    assert_eq!((forwarded.instances as usize, forwarded.failed), (FILMS, 0));
    read_all(&hospital, FILMS);
}

#[test]
fn three_scanners_at_once_lose_nothing() {
    let (hospital, films) = clinic("at-once", 104, "ARCHIVE");
    let port = hospital.plan.dicom_port.to_string();
    let send = |program: &str, film: &Path| {
        let mut command = Command::new(program);
        command.args(["-v", "-aet", SCANNER, "-aec", AE_TITLE, "127.0.0.1", &port]).arg(film);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let programs = ["storescu", "dcmsend", "storescu"];
    let mut senders: Vec<_> = programs.iter().zip(&films).map(|(program, film)| send(program, film)).collect();
    assert!(senders.iter_mut().all(|sender| sender.wait().unwrap().success()));
    read_all(&hospital, FILMS);
}

#[test]
fn a_sender_over_http_is_told_what_became_of_each_film() {
    let port = ports::free().unwrap();
    let mut hospital = Hospital::alone("stow", |plan| {
        let token = plan.folder.join("token").display().to_string();
        plan.more = format!(
            "[stow]\nlisten = \"127.0.0.1:{port}\"\nmax_body_mib = 32\n\n[[stow.client]]\nname = \"PACS\"\n\
             token_file = \"{token}\"\n"
        );
    })
    .unwrap();
    let token = hospital.plan.folder.join("token");
    std::fs::write(&token, "a-token-that-is-long-enough-0123456789\n").unwrap();
    hospital.start_appliance().unwrap();
    let films = modality::draw(&hospital.plan.folder.join("images"), 2, 7).unwrap();
    let output = Command::new(place::python("dicom"))
        .arg(place::root().join("tests/dicom/stow.py"))
        .args([&port.to_string(), token.to_str().unwrap(), &(32 << 20).to_string()])
        .args(&films)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let status = |case: &str| told[case]["status"].as_u64().unwrap();
    assert_eq!(["wrong_token", "wrong_kind", "too_large"].map(status), [401, 415, 413], "{told}");
    // 0xC409 and 0xC000: of another study, no DICOM file.
    assert_eq!((status("other_study"), &told["other_study"]["failed"]), (409, &serde_json::json!([0xC409])), "{told}");
    let mixed = &told["good_and_bad"];
    assert_eq!((status("good_and_bad"), &mixed["failed"]), (202, &serde_json::json!([0xC000])), "{told}");
    assert_eq!((&mixed["stored"][0], &mixed["kind"]), (&told["instances"][0], &"application/dicom+json".into()));
    assert_eq!((status("its_study"), status("both")), (200, 200), "{told}");
    assert_eq!(told["both"]["stored"], told["instances"], "{told}");
    // Each film once: what was refused or cut off left nothing, what came again is kept once.
    read_all(&hospital, 2);
}
