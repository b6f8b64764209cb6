//! Text by the character repertoires that a header names (PS3.5 6.1): one set, or several with the escape sequences of ISO/IEC
//! 2022 between them, as Japanese and Korean names come. The parser decodes single sets and knows no escapes; what it made of
//! the others is undone here and decoded again. What no set explains is absent, since half a name is somebody else's.

use std::borrow::Cow;

use dicom_dictionary_std::tags;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};
use dicom_object::DefaultDicomObject;

const ESCAPE: u8 = 0x1B;

/// What bytes with the high bit clear, or set, stand for at a place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// ASCII, and JIS X 0201 romaji, which differs from it in the yen sign and the overline alone.
    Ascii,
    /// One byte each, by the name that the parser's codec has.
    Single(&'static str),
    /// ISO 8859-1 but for a few characters, by the number that the standard has for it: the parser's codec has none.
    LatinBut(&'static str, &'static [(char, char)]),
    /// Two bytes each with the high bit clear, in ISO-2022-JP after this escape sequence.
    Japanese(&'static [u8]),
    /// Two bytes each with the high bit set, by the name that the parser's codec has.
    Double(&'static str),
}

/// Escape sequences (after ESC) with the half that they fill and what with, PS3.3 C.12.1.1.2.
#[rustfmt::skip]
const ESCAPES: [(&[u8], Half, Set); 19] = [
    (b"(B", Half::Low, Set::Ascii),
    (b"(J", Half::Low, Set::Ascii),
    (b"$B", Half::Low, Set::Japanese(b"\x1b$B")),
    (b"$@", Half::Low, Set::Japanese(b"\x1b$@")),
    (b"$(D", Half::Low, Set::Japanese(b"\x1b$(D")),
    (b")I", Half::High, Set::Single("ISO_IR 13")),
    (b"-A", Half::High, Set::Single("ISO_IR 100")),
    (b"-B", Half::High, Set::Single("ISO_IR 101")),
    (b"-C", Half::High, Set::Single("ISO_IR 109")),
    (b"-D", Half::High, Set::Single("ISO_IR 110")),
    (b"-F", Half::High, Set::Single("ISO_IR 126")),
    (b"-G", Half::High, Set::Single("ISO_IR 127")),
    (b"-H", Half::High, Set::Single("ISO_IR 138")),
    (b"-L", Half::High, Set::Single("ISO_IR 144")),
    (b"-M", Half::High, Set::LatinBut("148", &TURKISH)),
    (b"-T", Half::High, Set::Single("ISO_IR 166")),
    (b"-b", Half::High, Set::LatinBut("203", &LATIN_9)),
    (b"$)C", Half::High, Set::Double("ISO_IR 149")),
    (b"$)A", Half::High, Set::Double("GBK")),
];

/// Sets that know no escapes, whatever is named beside them (PS3.3 C.12.1.1.2).
const STAND_ALONE: [&str; 1] = ["ISO_IR 192"];
/// The same, and the second byte of a character may be a backslash's.
const CHINESE: [&str; 2] = ["GB18030", "GBK"];

/// ISO 8859-9 where it is not ISO 8859-1.
const TURKISH: [(char, char); 6] = [
    ('\u{d0}', '\u{11e}'),
    ('\u{dd}', '\u{130}'),
    ('\u{de}', '\u{15e}'),
    ('\u{f0}', '\u{11f}'),
    ('\u{fd}', '\u{131}'),
    ('\u{fe}', '\u{15f}'),
];

/// ISO 8859-15 where it is not ISO 8859-1: the euro sign, and letters of French, Finnish and Estonian.
const LATIN_9: [(char, char); 8] = [
    ('\u{a4}', '\u{20ac}'),
    ('\u{a6}', '\u{160}'),
    ('\u{a8}', '\u{161}'),
    ('\u{b4}', '\u{17d}'),
    ('\u{b8}', '\u{17e}'),
    ('\u{bc}', '\u{152}'),
    ('\u{bd}', '\u{153}'),
    ('\u{be}', '\u{178}'),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Low,
    High,
}

/// The text of an element as the header's character sets mean it; `parsed` is what the parser took it for.
pub(super) fn text<'a>(object: &DefaultDicomObject, parsed: Cow<'a, str>) -> Option<Cow<'a, str>> {
    let named = object.element_opt(tags::SPECIFIC_CHARACTER_SET).ok().flatten();
    let named = named.and_then(|element| element.to_str().ok()).unwrap_or_default();
    let named: Vec<&str> = named.split('\\').map(str::trim).collect();
    let first = named.first().copied().unwrap_or_default();
    let known = SpecificCharacterSet::from_code(first);
    let high = initially(first);
    if CHINESE.contains(&first) {
        return chinese(&known?, parsed);
    }
    let alone = named.len() < 2 || STAND_ALONE.contains(&first);
    // One set that the parser knows, or nothing that would be told apart.
    if alone && (known.is_some() || high == Set::Ascii) {
        return Some(parsed);
    }
    // What the parser does not know it takes for Latin-1, as it does the default.
    let bytes = known.unwrap_or_default().encode(&parsed).ok()?;
    decode(&bytes, high).map(Cow::Owned)
}

/// The parser parts values at every byte 5C before it decodes them, and writes the first half of a character, which it cannot
/// decode, as a backslash and three octal digits: both are put together again.
fn chinese<'a>(codec: &SpecificCharacterSet, parsed: Cow<'a, str>) -> Option<Cow<'a, str>> {
    if !parsed.contains('\\') {
        return Some(parsed);
    }
    let mut pieces = parsed.split('\\');
    let mut bytes = codec.encode(pieces.next().unwrap_or_default()).ok()?;
    for piece in pieces {
        let half = piece.get(..3).filter(|digits| digits.bytes().all(|byte| (b'0'..b'8').contains(&byte)));
        let half = half.and_then(|digits| u8::from_str_radix(digits, 8).ok().filter(|byte| !byte.is_ascii()));
        bytes.push(half.unwrap_or(b'\\'));
        bytes.extend(codec.encode(if half.is_some() { &piece[3..] } else { piece }).ok()?);
    }
    codec.decode(&bytes).ok().map(Cow::Owned)
}

/// What bytes with the high bit set stand for before any escape sequence: the set named first.
fn initially(first: &str) -> Set {
    let number = first.rsplit_once("IR ").map_or("", |(_, number)| number.trim());
    let known = ESCAPES.iter().map(|(_, _, set)| *set);
    let by_number = |set: &Set| match set {
        Set::Single(name) | Set::Double(name) => name.strip_prefix("ISO_IR ") == Some(number),
        Set::LatinBut(own, _) => *own == number,
        Set::Ascii | Set::Japanese(_) => false,
    };
    known.into_iter().find(by_number).unwrap_or(Set::Ascii)
}

fn decode(bytes: &[u8], first: Set) -> Option<String> {
    let (mut low, mut high) = (Set::Ascii, first);
    let (mut rest, mut text) = (bytes, String::new());
    while let Some(byte) = rest.first().copied() {
        if byte == ESCAPE {
            let (sequence, half, set) = ESCAPES.iter().find(|(sequence, ..)| rest[1..].starts_with(sequence))?;
            *(if *half == Half::Low { &mut low } else { &mut high }) = *set;
            rest = &rest[1 + sequence.len()..];
            continue;
        }
        let set = if byte.is_ascii() { low } else { high };
        let same = |next: &u8| next.is_ascii() == byte.is_ascii() && *next != ESCAPE;
        let run = rest.iter().take_while(|next| same(next)).count();
        // Delimiters end what escapes began (PS3.5 6.1.2.5.3); within two-byte characters their bytes are no delimiters.
        let delimiter = rest[..run].iter().position(|byte| b"\\^=\r\n\x0c\t".contains(byte));
        let run = delimiter.filter(|_| set == Set::Ascii).map_or(run, |at| at + 1);
        text.push_str(&of_set(set, &rest[..run])?);
        if set == Set::Ascii && delimiter.is_some() {
            high = first;
        }
        rest = &rest[run..];
    }
    Some(text)
}

/// Bytes of one set; `None` where it has no such character.
fn of_set(set: Set, bytes: &[u8]) -> Option<String> {
    let by = |name: &str, bytes: &[u8]| {
        let text = SpecificCharacterSet::from_code(name)?.decode(bytes).ok()?;
        // The codec writes what it does not know as a backslash and three digits.
        (!text.contains('\\')).then_some(text)
    };
    match set {
        // The high half is empty where nothing was named for it.
        Set::Ascii => bytes.is_ascii().then(|| String::from_utf8_lossy(bytes).into_owned()),
        Set::Single(name) | Set::Double(name) => by(name, bytes),
        Set::Japanese(escape) => by("ISO_IR 87", &[escape, bytes, b"\x1b(B"].concat()),
        Set::LatinBut(_, others) => {
            let letter = |byte: &u8| {
                let latin = char::from(*byte);
                others.iter().find(|(other, _)| *other == latin).map_or(latin, |(_, own)| *own)
            };
            Some(bytes.iter().map(letter).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of PS3.5 annexes H to K, and names as such consoles write them.
    #[test]
    fn the_standards_own_examples_are_read() {
        for (first, bytes, expected) in [
            (
                "",
                &b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"[..],
                "Yamada^Tarou=\u{5c71}\u{7530}^\u{592a}\u{90ce}=\u{3084}\u{307e}\u{3060}^\u{305f}\u{308d}\u{3046}",
            ),
            (
                "ISO 2022 IR 13",
                b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
                "\u{ff94}\u{ff8f}\u{ff80}\u{ff9e}^\u{ff80}\u{ff9b}\u{ff73}=\u{5c71}\u{7530}^\u{592a}\u{90ce}",
            ),
            (
                "",
                b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
                "Hong^Gildong=\u{6d2a}^\u{5409}\u{6d1e}=\u{d64d}^\u{ae38}\u{b3d9}",
            ),
            (
                "",
                b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
                "Zhang^XiaoDong=\u{5f20}^\u{5c0f}\u{4e1c}=",
            ),
            (
                "ISO 2022 IR 100",
                b"J\xf6rg^\x1b-F\xc4\xe9\xef\xed^\xf6",
                "J\u{f6}rg^\u{394}\u{3b9}\u{3bf}\u{3bd}^\u{f6}",
            ),
            ("", b"\x1b$(D0!\x1b(B^A", "\u{4e02}^A"),
            ("ISO_IR 203", b"\xbcuvrard^Ma\xeblle \xb8\xa4", "\u{152}uvrard^Ma\u{eb}lle \u{17e}\u{20ac}"),
            ("ISO 2022 IR 100", b"J\xf6rg^\x1b-b\xa8ime\xb4", "J\u{f6}rg^\u{161}ime\u{17d}"),
            ("ISO_IR 148", b"\xc7avu\xfeo\xf0lu^Ay\xfee", "\u{c7}avu\u{15f}o\u{11f}lu^Ay\u{15f}e"),
        ] {
            assert_eq!(decode(bytes, initially(first)).as_deref(), Some(expected), "{first}");
        }
    }

    #[test]
    fn a_delimiters_byte_within_a_character_of_two_bytes_is_none() {
        // U+8868 is 49 3D, an equals sign second; U+500D is 47 5C, a backslash second.
        assert_eq!(decode(b"\x1b$BI=\x1b(B^A", Set::Ascii).as_deref(), Some("\u{8868}^A"));
        assert_eq!(decode(b"\x1b$BG\\\x1b(B^A", Set::Ascii).as_deref(), Some("\u{500d}^A"));
    }

    #[test]
    fn a_chinese_character_with_a_backslashs_byte_is_put_together_again() {
        for name in CHINESE {
            let codec = SpecificCharacterSet::from_code(name).unwrap();
            // 8A 5C, and a value after it.
            let parts = [&b"Wang^\x8a"[..], b"^A", b"B"].map(|part| codec.decode(part).unwrap());
            let parsed = parts.join("\\");
            assert_eq!(chinese(&codec, parsed.into()).as_deref(), Some("Wang^\u{596c}^A\\B"), "{name}");
            assert_eq!(chinese(&codec, "A\\101".into()).as_deref(), Some("A\\101"), "{name}");
        }
    }

    #[test]
    fn what_no_set_explains_is_absent() {
        for bytes in [&b"A\xe4"[..], b"\x1b%X", b"\x1b", b"\x1b$B;\x1b(B", b"\x1b$)C\xfb"] {
            assert_eq!(decode(bytes, Set::Ascii), None, "{bytes:x?}");
        }
    }
}
