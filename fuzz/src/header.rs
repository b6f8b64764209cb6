//! An object's attributes as the decoding process reads them: any values in any representation, in a dataset whose lengths are
//! true. Lengths that lie are parsed by others' code, which may take the memory that they state: the sandbox's to survive,
//! and tested there (`reader/tests/hostile.rs`). So are codecs; the pixels here are uncompressed.

use reader::pixels::decode::{self, Opened};
use reader::pixels::{About, Limits, Pixels};

/// Longest text of a fact, characters.
const LONGEST: usize = 64;

/// Fewer than in the product, so that the time goes into attributes.
const PIXELS: u64 = 1 << 20;

/// Everything that the reader looks at, by group and element.
const ATTRIBUTES: [(u16, u16); 44] = [
    (0x0008, 0x0005),
    (0x0008, 0x0016),
    (0x0008, 0x0018),
    (0x0008, 0x0020),
    (0x0008, 0x0030),
    (0x0008, 0x0050),
    (0x0008, 0x0060),
    (0x0008, 0x0090),
    (0x0008, 0x0201),
    (0x0008, 0x1030),
    (0x0010, 0x0010),
    (0x0010, 0x0020),
    (0x0010, 0x0030),
    (0x0010, 0x0040),
    (0x0010, 0x1010),
    (0x0018, 0x0015),
    (0x0018, 0x1164),
    (0x0018, 0x5101),
    (0x0020, 0x000D),
    (0x0020, 0x000E),
    (0x0020, 0x0020),
    (0x0028, 0x0002),
    (0x0028, 0x0004),
    (0x0028, 0x0006),
    (0x0028, 0x0008),
    (0x0028, 0x0010),
    (0x0028, 0x0011),
    (0x0028, 0x0030),
    (0x0028, 0x0034),
    (0x0028, 0x0100),
    (0x0028, 0x0101),
    (0x0028, 0x0102),
    (0x0028, 0x0103),
    (0x0028, 0x0120),
    (0x0028, 0x0121),
    (0x0028, 0x1050),
    (0x0028, 0x1051),
    (0x0028, 0x1052),
    (0x0028, 0x1053),
    (0x0028, 0x1056),
    (0x0028, 0x1101),
    (0x0028, 0x1201),
    (0x0028, 0x0301),
    (0x2050, 0x0020),
];

/// Sequences whose first item is looked into, and the two elements that it has here: modality and VOI LUT, region, view.
const SEQUENCES: [(u16, u16); 4] = [(0x0028, 0x3000), (0x0028, 0x3010), (0x0008, 0x2218), (0x0054, 0x0220)];

/// Value representations with lengths of two bytes.
const SHORT: [&[u8; 2]; 16] =
    [b"US", b"SS", b"UL", b"SL", b"DS", b"IS", b"CS", b"LO", b"PN", b"DA", b"TM", b"AS", b"UI", b"FD", b"FL", b"AT"];

/// Attributes one after another: which, its representation, its length, its value.
pub(crate) fn header(data: &[u8]) {
    let mut bytes = b"DICM\x02\0\0\0UL\x04\0\x1c\0\0\0\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0".to_vec();
    for (tag, value) in [(0x0010, 8_u16), (0x0011, 8), (0x0100, 16), (0x0101, 16), (0x0102, 15), (0x0103, 0)] {
        bytes.extend(element((0x0028, tag), b"US", &value.to_le_bytes()));
    }
    let mut rest = data;
    while let [which, representation, length, more @ ..] = rest {
        let (value, more) = more.split_at(usize::from(*length).min(more.len()));
        bytes.extend(attribute(usize::from(*which), usize::from(*representation), value));
        rest = more;
    }
    let pixels: Vec<u8> = (0..8 * 8 * 2).collect();
    bytes.extend(element((0x7FE0, 0x0010), b"OW", &pixels));
    let limits = Limits { pixels: PIXELS, ..Limits::default() };
    if let Ok(object) = decode::open(&bytes, &limits) {
        bounded(&object.about());
        shown(&object);
    }
}

fn attribute(which: usize, representation: usize, value: &[u8]) -> Vec<u8> {
    let Some(sequence) = (which % 64).checked_sub(ATTRIBUTES.len()) else {
        return element(ATTRIBUTES[which % 64], SHORT[representation % SHORT.len()], value);
    };
    let (head, tail) = value.split_at(value.len().min(6));
    let item = match SEQUENCES[sequence % SEQUENCES.len()] {
        (0x0028, _) => [element((0x0028, 0x3002), b"US", head), element((0x0028, 0x3006), b"OW", tail)].concat(),
        _ => element((0x0008, 0x0100), SHORT[representation % SHORT.len()], value),
    };
    let items = [&[0xFE, 0xFF, 0, 0xE0][..], &(item.len() as u32).to_le_bytes(), &item].concat();
    element(SEQUENCES[sequence % SEQUENCES.len()], b"SQ", &items)
}

/// Explicit VR Little Endian, PS3.5 7.1.2, of even length.
fn element(tag: (u16, u16), representation: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let even = value.len().next_multiple_of(2);
    let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes(), *representation].concat();
    if matches!(representation, b"OW" | b"SQ") {
        bytes.extend([0, 0]);
        bytes.extend((even as u32).to_le_bytes());
    } else {
        bytes.extend((even as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes.resize(bytes.len() + even - value.len(), 0);
    bytes
}

fn bounded(about: &About) {
    let facts = &about.facts;
    let texts =
        [&facts.sop_class, &facts.modality, &facts.body_part, &facts.view, &facts.laterality, &facts.photometric];
    for text in texts.into_iter().flatten() {
        // Upper case of one character may be three.
        assert!(text.chars().count() <= 3 * LONGEST, "{text:?}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let identity = &about.identity;
    for uid in [&identity.study_instance_uid, &identity.series_instance_uid, &identity.sop_instance_uid] {
        assert!(uid.iter().all(|uid| uid.len() <= LONGEST && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')));
    }
    assert!(identity.patient_name.iter().all(|name| name.chars().count() <= 3 * LONGEST + 2));
}

fn shown(object: &Opened<'_>) {
    let Ok(frame) = object.decode() else { return };
    assert!((frame.rows * frame.columns) as u64 <= PIXELS);
    let pixels = Pixels::from_frame(&frame);
    assert_eq!(pixels.input.len(), reader::pixels::INPUT_SIDE * reader::pixels::INPUT_SIDE);
    assert!(pixels.preview.is_sound(), "the service would take its own decoder for one that was taken over");
}
