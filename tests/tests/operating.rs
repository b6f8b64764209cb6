//! Looking after a running appliance: the status page, the way back from a pseudonym, the configuration read again.

#![cfg(test)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

use lab::hospital::Hospital;
use lab::modality::{self, Modality};
use lab::{api, patience, place};

/// Of a patient who never was.
const PATIENT: &str = "PAT-4711";
const ACCESSION: &str = "ACC-0815";

fn page(hospital: &Hospital, query: &str) -> String {
    api::text(&format!("http://127.0.0.1:{}/{query}", hospital.plan.appliance_port)).unwrap().1
}

fn appliance(arguments: &[&str], config: &Path) -> Output {
    Command::new(place::program("hilum-appliance").unwrap())
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap()
}

fn eventually(what: &str, mut seen: impl FnMut() -> bool) {
    patience::until(what, patience::BATCH, || Ok(seen().then_some(()))).unwrap();
}

/// A film with a patient's identifiers in its header.
fn film(folder: &Path) -> std::path::PathBuf {
    let film = modality::draw(folder, 1, 5).unwrap().remove(0);
    let (patient, accession) = (format!("(0010,0020)={PATIENT}"), format!("(0008,0050)={ACCESSION}"));
    let changed = Command::new("dcmodify").args(["-nb", "-i", &patient, "-i", &accession]).arg(&film).status();
    assert!(changed.unwrap().success());
    film
}

#[test]
fn a_technician_finds_the_study_behind_a_pseudonym_and_nobody_else_sees_whose_it_is() {
    let mut hospital = Hospital::alone("operating", |_| ()).unwrap();
    hospital.start_appliance().unwrap();
    let film = film(&hospital.plan.folder.join("images"));
    let answer = Modality::known(hospital.plan.dicom_port).send_all(&[film]).unwrap().remove(0);
    assert!(answer.is_accepted(), "{answer:?}");
    eventually("the image to be on the status page", || page(&hospital, "").contains("<code>"));
    let shown = page(&hospital, "");
    let short = shown.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned();
    assert_eq!(short.len(), 8, "{shown}");

    let config = hospital.appliance_config();
    let found = appliance(&["lookup", &short], &config);
    let words = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.status.success() && words.contains(ACCESSION) && words.contains(PATIENT), "{found:?}");
    let unknown = appliance(&["lookup", "zzzzzz"], &config);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no image here has the pseudonym"), "{unknown:?}");
    let noted = String::from_utf8_lossy(&appliance(&["lookup", "--log"], &config).stdout).into_owned();
    assert!(noted.contains(&short) && noted.lines().count() == 1 && !noted.contains(PATIENT), "{noted}");

    let metrics = page(&hospital, "metrics");
    let log = std::fs::read_to_string(hospital.plan.folder.join("hilum-appliance.log")).unwrap();
    let outbox = std::fs::read(hospital.outbox()).unwrap();
    for (place, text) in
        [("page", shown), ("metrics", metrics), ("log", log), ("database", String::from_utf8_lossy(&outbox).into())]
    {
        assert!(!text.contains(PATIENT) && !text.contains(ACCESSION), "the {place} names the patient");
    }
    assert!(hospital.stop_appliance().unwrap().success());
}

#[test]
fn every_metric_is_described() {
    let mut hospital = Hospital::alone("metrics", |_| ()).unwrap();
    hospital.start_appliance().unwrap();
    let film = film(&hospital.plan.folder.join("images"));
    assert!(Modality::known(hospital.plan.dicom_port).send_all(&[film]).unwrap()[0].is_accepted());
    eventually("the image to be counted", || page(&hospital, "metrics").contains("predictions_total{"));
    let text = page(&hospital, "metrics");
    let typed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(typed.len() > 10, "{text}");
    for name in typed {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no description");
    }
}

#[test]
fn another_name_than_ours_gets_no_page() {
    let mut hospital = Hospital::alone("names", |_| ()).unwrap();
    hospital.start_appliance().unwrap();
    let status = |host: &str| {
        let mut socket = TcpStream::connect(("127.0.0.1", hospital.plan.appliance_port)).unwrap();
        write!(socket, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!((status("localhost"), status("rebound.example")), ("200".to_owned(), "421".to_owned()));
}

#[test]
fn the_configuration_is_read_again_and_what_waits_for_a_restart_is_named() {
    let mut hospital = Hospital::alone("reload", |_| ()).unwrap();
    hospital.start_appliance().unwrap();
    let process = hospital.processes().next().unwrap().id().to_string();
    let (config, port) = (hospital.appliance_config(), hospital.plan.appliance_port);
    let before = std::fs::read_to_string(&config).unwrap();
    let reload = |text: &str| {
        std::fs::write(&config, text).unwrap();
        assert!(Command::new("kill").args(["-HUP", &process]).status().unwrap().success());
    };
    reload(
        &before
            .replace("level = \"info\"", "level = \"debug\"")
            .replace("ae_title = \"HILUM\"", "ae_title = \"OTHER\""),
    );
    let notice = "[dicom] ae_title needs a restart; still &quot;HILUM&quot;";
    eventually("the notice", || page(&hospital, "").contains(notice));
    assert!(api::is_ready(port));
    let film = film(&hospital.plan.folder.join("images"));
    let newcomer = Modality { calling: "NEWCOMER".to_owned(), ..Modality::known(hospital.plan.dicom_port) };
    assert!(!newcomer.send_all(std::slice::from_ref(&film)).unwrap()[0].is_accepted());
    reload(&before.replace("[model]", "[[dicom.allow]]\nae_title = \"NEWCOMER\"\n[model]"));
    eventually("the notice to go", || !page(&hospital, "").contains("needs a restart"));
    assert!(newcomer.send_all(std::slice::from_ref(&film)).unwrap()[0].is_accepted());
    let log = std::fs::read_to_string(hospital.plan.folder.join("hilum-appliance.log")).unwrap();
    assert!(log.contains("log.level") && log.contains("in force"), "{log}");

    reload(&before.replace("ae_title = \"HILUM\"", "ae_titel = \"HILUM\""));
    eventually("the mistake on the page", || page(&hospital, "").contains("did you mean ae_title?"));
    assert!(!api::is_ready(port));
    // And the service goes on as it was.
    assert!(Modality::known(hospital.plan.dicom_port).send_all(&[film]).unwrap()[0].is_accepted());

    reload(&before);
    eventually("all to be well again", || api::is_ready(port));
    assert!(!page(&hospital, "").contains("needs a restart"));
    assert!(hospital.stop_appliance().unwrap().success());
}
