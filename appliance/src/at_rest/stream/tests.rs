//! Whatever is sealed opens as it was, and nothing else opens.

use proptest::prelude::*;

use super::*;

/// Plain bytes of a whole first frame, and of any other.
const FIRST: usize = FRAME - HEADER - TAG;
const OTHER: usize = FRAME - TAG;

fn key(byte: u8) -> AtRest {
    AtRest::new(&[byte; 32], rand::random)
}

fn sealed(name: &str, plain: &[u8], piece: usize) -> Vec<u8> {
    let mut sealer = key(1).sealer(name, Vec::new()).unwrap();
    plain.chunks(piece).for_each(|piece| sealer.write(piece).unwrap());
    sealer.finish().unwrap()
}

fn opened(name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    match key(1).open_stream(name, sealed, &mut plain) {
        Ok(length) => {
            assert_eq!(length, plain.len() as u64);
            Some(plain)
        }
        Err(StreamError::Damaged(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Bytes that repeat nowhere near a frame's length.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[test]
fn frames_end_where_the_format_says() {
    for (length, file) in [
        (0, HEADER + TAG),
        (1, HEADER + TAG + 1),
        (FIRST - 1, FRAME - 1),
        (FIRST, FRAME),
        (FIRST + 1, FRAME + 1 + TAG),
        (FIRST + OTHER, 2 * FRAME),
        (FIRST + OTHER + 1, 2 * FRAME + 1 + TAG),
    ] {
        let plain = content(length);
        let file_bytes = sealed("a", &plain, 100_000);
        assert_eq!(file_bytes.len(), file, "{length} bytes");
        assert_eq!(opened("a", &file_bytes).unwrap(), plain, "{length} bytes");
    }
}

#[test]
fn frames_cannot_be_cut_off_swapped_repeated_or_moved_to_another_file() {
    let plain = content(FIRST + 2 * OTHER + 7);
    let file = sealed("a", &plain, FRAME);
    let frame = |number: usize| number * FRAME..(number + 1) * FRAME;
    for cut in [0, 1, HEADER - 1, HEADER, HEADER + TAG - 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, file.len() - 1] {
        assert_eq!(opened("a", &file[..cut]), None, "cut at {cut}");
    }
    let swapped = [&file[frame(0)], &file[frame(2)], &file[frame(1)], &file[3 * FRAME..]].concat();
    let repeated = [&file[..2 * FRAME], &file[FRAME..]].concat();
    let left_out = [&file[..FRAME], &file[2 * FRAME..]].concat();
    let longer = [&file[..], b"x"].concat();
    let other = sealed("a", &plain, FRAME);
    let mixed = [&file[..FRAME], &other[FRAME..]].concat();
    for (what, bytes) in
        [("swapped", swapped), ("repeated", repeated), ("left out", left_out), ("longer", longer), ("mixed", mixed)]
    {
        assert_eq!(opened("a", &bytes), None, "{what}");
    }
    assert_eq!(opened("b", &file), None, "another name");
    assert!(key(2).open_stream("a", file.as_slice(), io::sink()).is_err(), "another key");
    assert_eq!(opened("a", &file).unwrap(), plain);
}

#[test]
fn a_stream_that_was_not_finished_never_opens() {
    let mut written = Vec::new();
    let mut sealer = key(1).sealer("a", &mut written).unwrap();
    sealer.write(&content(2 * FRAME)).unwrap();
    drop(sealer);
    assert_eq!((written.len(), opened("a", &written)), (2 * FRAME, None));
}

#[test]
fn what_was_sealed_by_this_release_opens_in_every_later_one() {
    // Made independently with Python's cryptography, from key 07…, salt 09… and the name "golden".
    let fixed = AtRest::new(&[7; 32], || [9; 16]);
    let mut sealer = fixed.sealer("golden", Vec::new()).unwrap();
    sealer.write(b"hilum").unwrap();
    assert_eq!(hex::encode(sealer.finish().unwrap()), GOLDEN);
}

const GOLDEN: &str = "48494c554d4152310909090909090909090909090909090909090909090909090909090909090909867895241a219fce12b8bb335f7f6714aac32144c4";

#[test]
fn frames_lie_where_direct_writes_want_them() {
    let frame = Frame::empty();
    assert!(frame.bytes().as_ptr().align_offset(ALIGNMENT) == 0 && frame.bytes.len() - frame.start >= FRAME);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_pieces_of_any_length_come_back_and_any_changed_byte_is_noticed(
        length in prop_oneof![0..200_usize, 0..3 * FRAME],
        piece in 1..2 * FRAME,
        at: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let plain = content(length);
        let mut file = sealed("a", &plain, piece);
        prop_assert!(opened("a", &file).unwrap() == plain);
        let at = at.index(file.len());
        file[at] ^= flip;
        prop_assert!(opened("a", &file).is_none(), "byte {} of {}", at, file.len());
    }
}
