//! Deliveries that an archive refused, sent again by order, with dcmtk's storescp as the archive.

use outbox::DeliveryState;

use super::reload::Archive;
use super::*;

impl Archive {
    /// An archive that takes computed radiographs and nothing else.
    fn narrow(&self, lab: &Lab) -> Running {
        let profile = lab.path("narrow.cfg");
        let text = "[[TransferSyntaxes]]\n[Plain]\nTransferSyntax1 = LittleEndianImplicit\n\
                    [[PresentationContexts]]\n[Films]\nPresentationContext1 = ComputedRadiographyImageStorage\\Plain\n\
                    [[Profiles]]\n[Narrow]\nPresentationContexts = Films\n";
        std::fs::write(&profile, text).unwrap();
        self.with(&["-xf", profile.to_str().unwrap(), "Narrow"])
    }
}

fn delivery(lab: &Lab, arguments: &[&str]) -> (bool, String) {
    let config = lab.path("appliance.toml");
    let arguments = [&["delivery", arguments[0], "--config", config.to_str().unwrap()], &arguments[1..]].concat();
    let output = run(&arguments);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn what_an_archive_refused_is_sent_again_by_order() {
    let lab = Lab::new();
    let archive = Archive::new(&lab, "archive");
    lab.configure(|text| text + &archive.toml("pacs"));
    let (narrow, service) = (archive.narrow(&lab), lab.start());
    assert!(lab.send(&lab.synth(1)).status.success());
    eventually("both are refused", || lab.delivered("pacs", DeliveryState::Refused) == 2);
    eventually("the page names the command", || lab.told().contains("hilum-appliance delivery retry"));
    let (_, listed) = delivery(&lab, &["list"]);
    let ids: Vec<&str> = listed.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(ids.len() == 2 && listed.matches("pacs").count() == 2 && listed.contains("refused since"), "{listed}");

    // The archive learned the classes.
    drop(narrow);
    let _wide = archive.open();
    let (done, said) = delivery(&lab, &["retry", ids[0]]);
    assert!(done && said.contains("1 delivery is sent again"), "{said}");
    eventually("the one", || lab.delivered("pacs", DeliveryState::Delivered) == 1);
    assert_eq!(lab.delivered("pacs", DeliveryState::Refused), 1, "the other stays refused");
    for (arguments, words) in [
        (&["retry", "--destination", "ris"][..], "nothing"),
        (&["retry", ids[0]][..], "nothing"),
        (&["retry"][..], "--all"),
        (&["retry", "--all", ids[1]][..], "--all"),
    ] {
        let (done, said) = delivery(&lab, arguments);
        assert!(!done && said.contains(words), "{arguments:?}: {said}");
    }
    let (done, said) = delivery(&lab, &["retry", "--destination", "pacs"]);
    assert!(done, "{said}");
    eventually("the other, too", || lab.delivered("pacs", DeliveryState::Delivered) == 2);
    assert_eq!(archive.holds(), 2);
    assert_eq!(delivery(&lab, &["list"]).1, "Everything was delivered.\n");
    eventually("the page is content", || !lab.told().contains("delivery retry"));
    stop(service);
    let log = std::fs::read_to_string(lab.path("service.log")).unwrap();
    let noted = log.lines().filter(|line| line.contains("sent again by order") && line.contains("\"user\":"));
    assert_eq!(noted.count(), 2, "{log}");
    assert!(!delivery(&lab, &["retry", "--all"]).0, "nobody is there to send");
}
