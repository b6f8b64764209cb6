//! Results back to the hospital's archive: a real Orthanc receives, keeps and gives back what the appliance made, is away and
//! comes back, refuses, and the appliance is killed in between. Nothing is lost, doubled, or called delivered that is not.

#![cfg(test)]

use std::collections::HashSet;
use std::path::Path;

use lab::hospital::{AE_TITLE, Hospital};
use lab::journal::Delivery;
use lab::orthanc::{Held, Orthanc};
use lab::{journal, modality, patience, place, ports, process, receiver};

/// A device with an archive as its destination; the archive does not run yet.
fn device(kind: &str, called: &str) -> (Hospital, Orthanc) {
    let folder = place::fresh(kind).unwrap();
    let dicom_port = ports::free().unwrap();
    let archive = Orthanc::prepare(&folder.join("archive"), "ARCHIVE", (AE_TITLE, dicom_port)).unwrap();
    let address = archive.address().replace("ARCHIVE@", &format!("{called}@"));
    let hospital = Hospital::alone(&format!("{kind}-device"), |plan| {
        plan.dicom_port = dicom_port;
        // The archive reports storage commitment on an association of its own.
        plan.more = format!(
            "[[dicom.allow]]\nae_title = \"ARCHIVE\"\n\n\
             [[destination]]\nname = \"archive\"\nkind = \"dicom\"\naddress = \"{address}\"\n\n\
             [[route]]\nto = [\"archive\"]\n"
        );
    });
    (hospital.unwrap(), archive)
}

fn settled(hospital: &Hospital, count: usize, state: &str) -> Vec<Delivery> {
    journal::settled(&hospital.outbox(), count, state).unwrap()
}

fn uids(held: &[Held]) -> Vec<String> {
    held.iter().map(|one| one.tags["SOPInstanceUID"].as_str().unwrap().to_owned()).collect()
}

/// What a program says of a file, whether it likes it or not.
fn told(program: &str, file: &Path) -> String {
    let done = std::process::Command::new(program).arg(file).output().unwrap();
    String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
}

#[test]
fn an_archive_keeps_commits_to_and_gives_back_what_was_made() {
    let (mut hospital, mut archive) = device("results-out", "ARCHIVE");
    archive.start().unwrap();
    hospital.start_appliance().unwrap();
    let films = hospital.receive(2, 5).unwrap();
    let deliveries = settled(&hospital, 4, "committed");
    let held = archive.instances().unwrap();
    let (sent, stored): (HashSet<_>, HashSet<_>) =
        (deliveries.iter().map(|one| one.sop_instance.clone().unwrap()).collect(), uids(&held).into_iter().collect());
    assert_eq!(sent, stored);

    let studies: HashSet<String> = films.iter().map(|film| attribute(film, "StudyInstanceUID")).collect();
    let mut kinds = Vec::new();
    for one in &held {
        let file = hospital.plan.folder.join(format!("{}.dcm", one.id));
        archive.fetch(one, &file).unwrap();
        assert!(studies.contains(&archive.attribute(one, "StudyInstanceUID").unwrap()), "filed with its film");
        let words = told("dciodvfy", &file);
        assert!(!words.lines().any(|line| line.starts_with("Error")), "{words}");
        let kind = archive.attribute(one, "Modality").unwrap();
        if kind == "SR" {
            let words = told("dsrdump", &file);
            assert!(words.contains("Imaging Measurement Report") && !words.contains("E: "), "{words}");
            let script = place::root().join("tests/dicom/read_report.py");
            let read = process::finish(&place::python("dicom"), [script.as_os_str(), file.as_os_str()]).unwrap();
            let report: serde_json::Value = serde_json::from_str(&read).unwrap();
            assert!((0.0..=1.0).contains(&report["probability"].as_f64().unwrap()), "{report}");
            let source = report["source"].as_str().unwrap();
            assert!(films.iter().any(|film| attribute(film, "SOPInstanceUID") == source), "{report}");
        }
        kinds.push(kind);
    }
    kinds.sort();
    assert_eq!(kinds, ["OT", "OT", "SR", "SR"]);
    // The page shows what was counted last, every few seconds.
    patience::until("the page to say so", patience::BATCH, || {
        Ok(hospital.page()?.contains("archive: stored and committed").then_some(()))
    })
    .unwrap();
}

/// A header's value, by pydicom.
fn attribute(film: &Path, keyword: &str) -> String {
    let script = format!("import pydicom, sys; print(pydicom.dcmread(sys.argv[1]).{keyword})");
    let film = film.display().to_string();
    process::finish(&place::python("dicom"), ["-c", &script, &film]).unwrap().trim().to_owned()
}

#[test]
fn an_archive_that_was_away_has_everything_once_when_it_is_back() {
    let (mut hospital, mut archive) = device("archive-away", "ARCHIVE");
    hospital.start_appliance().unwrap();
    hospital.receive(2, 6).unwrap();
    patience::until("the page to say that the archive is away", patience::BATCH, || {
        let page = hospital.page()?;
        Ok((page.contains("archive: waiting") && page.contains("cannot connect to")).then_some(()))
    })
    .unwrap();
    assert!(journal::deliveries(&hospital.outbox()).unwrap().iter().all(|one| one.state == "waiting"));
    archive.start().unwrap();
    settled(&hospital, 4, "committed");
    assert_eq!(archive.instances().unwrap().len(), 4);
}

#[test]
fn a_rejection_is_never_called_a_delivery() {
    let (mut hospital, mut archive) = device("archive-refuses", "SOMEBODY");
    archive.start().unwrap();
    hospital.start_appliance().unwrap();
    hospital.receive(1, 7).unwrap();
    let words = patience::until("the rejection to be told", patience::BATCH, || {
        let page = hospital.page()?;
        Ok(page.contains("rejected the association").then_some(page))
    });
    assert!(words.unwrap().contains("archive: waiting"));
    let deliveries = journal::deliveries(&hospital.outbox()).unwrap();
    assert!(deliveries.len() == 2 && deliveries.iter().all(|one| one.state == "waiting"), "{deliveries:#?}");
    assert!(archive.instances().unwrap().is_empty());
}

#[test]
fn a_device_killed_in_the_middle_sends_the_same_objects_again() {
    const FILMS: usize = 6;
    let (mut hospital, mut archive) = device("device-killed", "ARCHIVE");
    archive.start().unwrap();
    hospital.start_appliance().unwrap();
    hospital.receive(FILMS, 8).unwrap();
    patience::until("the first objects to arrive", patience::BATCH, || {
        Ok((!archive.instances()?.is_empty()).then_some(()))
    })
    .unwrap();
    hospital.kill_appliance().unwrap();
    let early: HashSet<String> = uids(&archive.instances().unwrap()).into_iter().collect();
    hospital.start_appliance().unwrap();
    let deliveries = settled(&hospital, 2 * FILMS, "committed");
    let held = uids(&archive.instances().unwrap());
    let distinct: HashSet<String> = held.iter().cloned().collect();
    assert_eq!((held.len(), distinct.len(), deliveries.len()), (2 * FILMS, 2 * FILMS, 2 * FILMS));
    assert!(early.is_subset(&distinct), "what arrived before the kill is among what was sent after it");
}

#[test]
fn a_ris_and_a_fhir_server_get_each_result_in_their_own_words_and_once() {
    let (ris_port, fhir_port) = (ports::free().unwrap(), ports::free().unwrap());
    let mut hospital = Hospital::alone("ris-and-fhir", |plan| {
        plan.more = format!(
            "[[destination]]\nname = \"ris\"\nkind = \"hl7\"\naddress = \"127.0.0.1:{ris_port}\"\n\n\
             [[destination]]\nname = \"fhir\"\nkind = \"fhir\"\nurl = \"http://127.0.0.1:{fhir_port}/r4/\"\n\n\
             [[route]]\nfrom = [\"LABSCANNER\"]\nto = [\"ris\", \"fhir\"]\n\n\
             [[route]]\nfrom = [\"SOMEBODY-ELSE\"]\nto = [\"ris\"]\n"
        );
    })
    .unwrap();
    let (messages, resources) = (hospital.plan.folder.join("messages"), hospital.plan.folder.join("resources"));
    let _ris = receiver::start("mllp_receiver.py", ris_port, &messages, &[]).unwrap();
    let _fhir = receiver::start("fhir_receiver.py", fhir_port, &resources, &[]).unwrap();
    hospital.start_appliance().unwrap();
    let films = hospital.receive(2, 9).unwrap();
    // Both turn the first attempt away.
    settled(&hospital, 4, "delivered");
    let patients: HashSet<String> = films.iter().map(|film| attribute(film, "PatientID")).collect();
    let read = |file: &Path| -> serde_json::Value {
        let script = place::root().join("tests/dicom/read_message.py");
        serde_json::from_str(&process::finish(&place::python("dicom"), [script.as_os_str(), file.as_os_str()]).unwrap())
            .unwrap()
    };
    let messages: Vec<serde_json::Value> =
        modality::listing(&messages).unwrap().iter().map(|file| read(file)).collect();
    assert_eq!(messages.len(), 2, "{messages:#?}");
    assert_eq!(
        messages.iter().map(|one| one["patient"].as_str().unwrap().to_owned()).collect::<HashSet<_>>(),
        patients
    );
    assert!(messages.iter().all(|one| one["status"] == "P" && !one["probability"].is_null()), "{messages:#?}");
    let resources = modality::listing(&resources).unwrap();
    let of = |kind: &str| {
        resources.iter().filter(|file| file.file_name().unwrap().to_string_lossy().starts_with(kind)).count()
    };
    assert_eq!((resources.len(), of("DiagnosticReport-"), of("Observation-")), (4, 2, 2));
}
