//! Results to the hospital's systems over TLS with certificates on both sides: a real Orthanc speaks DICOM over TLS (dcmtk on
//! OpenSSL) and a real HTTPS server FHIR. Whoever shows the wrong certificate is given nothing, and the page says why.

#![cfg(test)]

use std::path::Path;
use std::process::Command;

use lab::authority::Authority;
use lab::hospital::{AE_TITLE, Hospital};
use lab::orthanc::Orthanc;
use lab::{journal, modality, patience, place, ports, receiver};

/// What the device is called in its certificate, and the two systems.
const SYSTEMS: [&str; 3] = ["hilum", "archive", "fhir"];

/// Two hospitals' authorities; each signs for systems of the same names.
fn authorities(folder: &Path) -> (Authority, Authority) {
    let of = |name| Authority::of_hospital(&folder.join(name), &SYSTEMS).unwrap();
    (of("ours"), of("strangers"))
}

/// A device that believes `ca`, and an archive that shows a certificate of `shown`, believes `believed` and does not run yet.
fn archive_and_device(kind: &str, ca: &str, (shown, believed): (&str, &str)) -> (Hospital, Orthanc) {
    let folder = place::fresh(kind).unwrap();
    let (ours, strangers) = authorities(&folder);
    let by = |name: &str| if name == "ours" { &ours } else { &strangers };
    let secured_port = ports::free().unwrap();
    let archive = Orthanc::prepare(&folder.join("archive"), "ARCHIVE", (AE_TITLE, secured_port)).unwrap();
    let archive = archive.secured(by(shown), "archive", by(believed));
    let hospital = Hospital::alone(&format!("{kind}-device"), |plan| {
        // The archive reports storage commitment over TLS, too, and is known by its certificate.
        plan.more = format!(
            "[[dicom.allow]]\nae_title = \"ARCHIVE\"\ncertificate = \"archive\"\n\n\
             [dicom.tls]\nlisten = \"127.0.0.1:{secured_port}\"\ncertificate = {:?}\nkey = {:?}\nclient_ca = {:?}\n\n\
             [[destination]]\nname = \"archive\"\nkind = \"dicom\"\naddress = \"{}\"\ntls = true\n\n\
             [[route]]\nto = [\"archive\"]\n",
            ours.certificate("hilum"),
            ours.key("hilum"),
            by(ca).certificate("ca"),
            archive.address(),
        );
    });
    (hospital.unwrap(), archive)
}

/// Waits until the page says so of what waits; nothing may have arrived by then.
fn refused(hospital: &Hospital, destination: &str, words: &str) {
    let told = patience::until("the refusal to be told", patience::BATCH, || {
        let page = hospital.page()?;
        Ok((page.contains(&format!("{destination}: waiting")) && page.contains(words)).then_some(()))
    });
    told.unwrap_or_else(|error| panic!("{error}: {:#?}", journal::deliveries(&hospital.outbox()).unwrap()));
    assert!(journal::deliveries(&hospital.outbox()).unwrap().iter().all(|one| one.state == "waiting"));
}

#[test]
fn an_archive_commits_to_what_it_took_over_tls() {
    let (mut hospital, mut archive) = archive_and_device("archive-tls", "ours", ("ours", "ours"));
    archive.start().unwrap();
    // It is TLS that is spoken there: in the clear nobody gets an answer.
    let port = archive.dicom_port.to_string();
    let clear = Command::new("echoscu").args(["-to", "5", "-aec", "ARCHIVE", "127.0.0.1", &port]).output().unwrap();
    assert!(!clear.status.success());
    hospital.start_appliance().unwrap();
    hospital.receive(1, 11).unwrap();
    journal::settled(&hospital.outbox(), 2, "committed").unwrap();
    let mut kinds: Vec<String> =
        archive.instances().unwrap().iter().map(|one| archive.attribute(one, "Modality").unwrap()).collect();
    kinds.sort();
    assert_eq!(kinds, ["OT", "SR"]);
}

#[test]
fn an_archive_with_a_strangers_certificate_is_given_nothing() {
    let (mut hospital, mut archive) = archive_and_device("archive-stranger", "ours", ("strangers", "ours"));
    archive.start().unwrap();
    hospital.start_appliance().unwrap();
    hospital.receive(1, 12).unwrap();
    refused(&hospital, "archive", "its certificate is not of the configured authority");
    assert!(archive.instances().unwrap().is_empty());
}

#[test]
fn an_archive_that_does_not_believe_us_is_told_of_in_words() {
    let (mut hospital, mut archive) = archive_and_device("archive-disbelief", "ours", ("ours", "strangers"));
    archive.start().unwrap();
    hospital.start_appliance().unwrap();
    hospital.receive(1, 13).unwrap();
    refused(&hospital, "archive", "it does not accept our certificate");
    assert!(archive.instances().unwrap().is_empty());
}

/// A FHIR server over https and a device that believes `ca`.
fn fhir_and_device(kind: &str, ca: &str) -> (Hospital, lab::process::Process, std::path::PathBuf) {
    let (port, folder) = (ports::free().unwrap(), place::fresh(kind).unwrap());
    let (ours, strangers) = authorities(&folder);
    let believed = if ca == "ours" { &ours } else { &strangers };
    let hospital = Hospital::alone(&format!("{kind}-device"), |plan| {
        plan.more = format!(
            "[[destination]]\nname = \"fhir\"\nkind = \"fhir\"\nurl = \"https://localhost:{port}/r4\"\n\
             ca = {:?}\ncertificate = {:?}\nkey = {:?}\n\n[[route]]\nto = [\"fhir\"]\n",
            believed.certificate("ca"),
            ours.certificate("hilum"),
            ours.key("hilum"),
        );
    });
    let papers = [ours.certificate("fhir"), ours.key("fhir"), ours.certificate("ca")];
    let resources = folder.join("resources");
    let server = receiver::start("fhir_receiver.py", port, &resources, &papers).unwrap();
    (hospital.unwrap(), server, resources)
}

#[test]
fn a_fhir_server_over_https_is_given_each_result_with_our_certificate_shown() {
    let (mut hospital, _server, resources) = fhir_and_device("fhir-tls", "ours");
    hospital.start_appliance().unwrap();
    hospital.receive(1, 14).unwrap();
    journal::settled(&hospital.outbox(), 1, "delivered").unwrap();
    assert_eq!(modality::listing(&resources).unwrap().len(), 2);
}

#[test]
fn a_fhir_server_with_a_strangers_certificate_is_given_nothing() {
    let (mut hospital, _server, resources) = fhir_and_device("fhir-stranger", "strangers");
    hospital.start_appliance().unwrap();
    hospital.receive(1, 15).unwrap();
    refused(&hospital, "fhir", "its certificate is not of the configured authority");
    assert!(modality::listing(&resources).unwrap().is_empty());
}
