//! What the hospital's other systems say: the multipart bodies and media types of STOW-RS, HL7 blocks and acknowledgements.

use appliance::output::hl7::{ack, mllp};
use appliance::stow::media_type::MediaType;
use appliance::stow::multipart::{Event, Malformed, Multipart};
use futures_util::FutureExt;

/// Longest HL7 block, bytes.
const LONGEST_BLOCK: usize = 64 * 1024;

pub(crate) fn hospital(data: &[u8]) {
    match crate::view(data, 4) {
        Some((0, rest)) => body(rest),
        Some((1, rest)) => media_type(rest),
        Some((2, rest)) => block(rest),
        Some((_, rest)) => acknowledgement(rest),
        None => {}
    }
}

/// A boundary, a zero, and the body.
fn body(data: &[u8]) {
    let (boundary, body) = crate::cut(data);
    let boundary = String::from_utf8_lossy(boundary);
    if Multipart::new(&boundary).is_none() {
        return;
    }
    let whole = told(&boundary, body, body.len().max(1));
    let told_data: usize =
        whole.0.iter().map(|event| if let Event::Data(bytes) = event { bytes.len() } else { 0 }).sum();
    assert!(told_data <= body.len(), "no byte is told twice");
    // What is told does not depend on where the body is cut.
    for piece in [1, 7] {
        assert_eq!(told(&boundary, body, piece), whole, "in pieces of {piece}");
    }
}

/// All that a body tells in pieces of this size, neighbouring pieces of data joined; and how it ended.
fn told(boundary: &str, body: &[u8], piece: usize) -> (Vec<Event>, Option<Malformed>) {
    let mut multipart = Multipart::new(boundary).expect("checked before");
    let mut events = Vec::new();
    for piece in body.chunks(piece) {
        multipart.push(piece);
        loop {
            match (multipart.tell(), events.last_mut()) {
                (Ok(Some(Event::Data(more))), Some(Event::Data(data))) => data.extend(more),
                (Ok(Some(event)), _) => events.push(event),
                (Ok(None), _) => break,
                (Err(malformed), _) => return (events, Some(malformed)),
            }
        }
    }
    (events, None)
}

fn media_type(text: &[u8]) {
    if let Some(kind) = MediaType::parse(&String::from_utf8_lossy(text)) {
        assert!(kind.name.contains('/') && kind.name == kind.name.to_ascii_lowercase());
        let _ = kind.parameter("boundary").map(Multipart::new);
    }
}

fn block(mut bytes: &[u8]) {
    if let Some(Ok(text)) = mllp::read_block(&mut bytes).now_or_never() {
        // Each byte of it may become a replacement character of three.
        assert!(text.len() <= 3 * LONGEST_BLOCK);
    }
}

/// The control id, a zero, and the answer.
fn acknowledgement(data: &[u8]) {
    let (id, answer) = crate::cut(data);
    let _ = ack::verdict(&String::from_utf8_lossy(answer), &String::from_utf8_lossy(id));
}
