//! Storage commitment in both directions: asked of this appliance, reported on the same association, on another, and after a
//! restart; and reported to it by a PACS. The end-to-end tests ask with pynetdicom.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states its expectations")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use appliance::dicom::commitment::{Ask, Reference, Report};
use appliance::dicom::scu::{Link, Proposal, Target};
use appliance::dicom::{AllowedScanner, Rules};
use support::{Scp, eventually, film, scanner};
use tempfile::TempDir;

const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
const COMPUTED_RADIOGRAPHY: &str = "1.2.840.10008.5.1.4.1.1.1";

/// Longer than the pause before a report on the same association, and than a loaded machine takes for it.
const PATIENCE: Duration = Duration::from_secs(30);

fn reference(class: &str, instance: &str) -> Reference {
    Reference { class: class.parse().unwrap(), instance: instance.parse().unwrap() }
}

fn ask(references: Vec<Reference>) -> Ask {
    Ask { transaction: "2.25.4711".parse().unwrap(), references }
}

fn target(scp: &Scp) -> Target {
    Target { title: "HILUM".parse().unwrap(), host: scp.address().to_string() }
}

async fn associate(scp: &Scp) -> Link {
    Link::open(&target(scp), &"XR-ROOM-1".parse().unwrap(), &[Proposal::commitment(false)], None).await.unwrap()
}

/// Stores a film and gives its SOP Instance UID.
fn stored(scp: &Scp, folder: &TempDir, shade: u8) -> String {
    let file: PathBuf = folder.path().join(format!("{shade}.dcm"));
    film(Path::new(&file), shade);
    let sent = scp.send(&file);
    assert!(sent.is_stored(), "{sent:?}");
    sent.sop_instance.unwrap()
}

/// A second listener in the scanner's place, and the entry that says where it is.
fn scanner_that_listens() -> (Scp, AllowedScanner) {
    let place = Scp::with(|listener, _| {
        listener.rules.send_replace(Rules { ae_title: "XR-ROOM-1".parse().unwrap(), allow: vec![scanner("HILUM")] });
    });
    let address = place.address();
    let entry = AllowedScanner { address: Some(address.ip()), port: Some(address.port()), ..scanner("XR-ROOM-1") };
    (place, entry)
}

#[test]
fn what_is_held_is_committed_to_and_what_is_not_is_told_with_the_reason() {
    let (scp, folder) = (Scp::start(), tempfile::tempdir().unwrap());
    let (held, lost) = (stored(&scp, &folder, 1), stored(&scp, &folder, 2));
    let names = scp.unread_files();
    std::fs::remove_file(scp.state().path().join("spool").join(&names[1])).unwrap();
    let asked = ask(vec![
        reference(SECONDARY_CAPTURE, &held),
        reference(SECONDARY_CAPTURE, &lost),
        reference(SECONDARY_CAPTURE, "2.25.1"),
        reference(COMPUTED_RADIOGRAPHY, &held),
        reference("1.2.840.10008.5.1.4.1.1.2", &held),
    ]);
    let heard = scp.block_on(async {
        let mut link = associate(&scp).await;
        assert_eq!(link.ask(&asked).await.unwrap().status, 0);
        let heard = link.hear(PATIENCE).await.unwrap().expect("a report");
        link.acknowledge(&heard, 0).await.unwrap();
        link.release().await;
        heard.report
    });
    let failed = asked.references[1..].iter().cloned().zip([0x0112, 0x0112, 0x0119, 0x0122]).collect();
    let committed = vec![asked.references[0].clone()];
    assert_eq!(heard, Report { transaction: asked.transaction, committed, failed });
    eventually(|| scp.owed() == 0);
}

#[test]
fn a_scanner_that_releases_at_once_gets_its_report_where_it_listens() {
    let (scp, folder) = (Scp::start(), tempfile::tempdir().unwrap());
    let (mut place, entry) = scanner_that_listens();
    scp.report_to(vec![entry]);
    let asked = ask(vec![reference(SECONDARY_CAPTURE, &stored(&scp, &folder, 1))]);
    scp.block_on(async {
        let mut link = associate(&scp).await;
        assert_eq!(link.ask(&asked).await.unwrap().status, 0);
        link.release().await;
    });
    let (from, report) = place.noticed();
    assert_eq!(from.as_str(), "HILUM", "the title that was called");
    assert_eq!(report, Report { transaction: asked.transaction, committed: asked.references, failed: vec![] });
    eventually(|| scp.owed() == 0);
}

#[test]
fn a_report_that_is_owed_survives_a_restart() {
    let (scp, folder) = (Scp::start(), tempfile::tempdir().unwrap());
    let asked = ask(vec![reference(SECONDARY_CAPTURE, &stored(&scp, &folder, 1))]);
    scp.block_on(async {
        let mut link = associate(&scp).await;
        assert_eq!(link.ask(&asked).await.unwrap().status, 0);
        // Neither heard nor released.
    });
    let state = scp.state();
    drop(scp);
    let again = Scp::over(state, |_, _| {});
    assert_eq!(again.owed(), 1);
    let (mut place, entry) = scanner_that_listens();
    again.report_to(vec![entry]);
    let (_, report) = place.noticed();
    assert_eq!((report.transaction, report.committed), (asked.transaction, asked.references));
    eventually(|| again.owed() == 0);
}

#[test]
fn a_report_that_cannot_be_brought_is_kept_and_the_remedy_is_shown() {
    let scp = Scp::start();
    scp.report_to(vec![scanner("XR-ROOM-1")]);
    scp.block_on(async {
        let mut link = associate(&scp).await;
        assert_eq!(link.ask(&ask(vec![reference(SECONDARY_CAPTURE, "2.25.1")])).await.unwrap().status, 0);
        link.release().await;
    });
    eventually(|| scp.refusals().contains("[[dicom.allow]] names no address and port"));
    assert_eq!(scp.owed(), 1);
}

#[test]
fn a_pacs_may_report_in_the_providers_role_and_is_answered_once_that_is_recorded() {
    let mut scp = Scp::start();
    let report = Report {
        transaction: "2.25.4711".parse().unwrap(),
        committed: vec![reference(SECONDARY_CAPTURE, "2.25.1")],
        failed: vec![(reference(SECONDARY_CAPTURE, "2.25.2"), 0x0110)],
    };
    let (target, sent) = (target(&scp), report.clone());
    let pacs = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let from = "XR-ROOM-1".parse().unwrap();
            let mut link = Link::open(&target, &from, &[Proposal::commitment(true)], None).await.unwrap();
            let status = link.report(&sent).await.unwrap().status;
            link.release().await;
            status
        })
    });
    let (from, heard) = scp.noticed();
    assert_eq!((from.as_str(), heard), ("XR-ROOM-1", report));
    assert_eq!(pacs.join().unwrap(), 0);
}

#[test]
fn requests_that_cannot_be_served_are_answered_with_the_reason() {
    let scp = Scp::start();
    let empty = scp.block_on(async {
        let mut link = associate(&scp).await;
        let status = link.ask(&ask(vec![])).await.unwrap().status;
        link.release().await;
        status
    });
    assert_eq!((empty, scp.owed()), (0x0115, 0));
    assert!(scp.refusals().contains("Storage commitment for XR-ROOM-1 was refused"), "{}", scp.refusals());
}
