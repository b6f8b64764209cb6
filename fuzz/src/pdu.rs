//! What a scanner's connection brings before anything is known of it: PDUs, and the negotiation of an association.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use appliance::dicom::acceptance::{Peer, further_items, negotiate};
use appliance::dicom::pdu_stream::PduStream;
use appliance::dicom::{AllowedScanner, LONGEST_DATA, Rules, syntax};
use dicom_ul::Pdu;
use dicom_ul::pdu::{AssociationRQ, write_pdu};
use futures_util::FutureExt;

/// The bytes are all that comes on one connection.
pub(crate) fn pdu(data: &[u8]) {
    // What is written nowhere is written at once, so neither reading nor the time limit ever waits.
    let socket = tokio::io::join(data, tokio::io::sink());
    let mut stream = PduStream::new(socket, LONGEST_DATA, Duration::from_secs(1));
    while let Some(Ok(Some(pdu))) = stream.read().now_or_never() {
        same_again(&pdu);
        if let Pdu::AssociationRQ(request) = &pdu {
            association(request);
        }
    }
}

/// What was taken for a PDU is one: written down and read again, it is the same.
fn same_again(pdu: &Pdu) {
    let mut bytes = Vec::new();
    // A title of blanks alone can be read, and refused in words, but not written.
    if write_pdu(&mut bytes, pdu).is_err() {
        return;
    }
    let socket = tokio::io::join(bytes.as_slice(), tokio::io::sink());
    let mut stream = PduStream::new(socket, LONGEST_DATA, Duration::from_secs(1));
    let again = stream.read().now_or_never().expect("nothing to wait for");
    // Written in full where it came abridged, it may be over the limit.
    if let Ok(again) = again {
        assert_eq!(again.as_ref(), Some(pdu));
    }
}

fn association(request: &AssociationRQ) {
    let title = |text: &str| text.parse().expect("a title");
    let scanner = AllowedScanner { ae_title: title("XR"), address: None, port: None, certificate: None };
    let rules = Rules { ae_title: title("HILUM"), allow: vec![scanner] };
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match rules.judge(request, &Peer { address: from, identity: None }) {
        Ok(calling) => assert_eq!(calling.as_str(), "XR"),
        Err(rejection) => {
            let _ = (rejection.answer(), rejection.label());
            let words = rejection.words(&rules.ae_title, from);
            assert!(!words.chars().any(char::is_control), "{words:?}");
        }
    }
    let (results, contexts) = negotiate(&request.presentation_contexts);
    assert_eq!(results.len(), request.presentation_contexts.len());
    for (index, context) in contexts.iter().enumerate() {
        assert!(context.id % 2 == 1, "ids are odd");
        assert!(contexts[..index].iter().all(|other| other.id != context.id), "ids are unique");
        assert!(syntax::accepted_for(&context.abstract_syntax).contains(&context.transfer_syntax));
    }
    assert!(further_items(request, &contexts).len() <= request.user_variables.len());
}
