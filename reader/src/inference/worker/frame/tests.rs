//! What was said is what is heard, and nonsense is told from an answer.

use proptest::prelude::*;

use super::*;

fn outputs(n: usize, cells: u16, depth: usize) -> Vec<Output> {
    let one = |i: usize| Output {
        logit: i as f32 - 1.5,
        saliency: Saliency { rows: cells, columns: 2, values: vec![i as u8; usize::from(cells) * 2] },
        embedding: (0..depth).map(|d| d as f32 / 7.0).collect(),
    };
    (0..n).map(one).collect()
}

fn said(id: u64, answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_answer(&mut bytes, id, answer).unwrap();
    bytes
}

#[test]
fn a_batch_crosses_as_it_is() {
    let images = [vec![7u8; IMAGE], vec![9; IMAGE]];
    let mut stream = Vec::new();
    write_batch(&mut stream, 42, &[&images[0], &images[1]]).unwrap();
    assert_eq!(stream.len(), 12 + 2 * IMAGE);
    let mut heard = Vec::new();
    let mut stream = &stream[..];
    assert_eq!(read_batch(&mut stream, &mut heard).unwrap(), Some(42));
    assert_eq!(heard, images.concat());
    assert_eq!(read_batch(&mut stream, &mut heard).unwrap(), None);
}

#[test]
fn a_batch_of_impossible_size_is_neither_said_nor_heard() {
    let short = vec![0u8; 3];
    assert!(write_batch(&mut Vec::new(), 1, &[]).is_err());
    assert!(write_batch(&mut Vec::new(), 1, &[&short]).is_err());
    for count in [0u32, MOST_IMAGES + 1, u32::MAX] {
        let header = [&1u64.to_le_bytes()[..], &count.to_le_bytes()].concat();
        assert_eq!(read_batch(&mut &*header, &mut Vec::new()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn answers_survive_the_stream() {
    for answer in [
        Answer::Outputs { outputs: outputs(3, 5, 16), compute_ms: 12.5 },
        Answer::Outputs { outputs: outputs(1, 1, 0), compute_ms: 0.0 },
        Answer::Failed("out of device memory".into()),
    ] {
        let count = if let Answer::Outputs { outputs, .. } = &answer { outputs.len() } else { 1 };
        assert_eq!(read_answer(&mut &*said(7, &answer), 7, count).unwrap(), answer);
    }
}

#[test]
fn what_is_no_answer_to_this_batch_is_nonsense() {
    let good = Answer::Outputs { outputs: outputs(2, 3, 4), compute_ms: 1.0 };
    let mut not_a_number = outputs(2, 3, 4);
    not_a_number[1].logit = f32::NAN;
    let not_a_number = Answer::Outputs { outputs: not_a_number, compute_ms: 1.0 };
    let mut long = said(7, &good);
    long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut kind = said(7, &good);
    kind[12] = 9;
    let mut rows = said(7, &good);
    rows[17..21].copy_from_slice(&u32::MAX.to_le_bytes());
    for (bytes, id, count) in [
        (said(7, &good), 8, 2),
        (said(7, &good), 7, 3),
        (said(7, &not_a_number), 7, 2),
        (long, 7, 2),
        (kind, 7, 2),
        (rows, 7, 2),
        (b"Segmentation fault (core dumped)".to_vec(), 7, 2),
    ] {
        assert_eq!(read_answer(&mut &*bytes, id, count).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_an_answer_of_the_wrong_shape(body in proptest::collection::vec(any::<u8>(), 0..200), n in 1usize..4) {
        let bytes = [&7u64.to_le_bytes()[..], &(body.len() as u32).to_le_bytes(), &body].concat();
        if let Ok(Answer::Outputs { outputs, .. }) = read_answer(&mut &*bytes, 7, n) {
            prop_assert_eq!(outputs.len(), n);
            prop_assert!(outputs.iter().all(|o| o.logit.is_finite()));
        }
    }
}
