//! The decisions as tables.

use super::*;

fn title(text: &str) -> AeTitle {
    text.parse().unwrap()
}

fn rules() -> Rules {
    let scanner = |name: &str, address: Option<&str>| AllowedScanner {
        ae_title: title(name),
        address: address.map(|text| text.parse().unwrap()),
        port: None,
        certificate: None,
    };
    let bound = |name: &str| AllowedScanner { certificate: Some(name.to_owned()), ..scanner("XR-TLS", None) };
    Rules {
        ae_title: title("HILUM"),
        allow: vec![
            scanner("XR-ROOM-1", None),
            scanner("XR-ROOM-2", Some("10.1.2.3")),
            scanner("XR-ROOM-2", Some("::1")),
            bound("xr-1.hospital.example"),
            bound("xr-2.hospital.example"),
        ],
    }
}

fn from(address: &str) -> Peer {
    Peer { address: address.parse().unwrap(), identity: None }
}

fn request(called: &str, calling: &str) -> AssociationRQ {
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: calling.into(),
        called_ae_title: called.into(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: vec![],
        user_variables: vec![],
    }
}

fn proposed(id: u8, class: &str, syntaxes: &[&str]) -> PresentationContextProposed {
    let transfer_syntaxes = syntaxes.iter().map(|uid| (*uid).to_owned()).collect();
    PresentationContextProposed { id, abstract_syntax: class.into(), transfer_syntaxes }
}

#[test]
fn only_listed_scanners_that_call_us_come_in() {
    let judge = |called: &str, calling: &str, address: &str| rules().judge(&request(called, calling), &from(address));
    assert_eq!(judge("HILUM", "XR-ROOM-1", "192.0.2.9"), Ok(title("XR-ROOM-1")));
    assert_eq!(judge("HILUM", "XR-ROOM-2", "10.1.2.3"), Ok(title("XR-ROOM-2")));
    assert_eq!(judge("HILUM", "XR-ROOM-2", "::ffff:10.1.2.3"), Ok(title("XR-ROOM-2")));
    assert_eq!(judge("HILUM", "XR-ROOM-2", "::1"), Ok(title("XR-ROOM-2")));
    assert_eq!(judge("ANY-SCP", "XR-ROOM-1", "::1"), Err(Rejection::Called(Some(title("ANY-SCP")))));
    assert_eq!(judge("hilum", "XR-ROOM-1", "::1"), Err(Rejection::Called(Some(title("hilum")))));
    assert_eq!(judge("", "XR-ROOM-1", "::1"), Err(Rejection::Called(None)));
    assert_eq!(judge("HILUM", "STRANGER", "::1"), Err(Rejection::Calling(Some(title("STRANGER")))));
    assert_eq!(judge("HILUM", "", "::1"), Err(Rejection::Calling(None)));
    let elsewhere = "10.1.2.4".parse().unwrap();
    assert_eq!(judge("HILUM", "XR-ROOM-2", "10.1.2.4"), Err(Rejection::Address(title("XR-ROOM-2"), elsewhere)));
}

#[test]
fn a_title_that_is_bound_to_a_certificate_comes_with_that_one_or_not_at_all() {
    let judge = |calling: &str, names: Option<&[&str]>| {
        let identity = names.map(|names| Identity(names.iter().map(|name| (*name).to_owned()).collect()));
        rules().judge(&request("HILUM", calling), &Peer { identity, ..from("192.0.2.9") })
    };
    assert_eq!(judge("XR-TLS", Some(&["A scanner", "XR-1.hospital.example"])), Ok(title("XR-TLS")));
    assert_eq!(judge("XR-TLS", Some(&["xr-2.hospital.example"])), Ok(title("XR-TLS")));
    let other = Identity(vec!["xr-3.hospital.example".into()]);
    assert_eq!(
        judge("XR-TLS", Some(&["xr-3.hospital.example"])),
        Err(Rejection::Certificate(title("XR-TLS"), Some(other)))
    );
    assert_eq!(judge("XR-TLS", None), Err(Rejection::Certificate(title("XR-TLS"), None)));
    // One that is bound to none may come with any.
    assert_eq!(judge("XR-ROOM-1", Some(&["xr-3.hospital.example"])), Ok(title("XR-ROOM-1")));
}

#[test]
fn wishes_beyond_storage_are_answered_with_what_is_done_here() {
    let mut wishful = request("HILUM", "XR-ROOM-1");
    let role = |class: &str| {
        UserVariableItem::ScuScpRoleSelectionSubItem(class.into(), RequestorRoles { scu: true, scp: true })
    };
    let window = |size: u8| UserVariableItem::Unknown(0x53, vec![0, size, 0, size]);
    wishful.user_variables = vec![window(8), role(syntax::VERIFICATION), role(PUSH_MODEL), role("1.2.3")];
    let (_, contexts) = negotiate(&[
        proposed(1, syntax::VERIFICATION, &[syntax::IMPLICIT_LE]),
        proposed(3, PUSH_MODEL, &[syntax::IMPLICIT_LE]),
    ]);
    let answered = |class: &str, scp| {
        UserVariableItem::ScuScpRoleSelectionSubItem(class.into(), RequestorRoles { scu: true, scp })
    };
    let expected = [window(1), answered(syntax::VERIFICATION, false), answered(PUSH_MODEL, true)];
    assert_eq!(further_items(&wishful, &contexts), expected);
    assert_eq!(further_items(&request("HILUM", "XR-ROOM-1"), &contexts), []);
}

#[test]
fn another_protocol_is_refused_before_titles_count() {
    let from = from("::1");
    let mut future = request("X", "Y");
    future.protocol_version = 2;
    assert_eq!(rules().judge(&future, &from), Err(Rejection::Protocol));
    let mut other = request("X", "Y");
    other.application_context_name = "1.2.3".into();
    assert_eq!(rules().judge(&other, &from), Err(Rejection::ApplicationContext));
}

#[test]
fn a_rejection_says_what_to_change() {
    let from = "10.1.2.4".parse().unwrap();
    let words = Rejection::Calling(Some(title("XR-ROOM-3"))).words(&title("HILUM"), from);
    assert!(words.contains("[[dicom.allow]] ae_title = \"XR-ROOM-3\""), "{words}");
    let words = Rejection::Called(Some(title("PACS"))).words(&title("HILUM"), from);
    assert!(words.contains("\"PACS\"") && words.contains("[dicom] ae_title"), "{words}");
}

#[test]
fn the_scanners_first_choice_that_is_taken_wins() {
    const CR: &str = "1.2.840.10008.5.1.4.1.1.1";
    const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
    let (results, contexts) = negotiate(&[
        proposed(1, "1.2.840.10008.1.1\0", &[syntax::IMPLICIT_LE]),
        proposed(3, CR, &["1.2.840.10008.1.2.4.100", JPEG_LOSSLESS, syntax::IMPLICIT_LE]),
        proposed(5, "1.2.840.10008.5.1.4.1.1.2", &[syntax::IMPLICIT_LE]),
        proposed(7, CR, &["1.2.840.10008.1.2.4.100"]),
        proposed(8, CR, &[syntax::IMPLICIT_LE]),
        proposed(3, CR, &[syntax::IMPLICIT_LE]),
    ]);
    let reasons: Vec<_> = results.iter().map(|result| (result.id, result.reason.clone())).collect();
    assert_eq!(
        reasons,
        [
            (1, ContextReason::Acceptance),
            (3, ContextReason::Acceptance),
            (5, ContextReason::AbstractSyntaxNotSupported),
            (7, ContextReason::TransferSyntaxesNotSupported),
            (8, ContextReason::NoReason),
            (3, ContextReason::NoReason),
        ]
    );
    assert_eq!(results[1].transfer_syntax, JPEG_LOSSLESS);
    assert_eq!(contexts.iter().map(|context| context.id).collect::<Vec<_>>(), [1, 3]);
}
