//! dcmtk, the reference implementation, talks to the device: verification, storage in each transfer syntax, refusals.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab::hospital::{AE_TITLE, Hospital, SCANNER};
use lab::{journal, modality, patience};

/// A device that answers, and one drawn film.
struct Clinic {
    hospital: Hospital,
    film: PathBuf,
}

impl Clinic {
    fn open(kind: &str) -> Self {
        let mut hospital = Hospital::alone(kind, |_| ()).unwrap();
        hospital.start_appliance().unwrap();
        let film = modality::draw(&hospital.plan.folder.join("images"), 1, 3).unwrap().remove(0);
        Self { hospital, film }
    }

    /// A dcmtk program towards the device.
    fn dcmtk(&self, program: &str, calling: &str, called: &str, rest: &[&str]) -> Output {
        let port = self.hospital.plan.dicom_port.to_string();
        let mut command = Command::new(program);
        command.args(["-v", "-aet", calling, "-aec", called]);
        // Options go before the address, files behind it.
        let (options, files): (Vec<&str>, Vec<&str>) = rest.iter().partition(|word| word.starts_with('-'));
        command.args(options).args(["127.0.0.1", &port]).args(files).output().unwrap()
    }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn verification_is_answered_and_strangers_are_told_why_not() {
    let clinic = Clinic::open("verification");
    let echo = clinic.dcmtk("echoscu", SCANNER, AE_TITLE, &[]);
    assert!(echo.status.success() && words(&echo).contains("Received Echo Response (Success)"), "{}", words(&echo));
    for (calling, called, reason) in [
        (SCANNER, "SOMEBODY", "Called AE Title Not Recognized"),
        ("STRANGER", AE_TITLE, "Calling AE Title Not Recognized"),
    ] {
        let refused = clinic.dcmtk("echoscu", calling, called, &[]);
        assert!(!refused.status.success() && words(&refused).contains(reason), "{}", words(&refused));
    }
}

#[test]
fn every_proposal_of_storescu_is_taken_and_every_film_is_read() {
    let clinic = Clinic::open("storescu");
    let folder = clinic.hospital.plan.folder.join("encoded");
    std::fs::create_dir_all(&folder).unwrap();
    // storescu's own options for what it proposes, and the program that encodes a film so.
    let plain: [(&str, &str, &[&str]); 9] = [
        ("-xi", "dcmconv", &["+ti"]),
        ("-xe", "dcmconv", &["+te"]),
        ("-xb", "dcmconv", &["+tb"]),
        ("-xd", "dcmconv", &["+td"]),
        ("-xs", "dcmcjpeg", &["+e1"]),
        ("-xr", "dcmcrle", &[]),
        ("-xt", "dcmcjpls", &["+el"]),
        ("-xu", "dcmcjpls", &["+en"]),
        // dcmtk can't encode JPEG 2000: the proposal goes out, and the film as it is.
        ("-xv", "dcmconv", &["+te"]),
    ];
    for (number, (proposal, encoder, options)) in plain.iter().enumerate() {
        let encoded = folder.join(format!("{number}{proposal}.dcm"));
        encode(encoder, options, &clinic.film, &encoded);
        new_uid(&encoded);
        let sent = clinic.dcmtk("storescu", SCANNER, AE_TITLE, &[proposal, encoded.to_str().unwrap()]);
        assert!(sent.status.success(), "{proposal}: {}", words(&sent));
        assert!(words(&sent).contains("Received Store Response (Success)"), "{proposal}: {}", words(&sent));
    }
    let outbox = clinic.hospital.outbox();
    patience::until("nine films to be read", patience::BATCH, || {
        let entries = journal::entries(&outbox)?;
        Ok((entries.len() == plain.len() && entries.iter().all(|entry| entry.state == "concluded")).then_some(()))
    })
    .unwrap();
    // Each was read by the model, whatever its transfer syntax; it is counted right after its row is written.
    let address = format!("http://127.0.0.1:{}/metrics", clinic.hospital.plan.appliance_port);
    patience::until("nine films to be counted as read", patience::START, || {
        let metrics = lab::api::text(&address)?.1;
        let counters = metrics.lines().filter(|line| line.starts_with("pneumonia_predictions_total"));
        Ok((counters.filter_map(value).sum::<f64>() == plain.len() as f64).then_some(()))
    })
    .unwrap();
}

#[test]
fn the_same_film_sent_twice_is_acknowledged_twice_and_read_once() {
    let clinic = Clinic::open("twice");
    for _ in 0..2 {
        let sent = clinic.dcmtk("storescu", SCANNER, AE_TITLE, &["-xe", clinic.film.to_str().unwrap()]);
        assert!(words(&sent).contains("Received Store Response (Success)"), "{}", words(&sent));
    }
    assert_eq!(journal::entries(&clinic.hospital.outbox()).unwrap().len(), 1);
}

fn encode(program: &str, options: &[&str], from: &Path, to: &Path) {
    let done = Command::new(program).args(options).arg(from).arg(to).output().unwrap();
    assert!(done.status.success(), "{program}: {}", words(&done));
}

/// Gives a file an identity of its own, so that it is another image and no resend.
fn new_uid(file: &Path) {
    let done = Command::new("dcmodify").args(["-nb", "-gin"]).arg(file).output().unwrap();
    assert!(done.status.success(), "dcmodify: {}", words(&done));
}

fn value(line: &str) -> Option<f64> {
    line.rsplit_once(' ')?.1.parse().ok()
}
