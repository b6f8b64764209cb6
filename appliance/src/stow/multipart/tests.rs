//! Bodies cut anywhere tell the same.

use proptest::prelude::*;

use super::*;

/// Everything that a body tells, with the data of each part in one piece.
fn told(boundary: &str, pieces: &[&[u8]]) -> Result<Vec<Event>, Malformed> {
    let mut multipart = Multipart::new(boundary).unwrap();
    let mut told: Vec<Event> = Vec::new();
    for piece in pieces {
        multipart.push(piece);
        while let Some(event) = multipart.tell()? {
            match (told.last_mut(), event) {
                (Some(Event::Data(so_far)), Event::Data(more)) => so_far.extend(more),
                (_, event) => told.push(event),
            }
        }
        // The headers, and what may be the beginning of the empty line after them.
        assert!(multipart.buffer.len() <= piece.len() + LONGEST_HEAD + 3, "no part is held");
    }
    Ok(told)
}

fn dicom() -> Event {
    Event::Begin(MediaType::parse("application/dicom"))
}

#[test]
fn what_bodies_tell() {
    let head = "Content-Type: application/dicom\r\n\r\n";
    let begins = [dicom(), Event::Data(b"one".to_vec()), Event::End];
    let whole = [&begins[..], &[Event::Last]].concat();
    let empty = [dicom(), Event::End, Event::Last];
    let bare = [Event::Begin(None), Event::Data(b"one".to_vec()), Event::End, Event::Last];
    let lookalike = [dicom(), Event::Data(b"a\r\n--\r\n--B\r\n-".to_vec()), Event::End, Event::Last];
    for (body, expected) in [
        (format!("--b\r\n{head}one\r\n--b--"), Ok(whole.to_vec())),
        (format!("\r\n--b\r\n{head}one\r\n--b--\r\nepilogue --b\r\n"), Ok(whole.to_vec())),
        (
            "preamble\r\n--b \t\r\ncontent-TYPE:application/dicom\r\nX: y\r\n\r\none\r\n--b--".to_owned(),
            Ok(whole.to_vec()),
        ),
        (format!("--b\r\n{head}\r\n--b--"), Ok(empty.to_vec())),
        ("--b\r\n\r\none\r\n--b--".to_owned(), Ok(bare.to_vec())),
        (format!("--b\r\n{head}a\r\n--\r\n--B\r\n-\r\n--b--"), Ok(lookalike.to_vec())),
        // Cut short: what is not whole does not end.
        (format!("--b\r\n{head}one\r\n--b"), Ok(begins.to_vec())),
        (format!("--b\r\n{head}one"), Ok(begins[..2].to_vec())),
        ("--b--".to_owned(), Ok(vec![Event::Last])),
        (String::new(), Ok(vec![])),
        (format!("--b\r\n{head}one\r\n--bc\r\n"), Err(Malformed::Delimiter)),
        (format!("--b{}\r\n", " ".repeat(LONGEST_PADDING + 1)), Err(Malformed::Delimiter)),
        ("x".repeat(LONGEST_PREAMBLE + 1), Err(Malformed::NoBoundary)),
        // At a limit and one over it, where a piece that is longer than the limit tells no more than its bytes do. The new line
        // that every body is taken to begin with counts.
        (format!("{}\r\n--b--", "x".repeat(LONGEST_PREAMBLE - 2)), Ok(vec![Event::Last])),
        (format!("{}\r\n--b--", "x".repeat(LONGEST_PREAMBLE - 1)), Err(Malformed::NoBoundary)),
        (
            format!("--b\r\nX: {}\r\n\r\n\r\n--b--", "y".repeat(LONGEST_HEAD - 5)),
            Ok(vec![Event::Begin(None), Event::End, Event::Last]),
        ),
        (format!("--b\r\nX: {}\r\n\r\n\r\n--b--", "y".repeat(LONGEST_HEAD - 4)), Err(Malformed::Head)),
        (format!("--b\r\nX: {}", "y".repeat(LONGEST_HEAD)), Err(Malformed::Head)),
    ] {
        assert_eq!(told("b", &[body.as_bytes()]), expected, "{body:.80?}");
        let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        assert_eq!(told("b", &bytes), expected, "byte by byte: {body:.80?}");
    }
}

#[test]
fn boundaries_have_1_to_70_characters_on_one_line() {
    for (boundary, fits) in
        [("", false), ("b", true), (&"b".repeat(70), true), (&"b".repeat(71), false), ("a\nb", false)]
    {
        assert_eq!(Multipart::new(boundary).is_some(), fits, "{boundary:?}");
    }
}

/// Bytes that are full of beginnings of delimiters, and never hold a whole one.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n--".to_vec()),
        Just(b"\r\n--edg".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        any::<u8>().prop_map(|byte| vec![byte]),
    ];
    let whole = prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat());
    whole.prop_filter("a delimiter", |data| memchr::memmem::find(data, b"\r\n--edge").is_none())
}

/// Cuts into pieces of these lengths, over and over.
fn cut<'a>(mut body: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        let (piece, rest) = body.split_at((*length).min(body.len()));
        pieces.push(piece);
        body = rest;
        if body.is_empty() {
            break;
        }
    }
    pieces
}

proptest! {
    #[test]
    fn parts_come_out_as_they_went_in_wherever_the_body_is_cut(
        parts in prop::collection::vec(data(), 0..4),
        lengths in prop::collection::vec(1usize..40, 1..8),
    ) {
        let mut body = Vec::new();
        let mut expected = Vec::new();
        for part in &parts {
            body.extend(b"--edge\r\nContent-Type: application/dicom\r\n\r\n");
            body.extend(part);
            body.extend(b"\r\n");
            expected.push(dicom());
            expected.extend((!part.is_empty()).then(|| Event::Data(part.clone())));
            expected.push(Event::End);
        }
        body.extend(b"--edge--");
        expected.push(Event::Last);
        prop_assert_eq!(told("edge", &cut(&body, &lengths)), Ok(expected));
    }

    #[test]
    fn any_bytes_are_answered_alike_wherever_they_are_cut(
        bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'b'), any::<u8>()], 0..400),
        lengths in prop::collection::vec(1usize..40, 1..8),
    ) {
        prop_assert_eq!(told("b", &[&bytes]), told("b", &cut(&bytes, &lengths)));
    }
}
