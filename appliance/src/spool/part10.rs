//! The file meta group (PS3.10 7.1) around a dataset: written for what is received, read for what is sent. It never looks
//! into the dataset.

use std::fs::File;
use std::io::{self, Read};

use crate::dicom::identity;

/// This implementation, PS3.7 D.3.3.2: a UUID-derived UID (PS3.5 B.2) that never changes.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.45147823245202358274680120019920018052";
/// Its version's name, at most 16 characters (SH).
pub const IMPLEMENTATION_VERSION: &str = concat!("HILUM_", env!("CARGO_PKG_VERSION"));

/// The preamble has no meaning here (PS3.10 7.1) and is all zeros.
const PREAMBLE: usize = 128;
/// Most bytes of a file's beginning that are read for its meta group: a group of the standard's elements stays below 1 KB.
const LONGEST_META: usize = 64 * 1024;

/// Most bytes of a file's beginning that tell what it is.
pub const LONGEST_HEAD: usize = PREAMBLE + 4 + LONGEST_META;

/// What the association says of an object.
#[derive(Clone, Copy, Debug)]
pub struct FileMeta<'a> {
    /// SOP Class UID of the C-STORE command.
    pub sop_class: &'a str,
    /// SOP Instance UID of the C-STORE command.
    pub sop_instance: &'a str,
    /// The presentation context's transfer syntax.
    pub transfer_syntax: &'a str,
    /// Calling AE title.
    pub source: &'a str,
}

impl FileMeta<'_> {
    /// Preamble, prefix and group 0002 in Explicit VR Little Endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut group = Vec::new();
        // File Meta Information Version is OB, whose length has four bytes after two reserved ones (PS3.5 7.1.2).
        group.extend([2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1]);
        short(&mut group, 0x0002, *b"UI", self.sop_class, 0);
        short(&mut group, 0x0003, *b"UI", self.sop_instance, 0);
        short(&mut group, 0x0010, *b"UI", self.transfer_syntax, 0);
        short(&mut group, 0x0012, *b"UI", IMPLEMENTATION_CLASS_UID, 0);
        short(&mut group, 0x0013, *b"SH", IMPLEMENTATION_VERSION, b' ');
        short(&mut group, 0x0016, *b"AE", self.source, b' ');
        let mut file = vec![0; PREAMBLE];
        file.extend(b"DICM");
        file.extend([2, 0, 0, 0, b'U', b'L', 4, 0]);
        file.extend((group.len() as u32).to_le_bytes());
        file.extend(group);
        file
    }
}

/// An element of group 0002 with a two-byte length: UIDs have at most 64 bytes, titles 16.
fn short(group: &mut Vec<u8>, element: u16, vr: [u8; 2], value: &str, pad: u8) {
    let even = value.len() + value.len() % 2;
    group.extend([2, 0]);
    group.extend(element.to_le_bytes());
    group.extend(vr);
    group.extend((even as u16).to_le_bytes());
    group.extend(value.as_bytes());
    group.resize(group.len() + even - value.len(), pad);
}

/// What must be known of a file to send it. The identifiers are the dataset's own where it states them: files whose file meta
/// group says something else exist, and a command must say what its dataset says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sendable {
    /// SOP Class UID.
    pub sop_class: String,
    /// SOP Instance UID.
    pub sop_instance: String,
    /// Transfer Syntax UID.
    pub transfer_syntax: String,
    /// Where the dataset begins.
    pub offset: u64,
}

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSendable {
    /// It cannot be read.
    #[error("the file cannot be read; check its path and permissions")]
    Read(#[from] io::Error),
    /// No preamble, no group 0002, no group 0008.
    #[error("this is not a DICOM file; PNG and JPEG files become one with `hilum-appliance wrap`")]
    NotDicom,
    /// It does not say what it is.
    #[error("the DICOM file has no SOP class, SOP instance or transfer syntax; it is damaged or a directory file")]
    Incomplete,
}

/// Reads what must be known of a file to send it. A bare dataset, as written before PS3.10, is taken too.
///
/// # Errors
/// [`NotSendable`].
pub fn inspect(file: &mut File) -> Result<Sendable, NotSendable> {
    let mut head = Vec::new();
    file.take(LONGEST_HEAD as u64).read_to_end(&mut head)?;
    of_head(&head)
}

/// The same of a file's beginning: [`LONGEST_HEAD`] bytes, or all that there are.
///
/// # Errors
/// [`NotSendable`].
pub fn of_head(head: &[u8]) -> Result<Sendable, NotSendable> {
    let start = match head {
        bytes if bytes.get(PREAMBLE..PREAMBLE + 4) == Some(b"DICM") => PREAMBLE + 4,
        [2, 0, ..] => 0,
        bytes @ [8, 0, ..] => return bare(bytes),
        _ => return Err(NotSendable::NotDicom),
    };
    let mut found = [None, None, None];
    let mut at = start;
    while let Some((element, value, next)) = meta_element(head, at) {
        let slot = match element {
            0x0002 => 0,
            0x0003 => 1,
            0x0010 => 2,
            _ => usize::MAX,
        };
        if let Some(slot) = found.get_mut(slot) {
            *slot = Some(String::from_utf8_lossy(value).trim_matches(['\0', ' ']).to_owned());
        }
        at = next;
    }
    let [class, instance, Some(transfer_syntax)] = found else { return Err(NotSendable::Incomplete) };
    let [stated_class, stated_instance] = identity::stated(head.get(at..).unwrap_or_default(), &transfer_syntax);
    let (Some(sop_class), Some(sop_instance)) = (stated_class.or(class), stated_instance.or(instance)) else {
        return Err(NotSendable::Incomplete);
    };
    Ok(Sendable { sop_class, sop_instance, transfer_syntax, offset: at as u64 })
}

/// The AE title that a file's meta group names as its sender's (0002,0016).
#[must_use]
pub fn source(head: &[u8]) -> Option<String> {
    let mut at = PREAMBLE + 4;
    while let Some((element, value, next)) = meta_element(head, at) {
        if element == 0x0016 {
            return Some(String::from_utf8_lossy(value).trim_matches(['\0', ' ']).to_owned());
        }
        at = next;
    }
    None
}

fn bare(head: &[u8]) -> Result<Sendable, NotSendable> {
    // Explicit VR has two capital letters where Implicit VR has a length.
    let explicit = head.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
    let syntax = if explicit { crate::dicom::syntax::EXPLICIT_LE } else { crate::dicom::syntax::IMPLICIT_LE };
    let [sop_class, sop_instance] = identity::stated(head, syntax);
    let (Some(sop_class), Some(sop_instance)) = (sop_class, sop_instance) else {
        return Err(NotSendable::Incomplete);
    };
    Ok(Sendable { sop_class, sop_instance, transfer_syntax: syntax.to_owned(), offset: 0 })
}

/// The element of group 0002 at `at`: its number, its value and where the next one begins.
fn meta_element(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let head = bytes.get(at..at + 8)?;
    if head[..2] != [2, 0] {
        return None;
    }
    let element = u16::from_le_bytes([head[2], head[3]]);
    let (start, length) = if matches!(&head[4..6], b"OB" | b"OW" | b"UN" | b"UT" | b"SQ") {
        let long = bytes.get(at + 8..at + 12)?;
        (at + 12, u32::from_le_bytes([long[0], long[1], long[2], long[3]]) as usize)
    } else {
        (at + 8, usize::from(u16::from_le_bytes([head[6], head[7]])))
    };
    let end = start.checked_add(length)?;
    Some((element, bytes.get(start..end)?, end))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn inspected(bytes: &[u8]) -> Result<Sendable, NotSendable> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        inspect(&mut file)
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        let meta = FileMeta {
            sop_class: "1.2.3",
            sop_instance: "2.25.42",
            transfer_syntax: "1.2.840.10008.1.2",
            source: "XR",
        };
        let mut bytes = meta.encode();
        let offset = bytes.len() as u64;
        bytes.extend([8, 0, 5, 0]);
        let expected = Sendable {
            sop_class: "1.2.3".into(),
            sop_instance: "2.25.42".into(),
            transfer_syntax: "1.2.840.10008.1.2".into(),
            offset,
        };
        assert_eq!(inspected(&bytes).unwrap(), expected);
        assert!(IMPLEMENTATION_VERSION.len() <= 16);
    }

    #[test]
    fn the_datasets_own_identifiers_count() {
        let meta = FileMeta {
            sop_class: "1.2.3",
            sop_instance: "2.25.42",
            transfer_syntax: "1.2.840.10008.1.2",
            source: "XR",
        };
        let mut bytes = meta.encode();
        bytes.extend([8, 0, 0x18, 0, 8, 0, 0, 0]);
        bytes.extend(b"2.25.43\0");
        let found = inspected(&bytes).unwrap();
        assert_eq!((found.sop_class.as_str(), found.sop_instance.as_str()), ("1.2.3", "2.25.43"));
    }

    #[test]
    fn other_files_are_turned_away_with_a_reason() {
        assert!(matches!(inspected(b"\x89PNG\r\n\x1a\n"), Err(NotSendable::NotDicom)));
        assert!(matches!(inspected(b""), Err(NotSendable::NotDicom)));
        assert!(matches!(inspected(&[2, 0, 0x10, 0, b'U', b'I', 255, 255]), Err(NotSendable::Incomplete)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_after_the_prefix_are_answered_without_a_panic(rest: Vec<u8>) {
            let mut bytes = vec![2, 0];
            bytes.extend(rest);
            let _ = inspected(&bytes);
        }
    }
}
