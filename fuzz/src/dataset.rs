//! What an association carries, as far as the appliance's own process looks into it: command sets, the datasets of storage
//! commitment, the identifiers at a dataset's beginning, the file meta group.

use appliance::dicom::commitment::{Ask, Report};
use appliance::dicom::dimse::{Message, Response};
use appliance::dicom::syntax::{EXPLICIT_LE, IMPLICIT_LE, TRANSFER_SYNTAXES};
use appliance::dicom::{AeTitle, Uid, identity};
use appliance::spool::part10;

pub(crate) fn dataset(data: &[u8]) {
    match crate::view(data, 6) {
        Some((0, rest)) => command(rest),
        Some((1, rest)) => commitment(rest, EXPLICIT_LE),
        Some((2, rest)) => commitment(rest, IMPLICIT_LE),
        Some((3, rest)) => stated(rest),
        Some((4, rest)) => meta(rest),
        Some((_, rest)) => names(rest),
        None => {}
    }
}

fn command(bytes: &[u8]) {
    if let Ok(Message::Request(request)) = Message::parse(bytes) {
        let answer = request.response(0xA700, "Disk full");
        let response = Response::parse(&answer).expect("our own response is one");
        assert_eq!((response.responded_to, response.status), (request.message_id, 0xA700));
    }
}

fn commitment(bytes: &[u8], syntax: &str) {
    if let Ok(ask) = Ask::parse(bytes, syntax) {
        assert!(!ask.references.is_empty());
        assert_eq!(Ask::parse(&ask.encode(syntax), syntax), Ok(ask));
    }
    if let Ok(report) = Report::parse(bytes, syntax) {
        assert_eq!(Report::parse(&report.encode(syntax), syntax), Ok(report));
    }
}

fn stated(bytes: &[u8]) {
    let Some((pick, head)) = crate::view(bytes, TRANSFER_SYNTAXES.len() as u8) else { return };
    let syntax = TRANSFER_SYNTAXES[usize::from(pick)];
    // A deflated beginning may be inflated to 64 KiB; each byte of it may become a replacement character of three.
    let most = 3 * head.len().max(64 * 1024);
    let found = identity::stated(head, syntax).into_iter().chain([identity::study(head, syntax)]);
    assert!(found.flatten().all(|text| text.len() <= most));
}

fn meta(bytes: &[u8]) {
    // With and without the preamble, which the fuzzer would have to find by chance.
    let whole = [&[0; 128][..], b"DICM", bytes].concat();
    for head in [bytes, &whole] {
        if let Ok(sendable) = part10::of_head(head) {
            assert!(sendable.offset <= head.len() as u64, "a dataset begins within its file");
        }
    }
}

fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(uid) = text.parse::<Uid>() {
        assert!(uid.as_str().len() <= 64 && uid.as_str().bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        assert!(!uid.as_str().contains(".."), "never a path");
    }
    if let Ok(title) = text.parse::<AeTitle>() {
        assert!((1..=16).contains(&title.as_str().len()) && !title.as_str().contains(['\\', '\n', '\0']));
    }
}
