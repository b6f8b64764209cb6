//! Data elements (PS3.5 7.1) at the beginning of some bytes: a bounded walk that never builds a dataset, for the few places
//! that look into one before the reader does. A length from outside is never believed beyond the bytes that are there.

use super::syntax;

/// Sequences within sequences that are followed to find where an outer one ends: what is looked into here nests once, and
/// private sequences of scanners two or three times.
const DEEPEST: u8 = 8;

/// A length that is told by a delimiter instead (PS3.5 7.5).
const UNDEFINED: u32 = u32::MAX;

/// Item, Item Delimitation Item, Sequence Delimitation Item (PS3.5 7.5), Implicit VR in every encoding.
const ITEM: (u16, u16) = (0xFFFE, 0xE000);
const ITEM_END: (u16, u16) = (0xFFFE, 0xE00D);
const SEQUENCE_END: (u16, u16) = (0xFFFE, 0xE0DD);

/// How elements are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoding {
    pub(super) explicit: bool,
    pub(super) big: bool,
}

impl Encoding {
    /// That of a transfer syntax, after inflating where it deflates.
    pub(super) fn of(transfer_syntax: &str) -> Self {
        Self { explicit: transfer_syntax != syntax::IMPLICIT_LE, big: transfer_syntax == syntax::EXPLICIT_BE }
    }

    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: (u16, u16),
    /// Its value, without a delimiter.
    pub(super) value: &'a [u8],
    /// What follows it.
    pub(super) rest: &'a [u8],
}

/// The first element; `None` at the end and over it.
pub(super) fn element(bytes: &[u8], encoding: Encoding) -> Option<Element<'_>> {
    nested(bytes, encoding, 0)
}

/// The items of a sequence's value, each without its delimiter, as far as they are whole.
pub(super) fn items(mut value: &[u8], encoding: Encoding) -> Vec<&[u8]> {
    let mut items = Vec::new();
    while let Some((tag, length, rest)) = delimiter(value, encoding) {
        if tag != ITEM {
            break;
        }
        let Some((item, rest)) = split(rest, length, |rest| end_of_item(rest, encoding, 1)) else { break };
        items.push(item);
        value = rest;
    }
    items
}

fn nested(bytes: &[u8], encoding: Encoding, depth: u8) -> Option<Element<'_>> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    let [g0, g1, e0, e1, a, b, c, d] = *head;
    let tag = (encoding.u16([g0, g1]), encoding.u16([e0, e1]));
    // Explicit VRs of four-byte length, PS3.5 table 7.1-1.
    let long = matches!(
        &[a, b],
        b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV"
    );
    let (length, rest) = if !encoding.explicit {
        (encoding.u32([a, b, c, d]), rest)
    } else if long {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        (encoding.u32(*length), rest)
    } else {
        (u32::from(encoding.u16([c, d])), rest)
    };
    let (value, rest) = split(rest, length, |rest| end_of_sequence(rest, encoding, depth))?;
    Some(Element { tag, value, rest })
}

/// A value of a stated length and what follows it; of an undefined one, as `end` finds it.
fn split<'a>(
    bytes: &'a [u8],
    length: u32,
    end: impl FnOnce(&'a [u8]) -> Option<(usize, &'a [u8])>,
) -> Option<(&'a [u8], &'a [u8])> {
    if length == UNDEFINED {
        let (length, rest) = end(bytes)?;
        return Some((&bytes[..length], rest));
    }
    bytes.split_at_checked(usize::try_from(length).ok()?)
}

/// Length of a sequence's value up to its delimiter, and what follows that.
fn end_of_sequence(bytes: &[u8], encoding: Encoding, depth: u8) -> Option<(usize, &[u8])> {
    let mut at = bytes;
    loop {
        let (tag, length, rest) = delimiter(at, encoding)?;
        match tag {
            SEQUENCE_END => return Some((bytes.len() - at.len(), rest)),
            ITEM if depth < DEEPEST => at = split(rest, length, |rest| end_of_item(rest, encoding, depth + 1))?.1,
            _ => return None,
        }
    }
}

/// Length of an item's elements up to their delimiter, and what follows that.
fn end_of_item(bytes: &[u8], encoding: Encoding, depth: u8) -> Option<(usize, &[u8])> {
    let mut at = bytes;
    loop {
        if let Some((ITEM_END, _, rest)) = delimiter(at, encoding) {
            return Some((bytes.len() - at.len(), rest));
        }
        at = nested(at, encoding, depth)?.rest;
    }
}

/// A tag with a length of four bytes and no VR.
fn delimiter(bytes: &[u8], encoding: Encoding) -> Option<((u16, u16), u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    let [g0, g1, e0, e1, length @ ..] = *head;
    Some(((encoding.u16([g0, g1]), encoding.u16([e0, e1])), encoding.u32(length), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPLICIT: Encoding = Encoding { explicit: false, big: false };

    fn tagged(tag: (u16, u16), length: u32, value: &[u8]) -> Vec<u8> {
        [&tag.0.to_le_bytes()[..], &tag.1.to_le_bytes(), &length.to_le_bytes(), value].concat()
    }

    #[test]
    fn sequences_end_where_their_lengths_or_delimiters_say() {
        let inner = tagged((8, 0x1150), 4, b"1.2\0");
        let stated = tagged(ITEM, inner.len() as u32, &inner);
        let delimited = [tagged(ITEM, UNDEFINED, &inner), tagged(ITEM_END, 0, &[])].concat();
        let both = [stated, delimited].concat();
        let after = tagged((9, 1), 0, &[]);
        let whole = [tagged((8, 0x1199), UNDEFINED, &both), tagged(SEQUENCE_END, 0, &[]), after].concat();
        let found = element(&whole, IMPLICIT).unwrap();
        assert_eq!((found.tag, found.value), ((8, 0x1199), both.as_slice()));
        assert_eq!(items(found.value, IMPLICIT), [inner.as_slice(), &inner]);
        assert_eq!(element(found.rest, IMPLICIT).unwrap().tag, (9, 1));
    }

    #[test]
    fn sequences_without_end_are_given_up() {
        let endless = tagged((8, 0x1199), UNDEFINED, &tagged(ITEM, UNDEFINED, &[])).repeat(10_000);
        assert!(element(&endless, IMPLICIT).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes: Vec<u8>, explicit: bool, big: bool) {
            let encoding = Encoding { explicit, big };
            if let Some(found) = element(&bytes, encoding) {
                items(found.value, encoding);
            }
            items(&bytes, encoding);
        }
    }
}
