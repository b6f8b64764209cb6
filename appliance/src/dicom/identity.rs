//! The identifiers that a dataset states of itself, from its first bytes only: what a C-STORE command, or the address of a
//! request, says must be what its dataset says. A bounded walk over element headers that skips values; it never builds a dataset and never decodes pixels.

use std::io::Read;

use super::element::{Element, Encoding, element};
use super::syntax;

/// SOP Class UID and SOP Instance UID.
const OBJECT: [(u16, u16); 2] = [(0x0008, 0x0016), (0x0008, 0x0018)];
/// Study Instance UID.
const STUDY: [(u16, u16); 1] = [(0x0020, 0x000D)];

/// Most bytes that a deflated beginning is inflated to.
const LONGEST_HEAD: u64 = 64 * 1024;

/// SOP Class and SOP Instance UID as the dataset whose beginning is `head` states them. `None` where the walk did not meet
/// them: the dataset is damaged or odd, and the reader will say so.
#[must_use]
pub fn stated(head: &[u8], transfer_syntax: &str) -> [Option<String>; 2] {
    find(head, transfer_syntax, OBJECT)
}

/// Study Instance UID as the dataset whose beginning is `head` states it. `None` where the walk did not meet it.
#[must_use]
pub fn study(head: &[u8], transfer_syntax: &str) -> Option<String> {
    let [study] = find(head, transfer_syntax, STUDY);
    study
}

fn find<const N: usize>(head: &[u8], transfer_syntax: &str, wanted: [(u16, u16); N]) -> [Option<String>; N] {
    if transfer_syntax == syntax::DEFLATED {
        let mut inflated = Vec::new();
        // The beginning of a stream ends in the middle of a block: what came out before that counts.
        let _ = flate2::read::DeflateDecoder::new(head).take(LONGEST_HEAD).read_to_end(&mut inflated);
        return walk(&inflated, Encoding::of(transfer_syntax), wanted);
    }
    walk(head, Encoding::of(transfer_syntax), wanted)
}

/// `wanted` ascends.
fn walk<const N: usize>(bytes: &[u8], encoding: Encoding, wanted: [(u16, u16); N]) -> [Option<String>; N] {
    let mut found = [const { None }; N];
    let mut rest = bytes;
    while let Some(Element { tag, value, rest: next }) = element(rest, encoding) {
        // Elements ascend (PS3.5 7.1): past the last wanted one there is nothing to find.
        if wanted.last().is_none_or(|last| tag > *last) {
            break;
        }
        if let Some(slot) = wanted.iter().position(|wanted| *wanted == tag) {
            found[slot] = Some(String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).to_owned());
        }
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const CLASS: &[u8] = b"1.2.840.10008.5.1.4.1.1.1\0";
    const INSTANCE: &[u8] = b"2.25.42\0";
    const STUDY_UID: &[u8] = b"2.25.4\0";

    fn dataset(explicit: bool, big: bool) -> Vec<u8> {
        let u16 = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut bytes = Vec::new();
        for (group, element, vr, value) in [
            (0x0008, 0x0005, b"CS", b"ISO_IR 100".as_slice()),
            (0x0008, 0x0016, b"UI", CLASS),
            (0x0008, 0x0018, b"UI", INSTANCE),
            (0x0010, 0x0010, b"PN", b"Nobody"),
            (0x0020, 0x000D, b"UI", STUDY_UID),
        ] {
            bytes.extend(u16(group));
            bytes.extend(u16(element));
            if explicit {
                bytes.extend(vr);
                bytes.extend(u16(value.len() as u16));
            } else {
                bytes.extend((value.len() as u32).to_le_bytes());
            }
            bytes.extend(value);
        }
        bytes
    }

    #[test]
    fn identifiers_are_found_in_every_encoding() {
        let deflated = {
            let mut stream = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            stream.write_all(&dataset(true, false)).unwrap();
            stream.finish().unwrap()
        };
        for (bytes, uid) in [
            (dataset(false, false), syntax::IMPLICIT_LE),
            (dataset(true, false), syntax::EXPLICIT_LE),
            (dataset(true, false), "1.2.840.10008.1.2.4.70"),
            (dataset(true, true), syntax::EXPLICIT_BE),
            (deflated, syntax::DEFLATED),
        ] {
            let expected = [Some("1.2.840.10008.5.1.4.1.1.1".to_owned()), Some("2.25.42".to_owned())];
            assert_eq!(stated(&bytes, uid), expected, "{uid}");
            assert_eq!(study(&bytes, uid).as_deref(), Some("2.25.4"), "{uid}");
        }
    }

    #[test]
    fn what_is_cut_short_is_not_guessed() {
        let whole = dataset(true, false);
        assert_eq!(study(&whole[..whole.len() - 1], syntax::EXPLICIT_LE), None);
        assert_eq!(stated(&whole[..50], syntax::EXPLICIT_LE)[1], None);
        assert_eq!(stated(&[], syntax::IMPLICIT_LE), [None, None]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes: Vec<u8>, pick in 0usize..14) {
            let _ = stated(&bytes, syntax::TRANSFER_SYNTAXES[pick]);
            let _ = study(&bytes, syntax::TRANSFER_SYNTAXES[pick]);
        }
    }
}
