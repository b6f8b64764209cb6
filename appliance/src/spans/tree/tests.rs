//! The tree's shape, whatever the clocks and stop-watches say.

use outbox::InstanceId;
use proptest::prelude::*;
use prost::Message;
use reader::reading::StageTimes;

use super::*;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn image(received_ms: i64, receive_ms: f64, traceparent: Option<&str>) -> Instance {
    Instance {
        supersedes: None,
        id: InstanceId(7),
        sop_instance: "1.2.3.4.5.6.7".to_owned(),
        digest: [9; 32],
        file: "a-file-of-the-spool".to_owned(),
        source: "XR-ROOM-1".to_owned(),
        received_ms,
        receive_ms,
        traceparent: traceparent.map(str::to_owned),
        attempts: 0,
        rank: outbox::Rank::default(),
    }
}

fn reading(outcome: Outcome, [decode_ms, queue_ms, transfer_ms, infer_ms]: [f64; 4]) -> Reading {
    let times = StageTimes { decode_ms, queue_ms, transfer_ms, infer_ms, total_ms: 0.0 };
    Reading { about: None, preview: None, outcome, caveats: Vec::new(), times }
}

fn reason(code: &str) -> Reason {
    Reason { code: code.to_owned(), words: code.to_owned() }
}

fn abstained() -> Outcome {
    Outcome::Abstained(reason("out_of_distribution"))
}

fn tree(image: &Instance, reading: &Reading, read_ms: i64, concluded_ms: i64) -> Vec<Span> {
    of_image(&Concluded { image, reading, read_ms, concluded_ms }, rand::random)
}

fn said<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let value = span.attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match &value.value {
        Some(Value::StringValue(text)) => Some(text),
        _ => None,
    }
}

#[test]
fn each_step_lies_where_it_was_measured() {
    let (image, reading) = (image(1000, 10.0, Some(TRACE)), reading(abstained(), [20.0, 5.0, 1.0, 30.5]));
    let tree = tree(&image, &reading, 1100, 1120);
    let ms = |ns: u64| ns as f64 / 1e6;
    let laid: Vec<_> = tree
        .iter()
        .map(|span| (span.name.as_str(), ms(span.start_time_unix_nano), ms(span.end_time_unix_nano)))
        .collect();
    let expected = [
        ("image", 1000.0, 1120.0),
        ("receive", 1000.0, 1010.0),
        ("wait", 1010.0, 1043.5),
        ("decode", 1043.5, 1063.5),
        ("queue", 1063.5, 1068.5),
        ("transfer", 1068.5, 1069.5),
        ("infer", 1069.5, 1100.0),
        ("conclude", 1100.0, 1120.0),
    ];
    assert_eq!(laid, expected);
    assert_eq!(hex::encode(&tree[0].trace_id), &TRACE[3..35]);
    assert_eq!(hex::encode(&tree[0].parent_span_id), &TRACE[36..52]);
    assert_eq!(
        (said(&tree[0], "hilum.outcome"), said(&tree[0], "hilum.source")),
        (Some("abstained"), Some("XR-ROOM-1"))
    );
    assert_eq!(said(&tree[0], "hilum.reason"), Some("out_of_distribution"));
}

#[test]
fn what_was_never_begun_has_no_span_and_what_failed_says_so() {
    let unreadable = Outcome::Unreadable(reason("DOE^JANE"));
    let tree = tree(&image(1000, 1.0, Some(TRACE)), &reading(unreadable, [0.0; 4]), 1010, 1011);
    let names: Vec<&str> = tree.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["image", "receive", "wait", "conclude"]);
    assert_eq!(tree[0].status.as_ref().map(Status::code), Some(StatusCode::Error));
    // A code that is none of ours is somebody else's text.
    assert!(said(&tree[0], "hilum.reason").is_some_and(|reason| !reason.contains("DOE")));
}

#[test]
fn the_bringer_is_what_the_trace_context_names() {
    for (by, name) in [(Bringer::Association, "association"), (Bringer::Request, "request"), (Bringer::File, "file")] {
        assert_eq!(of_bringer(by, TRACE, 10, 20)[0].name, name);
    }
    let [span] = of_bringer(Bringer::Association, TRACE, 20, 10).try_into().unwrap();
    assert_eq!((hex::encode(&span.trace_id), hex::encode(&span.span_id)), (TRACE[3..35].into(), TRACE[36..52].into()));
    assert_eq!(
        (span.parent_span_id.len(), span.start_time_unix_nano, span.end_time_unix_nano),
        (0, 20_000_000, 20_000_000)
    );
    for text in ["", "t", "00-0-0-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
        assert!(of_bringer(Bringer::File, text, 1, 2).is_empty(), "{text}");
    }
}

proptest! {
    #[test]
    fn it_is_one_tree_in_the_order_of_time_without_identifiers(
        received in any::<i64>(),
        read in any::<i64>(),
        concluded in any::<i64>(),
        near in any::<bool>(),
        receive in -1.0..1e5f64,
        times in prop::array::uniform4(prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(0.0), -1.0..1e5f64]),
        traceparent in prop_oneof![Just(Some(TRACE)), Just(None), Just(Some("t"))],
    ) {
        let (received, read, concluded) =
            if near { (received >> 20, (received >> 20) + read % 9000, (received >> 20) + concluded % 9000) } else { (received, read, concluded) };
        let tree = tree(&image(received, receive, traceparent), &reading(abstained(), times), read, concluded);
        let (whole, steps) = tree.split_first().unwrap();
        prop_assert_eq!(whole.trace_id.len(), 16);
        prop_assert_eq!(whole.parent_span_id.is_empty(), traceparent != Some(TRACE));
        let mut at = whole.start_time_unix_nano;
        for step in steps {
            prop_assert_eq!((&step.trace_id, &step.parent_span_id), (&whole.trace_id, &whole.span_id));
            prop_assert_eq!(step.start_time_unix_nano, at);
            prop_assert!(step.end_time_unix_nano >= at);
            at = step.end_time_unix_nano;
        }
        prop_assert_eq!(at, whole.end_time_unix_nano);
        let ids: std::collections::BTreeSet<&[u8]> = tree.iter().map(|span| span.span_id.as_slice()).collect();
        prop_assert!(ids.len() == tree.len() && ids.iter().all(|id| id.len() == 8));
        let bytes: Vec<u8> = tree.iter().flat_map(Message::encode_to_vec).collect();
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        prop_assert!(!holds(b"1.2.3.4.5.6.7") && !holds(b"a-file-of-the-spool") && holds(b"XR-ROOM-1"));
    }
}
