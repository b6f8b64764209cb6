//! DICOM over TLS against dcmtk, whose TLS is OpenSSL's: who comes in is who shows the certificate that its title is bound to.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states its expectations")]

mod support;

use std::path::Path;
use std::process::Command;

use appliance::dicom::scu::{Sent, send_all};
use appliance::dicom::tls::{Acceptor, Connector};
use appliance::dicom::{AllowedScanner, Listener};
use support::papers::Papers;
use support::{Scp, eventually, film, scanner};

/// One that binds XR-ROOM-1 to the certificate of `xr-1`.
fn bound(papers: &Papers) -> Scp {
    let entry = AllowedScanner { certificate: Some("xr-1".to_owned()), ..scanner("XR-ROOM-1") };
    let bind = |listener: &mut Listener| listener.rules.send_modify(|rules| rules.allow = vec![entry]);
    Scp::secured(&Acceptor::load(&papers.config()).unwrap(), |listener, _| bind(listener))
}

/// dcmtk's storescu to the TLS port; what it said.
fn storescu(scp: &Scp, options: &[&str], file: &Path) -> (bool, String) {
    let port = scp.secured.unwrap().port().to_string();
    let output = Command::new("storescu")
        .args(["-v", "-aet", "XR-ROOM-1", "-aec", "HILUM"])
        .args(options)
        .args(["127.0.0.1", &port])
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("storescu cannot be run ({error}); install it with: apt-get install dcmtk"));
    let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), words)
}

#[test]
fn storescu_stores_with_the_certificate_that_its_title_is_bound_to_and_with_no_other() {
    let (papers, strangers) = (Papers::made(&["appliance", "xr-1", "xr-2"]), Papers::made(&["xr-1"]));
    let (scp, folder) = (bound(&papers), tempfile::tempdir().unwrap());
    let file = folder.path().join("film.dcm");
    film(&file, 1);
    let shown = |from: &Papers, name: &str| {
        let path = |name: String| from.path(&name).to_str().unwrap().to_owned();
        let ours = papers.path("ca.pem").to_str().unwrap().to_owned();
        let words = [path(format!("{name}.key")), path(format!("{name}.pem")), ours];
        let [key, certificate, ca] = &words;
        storescu(&scp, &["+tls", key, certificate, "+cf", ca], &file)
    };
    let (stored, words) = shown(&papers, "xr-1");
    assert!(stored && words.contains("(Success)"), "{words}");
    assert_eq!(scp.accepted(), 1);

    let (stored, words) = shown(&papers, "xr-2");
    assert!(!stored && words.contains("Calling AE Title Not Recognized"), "{words}");
    assert!(scp.refusals().contains("XR-ROOM-1 at 127.0.0.1 showed the certificate of \"xr-2\""), "{}", scp.refusals());

    let (stored, words) = shown(&strangers, "xr-1");
    assert!(!stored, "{words}");
    eventually(|| scp.refusals().contains("must be signed by the authority of [dicom.tls] client_ca"));
    assert_eq!(scp.accepted(), 1);
}

#[test]
fn storescu_without_a_certificate_or_without_tls_gets_no_byte_in() {
    let papers = Papers::made(&["appliance"]);
    let (scp, folder) = (bound(&papers), tempfile::tempdir().unwrap());
    let file = folder.path().join("film.dcm");
    film(&file, 1);
    let ca = papers.path("ca.pem");
    let (stored, words) = storescu(&scp, &["+tla", "+cf", ca.to_str().unwrap()], &file);
    assert!(!stored, "{words}");
    eventually(|| scp.refusals().contains("peer sent no certificates"));
    let (stored, words) = storescu(&scp, &[], &file);
    assert!(!stored, "{words}");
    eventually(|| scp.refusals().contains("A TLS connection from 127.0.0.1 failed"));
    // In the clear, on the other port: the title is bound to a certificate.
    let sent = scp.send(&file);
    assert!(sent.words.contains("calling"), "{sent:?}");
    assert!(scp.refusals().contains("came without TLS"), "{}", scp.refusals());
    assert_eq!((scp.accepted(), scp.files().len()), (0, 0));
}

#[test]
fn our_own_sender_checks_whom_it_sends_to() {
    let (papers, strangers) = (Papers::made(&["appliance", "xr-1"]), Papers::made(&["xr-1"]));
    let (scp, folder) = (bound(&papers), tempfile::tempdir().unwrap());
    let file = folder.path().join("film.dcm");
    film(&file, 1);
    let send = |ca: &Papers, name: &str| -> Sent {
        let (certificate, key) = (papers.path("xr-1.pem"), papers.path("xr-1.key"));
        let connector = Connector::load(Some((&certificate, &key)), &ca.path("ca.pem"), None).unwrap().expecting(name);
        let target = format!("HILUM@{}", scp.secured.unwrap()).parse().unwrap();
        let mut sent = Vec::new();
        let from = "XR-ROOM-1".parse().unwrap();
        scp.block_on(send_all(&target, &from, Some(&connector), std::slice::from_ref(&file), |one| sent.push(one)));
        sent.remove(0)
    };
    assert!(send(&papers, "appliance").is_stored());
    let told = send(&papers, "somebody-else").words;
    assert!(told.contains("over TLS (its certificate is for another name)"), "{told}");
    let told = send(&strangers, "appliance").words;
    assert!(told.contains("over TLS (its certificate is not of the configured authority)"), "{told}");
}

#[test]
fn papers_that_do_not_fit_are_told_with_their_file() {
    let papers = Papers::made(&["appliance", "xr-1"]);
    let mut config = papers.config();
    config.key = papers.path("missing.key");
    let words = Acceptor::load(&config).err().unwrap().to_string();
    assert!(words.contains("missing.key"), "{words}");
    config.key = papers.path("xr-1.key");
    assert!(Acceptor::load(&config).is_err(), "the key of another certificate");
    config.certificate = papers.path("appliance.key");
    assert!(Acceptor::load(&config).is_err(), "no certificate in it");
}
